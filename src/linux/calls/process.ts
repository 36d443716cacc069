import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import type { Limit, LimitName } from '../limits.ts';
import type { Process, ThreadGroup } from '../process.ts';
import { type Calls, partial, type Syscall } from '../syscall.ts';
import { INIT } from '../system.ts';
import { seccompMode, setSeccompMode } from './seccomp.ts';
import { type WriteTime, writeTimespec, writeTimespec64 } from './time.ts';

type CredentialName = 'uid' | 'euid' | 'suid' | 'gid' | 'egid' | 'sgid';

/** A program may become whom it is already; as root, anybody. */
function change(p: Process, wanted: Partial<Record<CredentialName, number>>, group: boolean): number {
  const { credentials } = p;
  const own = group ? [credentials.gid, credentials.egid, credentials.sgid] : [credentials.uid, credentials.euid, credentials.suid];
  const entries = Object.entries(wanted).filter(([, id]) => id !== 0xffff_ffff) as [CredentialName, number][];
  if (credentials.euid !== 0 && entries.some(([, id]) => !own.includes(id))) return -Errno.EPERM;
  for (const [name, id] of entries) credentials[name] = id;
  return 0;
}
const wide16 = (id: number): number => ((id & 0xffff) === 0xffff ? 0xffff_ffff : id & 0xffff);
const same = (id: number): number => id;

function setuid(p: Process, id: number): number {
  return change(p, p.credentials.euid === 0 ? { uid: id, euid: id, suid: id } : { euid: id }, false);
}
function setgid(p: Process, id: number): number {
  return change(p, p.credentials.euid === 0 ? { gid: id, egid: id, sgid: id } : { egid: id }, true);
}

/** Calls whose ids are words, and (i386's old ones) those with 16 bits. */
function credentialCalls(suffix: string, id: (value: number) => number, size: 2 | 4): Calls {
  const put = (p: Process, address: number, value: number): void =>
    size === 2 ? p.memory.setU16(address, Math.min(value, 0xfffe)) : p.memory.setU32(address, value);
  const three =
    (names: readonly [CredentialName, CredentialName, CredentialName]): Syscall =>
    (p, a) => {
      names.forEach((name, index) => {
        put(p, a[index], p.credentials[name]);
      });
      return 0;
    };
  const get =
    (name: CredentialName): Syscall =>
    (p) =>
      size === 2 ? Math.min(p.credentials[name], 0xfffe) : p.credentials[name];
  return {
    [`getuid${suffix}`]: get('uid'),
    [`geteuid${suffix}`]: get('euid'),
    [`getgid${suffix}`]: get('gid'),
    [`getegid${suffix}`]: get('egid'),
    [`setuid${suffix}`]: (p, a) => setuid(p, id(a[0])),
    [`setgid${suffix}`]: (p, a) => setgid(p, id(a[0])),
    [`setreuid${suffix}`]: (p, a) => change(p, { uid: id(a[0]), euid: id(a[1]), suid: id(a[1]) }, false),
    [`setregid${suffix}`]: (p, a) => change(p, { gid: id(a[0]), egid: id(a[1]), sgid: id(a[1]) }, true),
    [`setresuid${suffix}`]: (p, a) => change(p, { uid: id(a[0]), euid: id(a[1]), suid: id(a[2]) }, false),
    [`setresgid${suffix}`]: (p, a) => change(p, { gid: id(a[0]), egid: id(a[1]), sgid: id(a[2]) }, true),
    [`getresuid${suffix}`]: three(['uid', 'euid', 'suid']),
    [`getresgid${suffix}`]: three(['gid', 'egid', 'sgid']),
    [`setfsuid${suffix}`]: (p) => p.credentials.euid,
    [`setfsgid${suffix}`]: (p) => p.credentials.egid,
    [`getgroups${suffix}`]: (p, a) => {
      const { groups } = p.credentials;
      if ((a[0] | 0) < 0 || (a[0] !== 0 && a[0] < groups.length)) return -Errno.EINVAL;
      if (a[0] !== 0)
        groups.forEach((group, index) => {
          put(p, a[1] + index * size, group);
        });
      return groups.length;
    },
    [`setgroups${suffix}`]: (p, a) => {
      if (p.credentials.euid !== 0) return -Errno.EPERM;
      if (a[0] > 65536) return -Errno.EINVAL;
      p.credentials.groups = Array.from({ length: a[0] }, (_, i) => (size === 2 ? p.memory.u16(a[1] + i * 2) : p.memory.u32(a[1] + i * 4)));
      return 0;
    },
  };
}

