import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type OpenFile, Poll } from '../fs/vfs.ts';
import type { Process, ThreadGroup } from '../process.ts';
import type { Calls } from '../syscall.ts';
import { installAnonymous } from './anonymous.ts';
import { maySignal, readSignalInfo, signalProcess } from './signal.ts';

const groups = new WeakMap<object, ThreadGroup>();

/** A descriptor that stands for a process, whatever becomes of its number. */
export function openProcess(p: Process, group: ThreadGroup, flags = 0): number {
  const { O_CLOEXEC } = p.abi.open;
  const file: Omit<OpenFile, 'inode' | 'seekable'> = {
    read: () => fail('EINVAL'),
    write: () => fail('EINVAL'),
    poll: () => (p.system.isBuried(group) ? Poll.In | Poll.ReadNormal : 0),
    subscribe: group.endEvents.subscribe,
  };
  groups.set(file.read, group);
  return installAnonymous(p, '[pidfd]', file, flags | O_CLOEXEC);
}

/** The process that a descriptor stands for; EBADF if it is none's. */
export function processOf(p: Process, fd: number): ThreadGroup {
  const { file } = p.files.get(fd);
  return (file && groups.get(file.read)) ?? fail('EBADF');
}

/** The same where a directory of /proc will do. */
function signalled(p: Process, fd: number): ThreadGroup {
  const { path, inode } = p.files.get(fd);
  const pid = inode.fileSystem.type === 'proc' ? /^\/proc\/(\d+)$/.exec(path)?.[1] : undefined;
  return pid === undefined ? processOf(p, fd) : (p.system.processes.get(Number(pid)) ?? fail('ESRCH'));
}

/** One that somebody may still wait for. */
function known(p: Process, group: ThreadGroup): ThreadGroup {
  return p.system.processes.get(group.pid) === group ? group : fail('ESRCH');
}

function pidfdOpen(p: Process, pid: number, flags: number): number {
  if (flags & ~p.abi.open.O_NONBLOCK || (pid | 0) <= 0) return -Errno.EINVAL;
  const group = p.system.processes.get(pid);
  return group ? openProcess(p, group, flags) : -Errno.ESRCH;
}

function sendSignal(p: Process, fd: number, signal: number, info: number, flags: number): number {
  if (flags !== 0) return -Errno.EINVAL;
  const group = known(p, signalled(p, fd));
  if (signal !== 0 && !p.signals.isValid(signal)) return -Errno.EINVAL;
  if (info !== 0 && p.memory.u32(info) !== signal) return -Errno.EINVAL;
  if (!maySignal(p, group, signal)) return -Errno.EPERM;
  return signalProcess(p, group, signal, info === 0 ? undefined : readSignalInfo(p, info));
}

function getDescriptor(p: Process, fd: number, target: number, flags: number): number {
  if (flags !== 0) return -Errno.EINVAL;
  const group = known(p, processOf(p, fd));
  if (group.end) return -Errno.ESRCH;
  if (!maySignal(p, group, 0)) return -Errno.EPERM;
  return p.files.install(group.leader.files.get(target), p.limits.nofile.soft, true);
}

export const pidfdCalls: Calls = {
  pidfd_open: (p, a) => pidfdOpen(p, a[0], a[1]),
  pidfd_send_signal: (p, a) => sendSignal(p, a[0], a[1], a[2], a[3]),
  pidfd_getfd: (p, a) => getDescriptor(p, a[0], a[1], a[2]),
};
