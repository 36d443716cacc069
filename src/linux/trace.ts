import { At } from './calls/arguments.ts';
import { Errno } from './errno.ts';
import { decodeName } from './fs/names.ts';
import { PATH_MAX } from './fs/vfs.ts';
import type { Process } from './process.ts';
import { KEEP_REGISTERS, wide } from './syscall.ts';

/**
 * What the arguments are, a letter each; a call that is not here shows its first ones as numbers.
 * `d` signed, `D` a directory's descriptor, `x` bits, `o` octal, `p` an address, `s` a string, `b` bytes (the next argument says how
 * many), `v` a vector of strings, `g` a signal, `w` 64 bits in two arguments.
 */
const ARGUMENTS: Readonly<Record<string, string>> = {
  ...group('', 'fork vfork getpid getppid gettid getpgrp setsid getuid geteuid getgid getegid getuid32 geteuid32 getgid32 getegid32'),
  ...group('', 'sched_yield pause sync inotify_init rt_sigreturn sigreturn munlockall'),
  ...group(
    'd',
    'exit exit_group close dup fsync fdatasync fchdir umask epoll_create epoll_create1 inotify_init1 getpgid getsid alarm nice',
  ),
  ...group('s', 'chdir rmdir unlink chroot'),
  ...group('sx', 'access'),
  ...group('so', 'mkdir chmod creat'),
  ...group('ss', 'link symlink rename'),
  ...group('sp', 'stat lstat stat64 lstat64 statfs utime utimes'),
  ...group('dp', 'fstat fstat64 fstatfs getrlimit setrlimit ugetrlimit clock_gettime clock_gettime64 clock_getres getitimer'),
  ...group('Dso', 'mkdirat fchmodat'),
  ...group('Dsx', 'faccessat unlinkat faccessat2'),
  ...group('Dspx', 'fstatat64 utimensat utimensat_time64'),
  ...group('DsDs', 'renameat'),
  ...group('DsDsx', 'linkat renameat2'),
  ...group('dbd', 'write'),
  ...group('dpd', 'read readv writev getdents getdents64 connect bind sendmsg recvmsg'),
  ...group('dpp', 'accept getsockname getpeername'),
  ...group('ddx', 'fcntl fcntl64 dup3'),
  ...group('dd', 'dup2 listen shutdown setpgid flock'),
  ...group('ddd', 'lseek socket'),
  ...group('dg', 'kill tkill'),
  ...group('gpp', 'sigaction'),
  ...group('gppd', 'rt_sigaction'),
  ...group('dppd', 'rt_sigprocmask wait4 epoll_ctl epoll_wait'),
  ...group('dpx', 'waitpid accept4'),
  ...group('pdxxd', 'mmap'),
  ...group('pxx', 'mprotect madvise msync'),
  ...group('px', 'munmap pipe2'),
  ...group('p', 'brk pipe set_tid_address uname time times sysinfo set_thread_area'),
  ...group('pp', 'sigaltstack nanosleep gettimeofday'),
  clock_nanosleep: 'dxpp',
  clock_nanosleep_time64: 'dxpp',
  clone: 'xpppp',
  epoll_pwait: 'dpddp',
  execve: 'svp',
  fallocate: 'dxww',
  fchmod: 'do',
  fadvise64: 'dwdd',
  ftruncate64: 'dw',
  futex: 'pxdppd',
  futex_time64: 'pxdppd',
  getcwd: 'pd',
  getrandom: 'pdx',
  inotify_add_watch: 'dsx',
  ioctl: 'dxx',
  ipc: 'xdddp',
  lchown32: 'sdd',
  chown32: 'sdd',
  lchown: 'sdd',
  chown: 'sdd',
  mmap2: 'pxxxdx',
  mount: 'sssxp',
  mremap: 'pxxxp',
  open: 'sxo',
  openat: 'Dsxo',
  openat2: 'Dspd',
  poll: 'pdd',
  ppoll: 'pdpp',
  ppoll_time64: 'pdpp',
  prctl: 'dxxxx',
  pread64: 'dpdw',
  prlimit64: 'ddpp',
  pwrite64: 'dbdw',
  readlink: 'spd',
  readlinkat: 'Dspd',
  recv: 'dpdx',
  recvfrom: 'dpdxpp',
  rt_sigsuspend: 'pd',
  select: 'dpppp',
  _newselect: 'dpppp',
  _llseek: 'dxxpd',
  send: 'dbdx',
  sendto: 'dbdxpd',
  setsockopt: 'dddpd',
  getsockopt: 'dddpp',
  set_robust_list: 'pd',
  socketcall: 'dp',
  socketpair: 'dxxp',
  statx: 'Dsxxp',
  symlinkat: 'sDs',
  tgkill: 'ddg',
  truncate64: 'sw',
  waitid: 'ddpxp',
};