/** Ids of 32 bits under the plain names (MIPS). */
export const wordCredentialCalls = credentialCalls('', same, 4);
/** i386: the plain names have ids of 16 bits, those ending in 32 have words. */
export const dividedCredentialCalls: Calls = { ...credentialCalls('', wide16, 2), ...credentialCalls('32', same, 4) };

const LIMITS: readonly LimitName[] = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
];
/** arch/mips/include/uapi/asm/resource.h */
const MIPS_LIMITS: Readonly<Record<number, LimitName>> = { 5: 'nofile', 6: 'as', 7: 'rss', 8: 'nproc', 9: 'memlock' };

function limitOf(p: Process, resource: number): Limit | undefined {
  const name = (p.abi.name === 'i386' ? undefined : MIPS_LIMITS[resource]) ?? LIMITS[resource];
  return name && p.limits[name];
}

/** RLIM_INFINITY of 32 bits: MIPS's is half of i386's. */
const infinity32 = (p: Process): number => (p.abi.name === 'i386' ? 0xffff_ffff : 0x7fff_ffff);

function getrlimit(p: Process, resource: number, address: number, infinity: number): number {
  const limit = limitOf(p, resource);
  if (!limit) return -Errno.EINVAL;
  p.memory.setU32(address, Math.min(limit.soft, infinity));
  p.memory.setU32(address + 4, Math.min(limit.hard, infinity));
  return 0;
}

function setLimit(p: Process, limit: Limit, soft: number, hard: number): number {
  if (soft > hard) return -Errno.EINVAL;
  if (hard > limit.hard && p.credentials.euid !== 0) return -Errno.EPERM;
  limit.soft = soft;
  limit.hard = hard;
  return 0;
}

const INFINITY64 = 0xffff_ffff_ffff_ffffn;
const from64 = (value: bigint): number => (value === INFINITY64 ? Infinity : Number(value));
const to64 = (value: number): bigint => (value === Infinity ? INFINITY64 : BigInt(value));

function prlimit64(p: Process, pid: number, resource: number, next: number, old: number): number {
  const target = pid === 0 ? p : processOf(p, pid)?.leader;
  if (!target) return -Errno.ESRCH;
  const limit = limitOf(target, resource);
  if (!limit) return -Errno.EINVAL;
  const { soft, hard } = limit;
  if (next !== 0) {
    const error = setLimit(p, limit, from64(p.memory.u64(next)), from64(p.memory.u64(next + 8)));
    if (error) return error;
  }
  if (old !== 0) {
    p.memory.setU64(old, to64(soft));
    p.memory.setU64(old + 8, to64(hard));
  }
  return 0;
}

const PR = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  SET_SECCOMP: 22,
} as const;
const PR_CAPBSET_READ = 23;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;

export function prctl(p: Process, option: number, argument: number, address: number): number {
  switch (option) {
    case PR.SET_NAME:
      p.name = decodeName(p.memory.cString(argument, 15).slice());
      return 0;
    case PR.GET_NAME: {
      const bytes = new Uint8Array(16);
      bytes.set(encodeName(p.name).subarray(0, 15));
      p.memory.write(argument, bytes);
      return 0;
    }
    case PR.SET_PDEATHSIG:
    case PR.SET_DUMPABLE:
      return 0;
    case PR_SET_NO_NEW_PRIVS:
      if (argument !== 1) return -Errno.EINVAL;
      p.group.noNewPrivileges = true;
      return 0;
    case PR.GET_PDEATHSIG:
      p.memory.setU32(argument, 0);
      return 0;
    case PR.GET_DUMPABLE:
      return 1;
    case PR.GET_SECCOMP:
      return seccompMode(p);
    case PR.SET_SECCOMP:
      return setSeccompMode(p, argument, address);
    case PR_GET_NO_NEW_PRIVS:
      return Number(p.group.noNewPrivileges);
    case PR_CAPBSET_READ:
      return argument <= 40 ? 1 : -Errno.EINVAL;
    default:
      return -Errno.EINVAL;
  }
}

