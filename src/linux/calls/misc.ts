import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import type { Process, ThreadGroup } from '../process.ts';
import { type Calls, missing, partial, type Syscall } from '../syscall.ts';
import { buffer } from './arguments.ts';
import { unshareFiles } from './descriptor.ts';
import { PRCTL_NOTE, prctl } from './prctl.ts';
import { prioritized } from './process.ts';

export const RELEASE = '6.1.0-wasmvisor';
export const VERSION = '#1 SMP';

function uname(p: Process, address: number): number {
  const FIELD = 65;
  const { host, domain } = p.system.names;
  const fields = ['Linux', host, RELEASE, VERSION, p.abi.machine, domain];
  const bytes = new Uint8Array(fields.length * FIELD);
  fields.forEach((text, index) => {
    bytes.set(encodeName(text).subarray(0, FIELD - 1), index * FIELD);
  });
  p.memory.write(address, bytes);
  return 0;
}

/** struct sysinfo of 32-bit ABIs, 64 bytes. */
function sysinfo(p: Process, address: number): number {
  p.memory.view(address, 64, 'write').fill(0);
  const { limit, used } = p.map.options.budget;
  const words = [Number(p.host.monotonic() / 1_000_000_000n), 0, 0, 0, limit, Math.max(0, limit - used)];
  words.forEach((word, index) => {
    p.memory.setU32(address + index * 4, word);
  });
  p.memory.setU16(address + 40, p.system.processes.size);
  // mem_unit
  p.memory.setU32(address + 52, 1);
  return 0;
}

/** No more than this at a time, so that one call does not take for ever; as getrandom(2) allows. */
const RANDOM_CHUNK = 1 << 25;

function getrandom(p: Process, address: number, length: number, flags: number): number {
  if (flags & ~7 || (flags & 6) === 6) return -Errno.EINVAL;
  const into = buffer(p, address, Math.min(length, RANDOM_CHUNK), 'write');
  const count = into.length;
  const bytes = new Uint8Array(Math.min(count, 65536));
  for (let at = 0; at < count; at += bytes.length) {
    p.host.random(bytes);
    into.set(bytes.subarray(0, Math.min(bytes.length, count - at)), at);
  }
  return count;
}

const refuse =
  (errno: number): Syscall =>
  () =>
    -errno;

/** Kept, without effect: a class in the upper bits, from 0 to 3, and a level, from 0 to 7. */
const inputOutputPriorities = new WeakMap<ThreadGroup, number>();
const IOPRIO_NOTE = 'of processes; without effect';
const IoClass = { realTime: 1, idle: 3 } as const;

function inputOutputPriority(p: Process, which: number, who: number, priority?: number): number {
  if (which < 1 || which > 3) return -Errno.EINVAL;
  const groups = prioritized(p, which - 1, who);
  if (groups.length === 0) return -Errno.ESRCH;
  if (priority === undefined) return Math.max(...groups.map((group) => inputOutputPriorities.get(group) ?? 0));
  const [kind, level] = [priority >>> 13, priority & 0x1fff];
  if (kind > IoClass.idle || level > 7 || (kind === 0 && level !== 0)) return -Errno.EINVAL;
  if (kind === IoClass.realTime && !capable(p, Cap.SysNice)) return -Errno.EPERM;
  for (const group of groups) inputOutputPriorities.set(group, priority);
  return 0;
}

/** __NEW_UTS_LEN */
const MOST_NAME = 64;
const setName =
  (which: 'host' | 'domain'): Syscall =>
  (p, a) => {
    if (!capable(p, Cap.SysAdmin)) return -Errno.EPERM;
    if (a[1] > MOST_NAME) return -Errno.EINVAL;
    p.system.names[which] = decodeName(p.memory.view(a[0], a[1], 'read').slice());
    return 0;
  };

const enum Unshare {
  /** CLONE_FS, CLONE_FILES, CLONE_SYSVSEM */
  Files = 0x400,
  Known = 0x200 | Files | 0x4_0000,
  /** CLONE_NEWNS and the like. */
  Spaces = 0x7e02_0080,
}

function unshare(p: Process, flags: number): number {
  if (flags & ~(Unshare.Known | Unshare.Spaces)) return -Errno.EINVAL;
  if (flags & Unshare.Spaces) return capable(p, Cap.SysAdmin) ? -Errno.ENOSPC : -Errno.EPERM;
  if (flags & Unshare.Files) unshareFiles(p);
  return 0;
}

export const miscCalls: Calls = {
  prctl: partial(prctl, PRCTL_NOTE),
  uname: (p, a) => uname(p, a[0]),
  sysinfo: (p, a) => sysinfo(p, a[0]),
  sethostname: setName('host'),
  setdomainname: setName('domain'),
  getrandom: (p, a) => getrandom(p, a[0], a[1], a[2]),
  rseq: partial(refuse(Errno.ENOSYS), 'ENOSYS'),
  syslog: refuse(Errno.EPERM),
  reboot: refuse(Errno.EPERM),
  init_module: refuse(Errno.EPERM),
  finit_module: refuse(Errno.EPERM),
  delete_module: refuse(Errno.EPERM),
  kexec_load: refuse(Errno.EPERM),
  add_key: missing('no key rings'),
  request_key: missing('no key rings'),
  keyctl: missing('no key rings'),
  bpf: refuse(Errno.EPERM),
  get_mempolicy: partial(refuse(Errno.ENOSYS), 'ENOSYS, as in kernels without NUMA'),
  set_mempolicy: partial(refuse(Errno.ENOSYS), 'as get_mempolicy'),
  mbind: partial(refuse(Errno.ENOSYS), 'as get_mempolicy'),
  unshare: partial((p, a) => unshare(p, a[0]), 'descriptors; no name spaces'),
  setns: partial(refuse(Errno.EPERM), 'EPERM'),
  ioprio_get: partial((p, a) => inputOutputPriority(p, a[0], a[1]), IOPRIO_NOTE),
  ioprio_set: partial((p, a) => inputOutputPriority(p, a[0], a[1], a[2]), IOPRIO_NOTE),
};
