import { descriptorCalls } from './descriptor.ts';
import { epollCalls } from './epoll.ts';
import { eventCalls } from './eventfd.ts';
import { nameCalls } from './names.ts';
import { openCalls } from './open.ts';
import { pollCalls } from './poll.ts';
import { refusedCalls } from './refused.ts';
import { statusCalls } from './status.ts';
import { transferCalls } from './transfer.ts';

/** All calls that take a path or a descriptor, by name; a name with two forms has its own suffix (chown16, *_time64). */
export const fileCalls = {
  ...openCalls,
  ...transferCalls,
  ...nameCalls,
  ...statusCalls,
  ...descriptorCalls,
  ...pollCalls,
  ...epollCalls,
  ...eventCalls,
  ...refusedCalls,
};

/** What is missing or different from Linux in some of them; published with the list of calls. */
export const fileNotes: Partial<Record<keyof typeof fileCalls, string>> = {
  open: 'O_TMPFILE only in memory, no effect of O_DIRECT, O_SYNC, O_NOATIME',
  openat: 'as open',
  openat2: 'as open; ENOSYS with RESOLVE_ flags',
  fcntl: 'locks and leases hold among the guest’s processes only',
  fcntl64: 'as fcntl',
  flock: 'among the guest’s processes only',
  ioctl:
    'terminals, FIONREAD, FIONBIO, FIOCLEX, FIOASYNC, SIOCGIF…; of termios, no flow control and no VTIME; the host is told only raw or not, and no size',
  mknod: 'the host sees regular files only; of devices, those in /dev can be opened',
  mknodat: 'as mknod',
  renameat2: 'RENAME_NOREPLACE only',
  fallocate: 'no FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE; what is punched out is zeros and takes room',
  memfd_create: 'no huge pages; a sealed file that is mapped for reading can be made writable by mprotect',
  pipe2: 'no O_DIRECT',
  preadv2: 'RWF_NOWAIT only on files',
  pwritev2: 'RWF_NOWAIT only on files',
  epoll_ctl: 'EPOLLET may report once more what is ready, no EPOLLEXCLUSIVE',
};