/** The process with this number, 0 for the caller's own. */
const processOf = (p: Process, pid: number): ThreadGroup | undefined => (pid === 0 ? p.group : p.system.processes.get(pid));

function setpgid(p: Process, pid: number, pgid: number): number {
  if ((pgid | 0) < 0) return -Errno.EINVAL;
  const target = processOf(p, pid);
  if (!target || !(target === p.group || target.parent === p.group)) return -Errno.ESRCH;
  const { sid } = p.group;
  if (target.sid !== sid || target.sid === target.pid) return -Errno.EPERM;
  if (target !== p.group && target.executed) return -Errno.EACCES;
  const wanted = pgid === 0 ? target.pid : pgid;
  const inSession = (group: ThreadGroup): boolean => group.pgid === wanted && group.sid === sid;
  if (wanted !== target.pid && ![...p.system.processes.values()].some(inSession)) return -Errno.EPERM;
  target.pgid = wanted;
  return 0;
}

/** Scheduling is asked of threads, and of processes by their first thread. */
const isThread = (p: Process, id: number): boolean => id === 0 || id === INIT || p.group.threads.has(id) || p.system.processes.has(id);
const only =
  (result: number): Syscall =>
  (p, a) =>
    isThread(p, a[0]) ? result : -Errno.ESRCH;

/** The processes that getpriority(2) means: PRIO_PROCESS, PRIO_PGRP, PRIO_USER. */
function prioritized(p: Process, which: number, who: number): ThreadGroup[] {
  const all = [...p.system.processes.values()].filter(({ end }) => !end);
  if (which === 0) return who === 0 || p.group.threads.has(who) ? [p.group] : all.filter(({ pid }) => pid === who);
  if (which === 1) return all.filter(({ pgid }) => pgid === (who || p.group.pgid));
  if (which === 2) return all.filter(({ leader }) => leader.credentials.uid === (who || p.credentials.uid));
  return fail('EINVAL');
}

function setNice(p: Process, group: ThreadGroup, wanted: number): number {
  const nice = Math.max(-20, Math.min(19, wanted));
  if (nice < group.nice && p.credentials.euid !== 0) return -Errno.EACCES;
  group.nice = nice;
  return 0;
}

/** How long a thread runs before another has its turn, whatever its policy. */
const TURN = 10_000_000n;

function roundRobin(p: Process, a: readonly number[], write: WriteTime): number {
  if ((a[0] | 0) < 0) return -Errno.EINVAL;
  if (!isThread(p, a[0])) return -Errno.ESRCH;
  write(p, a[1], TURN);
  return 0;
}

/** Bytes of the first struct sched_attr. */
const SCHED_ATTR = 48;
/** What a mask of the one processor takes. */
const CPU_MASK = 4;