function group(shape: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map((name) => [name, shape]));
}

/** Of a buffer; as strace has it. */
const SHOWN = 32;
const SHOWN_STRINGS = 16;
const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Errno).map(([name, number]) => [number, name]));
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what has to be escaped
  const escaped = text.replace(/[\x00-\x1f\x7f-\xa0"\\]|[\ud800-\udfff]/gu, (one) => {
    const code = one.charCodeAt(0) & 0xff;
    return ESCAPES[one] ?? `\\${code.toString(8).padStart(3, '0')}`;
  });
  return `"${escaped}"`;
}

/** Where memory cannot be read, its address tells more than an error. */
function ifReadable(address: number, read: () => string): string {
  try {
    return address === 0 ? 'NULL' : read();
  } catch {
    return hex(address);
  }
}

const hex = (value: number): string => (value === 0 ? '0' : `0x${value.toString(16)}`);
const string = (p: Process, address: number): string => ifReadable(address, () => quoted(decodeName(p.memory.cString(address, PATH_MAX))));

function bytes(p: Process, address: number, length: number): string {
  return ifReadable(address, () => {
    const shown = p.memory.view(address, Math.min(length, SHOWN), 'read');
    return `${quoted(String.fromCharCode(...shown))}${length > SHOWN ? '...' : ''}`;
  });
}

function strings(p: Process, address: number): string {
  return ifReadable(address, () => {
    const all: string[] = [];
    for (let at = address; ; at += 4) {
      const one = p.memory.u32(at);
      if (one === 0) break;
      if (all.length === SHOWN_STRINGS) {
        all.push('...');
        break;
      }
      all.push(string(p, one));
    }
    return `[${all.join(', ')}]`;
  });
}

/** A call and its arguments, as strace(1) shows them but for flags, which are numbers. To be made before the call, which may change memory. */
export function describeCall(p: Process, name: string, a: readonly number[]): string {
  const shapes = ARGUMENTS[name] ?? 'xxxxxx'.slice(0, Math.max(1, 1 + a.slice(0, 6).findLastIndex((one) => one !== 0)));
  const shown: string[] = [];
  let index = 0;
  for (const shape of shapes) {
    const value = a[index];
    if (shape === 's') shown.push(string(p, value));
    else if (shape === 'v') shown.push(strings(p, value));
    else if (shape === 'b') shown.push(bytes(p, value, a[index + 1]));
    else if (shape === 'p') shown.push(value === 0 ? 'NULL' : hex(value));
    else if (shape === 'x') shown.push(hex(value));
    else if (shape === 'o') shown.push(`0${value.toString(8)}`);
    else if (shape === 'g') shown.push(p.signals.name(value));
    else if (shape === 'D' && (value | 0) === At.FDCWD) shown.push('AT_FDCWD');
    else if (shape === 'w') {
      shown.push(`${wide(p, a, index)}`);
      index += p.abi.alignedPairs ? (index & 1) + 1 : 1;
    } else shown.push(`${value | 0}`);
    index++;
  }
  return `${name}(${shown.join(', ')})`;
}

/** What it gave, as strace(1) shows it. */
export function describeResult(p: Process, name: string, result: number): string {
  if (p.group.end || p.exited !== undefined || result === KEEP_REGISTERS) return '?';
  const error = NAMES.get(-result);
  // the guest never sees those: the call is made again, or gives EINTR
  if (error?.startsWith('ERESTART')) return `? ${error}`;
  if (result < 0) return `-1 ${error ?? `errno ${-result}`}`;
  return /^(brk|mmap2?|mremap|shmat)$/.test(name) ? hex(result) : `${result}`;
}