export const processCalls: Calls = {
  getpid: (p) => p.pid,
  getppid: (p) => p.group.parent?.pid ?? INIT,
  getpgrp: (p) => p.group.pgid,
  getpgid: (p, a) => processOf(p, a[0])?.pgid ?? -Errno.ESRCH,
  setpgid: (p, a) => setpgid(p, a[0], a[1]),
  getsid: (p, a) => processOf(p, a[0])?.sid ?? -Errno.ESRCH,
  setsid: (p) => {
    if ([...p.system.processes.values()].some(({ pgid }) => pgid === p.pid)) return -Errno.EPERM;
    p.group.pgid = p.pid;
    p.group.sid = p.pid;
    return p.pid;
  },
  getrlimit: (p, a) => getrlimit(p, a[0], a[1], infinity32(p)),
  ugetrlimit: (p, a) => getrlimit(p, a[0], a[1], infinity32(p)),
  setrlimit: partial((p, a) => {
    const limit = limitOf(p, a[0]);
    if (!limit) return -Errno.EINVAL;
    const value = (address: number): number => {
      const word = p.memory.u32(address);
      return word >= infinity32(p) ? Infinity : word;
    };
    return setLimit(p, limit, value(a[1]), value(a[1] + 4));
  }, 'only RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_NPROC (downwards) and, in execve, RLIMIT_STACK (downwards) have an effect'),
  prlimit64: partial(
    (p, a) => prlimit64(p, a[0], a[1], a[2], a[3]),
    'only RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_NPROC (downwards) and, in execve, RLIMIT_STACK (downwards) have an effect',
  ),
  getpriority: (p, a) => {
    const groups = prioritized(p, a[0], a[1]);
    return groups.length > 0 ? 20 - Math.min(...groups.map(({ nice }) => nice)) : -Errno.ESRCH;
  },
  setpriority: (p, a) => {
    const groups = prioritized(p, a[0], a[1]);
    if (groups.length === 0) return -Errno.ESRCH;
    return Math.min(0, ...groups.map((group) => setNice(p, group, a[2] | 0)));
  },
  nice: (p, a) => (setNice(p, p.group, p.group.nice + (a[0] | 0)) < 0 ? -Errno.EPERM : 0),
  sched_getscheduler: only(0),
  sched_setscheduler: only(0),
  sched_setparam: only(0),
  sched_getparam: (p, a) => {
    p.memory.setU32(a[1], 0);
    return isThread(p, a[0]) ? 0 : -Errno.ESRCH;
  },
  sched_get_priority_max: (_p, a) => (a[0] === 1 || a[0] === 2 ? 99 : a[0] <= 6 ? 0 : -Errno.EINVAL),
  sched_get_priority_min: (_p, a) => (a[0] === 1 || a[0] === 2 ? 1 : a[0] <= 6 ? 0 : -Errno.EINVAL),
  sched_rr_get_interval: (p, a) => roundRobin(p, a, writeTimespec),
  sched_rr_get_interval_time64: (p, a) => roundRobin(p, a, writeTimespec64),
  sched_getattr: (p, a) => {
    if (a[2] < SCHED_ATTR || a[3] !== 0) return -Errno.EINVAL;
    if (!isThread(p, a[0])) return -Errno.ESRCH;
    p.memory.view(a[1], SCHED_ATTR, 'write').fill(0);
    p.memory.setU32(a[1], SCHED_ATTR);
    p.memory.setU32(a[1] + 16, processOf(p, a[0])?.nice ?? p.group.nice);
    return 0;
  },
  sched_setattr: only(0),
  sched_getaffinity: (p, a) => {
    if (!isThread(p, a[0])) return -Errno.ESRCH;
    if (a[1] < CPU_MASK || a[1] % 4) return -Errno.EINVAL;
    p.memory.setU32(a[2], 1);
    return CPU_MASK;
  },
  sched_setaffinity: (p, a) => {
    if (!isThread(p, a[0])) return -Errno.ESRCH;
    return a[1] > 0 && p.memory.u8(a[2] + (p.abi.isa.endian === 'little' ? 0 : Math.min(3, a[1] - 1))) & 1 ? 0 : -Errno.EINVAL;
  },
  getcpu: (p, a) => {
    if (a[0] !== 0) p.memory.setU32(a[0], 0);
    if (a[1] !== 0) p.memory.setU32(a[1], 0);
    return 0;
  },
  prctl: partial((p, a) => prctl(p, a[0], a[1], a[2]), 'name, dumpable, parent-death signal, no_new_privs, seccomp'),
  personality: (p, a) => {
    const before = p.group.personality;
    if (a[0] !== 0xffff_ffff) p.group.personality = a[0];
    return before;
  },
  /** All capabilities as root, else none. */
  capget: (p, a) => {
    const version = p.memory.u32(a[0]);
    const words = version === 0x19980330 ? 1 : version === 0x20071026 || version === 0x20080522 ? 2 : 0;
    if (words === 0) {
      p.memory.setU32(a[0], 0x20080522);
      return a[1] === 0 ? 0 : -Errno.EINVAL;
    }
    if (a[1] === 0) return 0;
    const all = p.credentials.euid === 0;
    for (let word = 0; word < words; word++) {
      const set = all ? (word === 0 ? 0xffff_ffff : 0x1ff) : 0;
      for (const [index, value] of [set, set, 0].entries()) p.memory.setU32(a[1] + word * 12 + index * 4, value);
    }
    return 0;
  },
  capset: (p) => (p.credentials.euid === 0 ? 0 : -Errno.EPERM),
  membarrier: (_p, a) => (a[0] === 0 ? 0 : -Errno.EINVAL),
};
