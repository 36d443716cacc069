import { Cap, capable, fileUserChanged, userChanged } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Limit, LimitName } from '../limits.ts';
import type { Process, ThreadGroup } from '../process.ts';
import { type Calls, partial, type Syscall } from '../syscall.ts';
import { INIT } from '../system.ts';

type CredentialName = 'uid' | 'euid' | 'suid' | 'gid' | 'egid' | 'sgid';

const UNCHANGED = 0xffff_ffff;

/** Sets ids that are not −1, each if it is one of `allowed` already, or with the capability; the id for files follows the effective one. */
function change(
  p: Process,
  wanted: Partial<Record<CredentialName, number>>,
  allowed: Partial<Record<CredentialName, readonly number[]>>,
): number {
  const { credentials } = p;
  const before = { ...credentials };
  const entries = Object.entries(wanted).filter(([, id]) => id !== UNCHANGED) as [CredentialName, number][];
  for (const [name, id] of entries) {
    const capability = name.endsWith('uid') ? Cap.Setuid : Cap.Setgid;
    if (!allowed[name]?.includes(id) && !capable(p, capability)) return -Errno.EPERM;
  }
  for (const [name, id] of entries) credentials[name] = id;
  if ('egid' in wanted) credentials.fsgid = credentials.egid;
  if ('euid' in wanted) {
    credentials.fsuid = credentials.euid;
    userChanged(credentials, before);
  }
  return 0;
}
const wide16 = (id: number): number => ((id & 0xffff) === 0xffff ? UNCHANGED : id & 0xffff);
const same = (id: number): number => id;

function setuid(p: Process, id: number): number {
  const { uid, suid } = p.credentials;
  if (id === UNCHANGED) return -Errno.EINVAL;
  return change(p, capable(p, Cap.Setuid) ? { uid: id, euid: id, suid: id } : { euid: id }, { euid: [uid, suid] });
}
function setgid(p: Process, id: number): number {
  const { gid, sgid } = p.credentials;
  if (id === UNCHANGED) return -Errno.EINVAL;
  return change(p, capable(p, Cap.Setgid) ? { gid: id, egid: id, sgid: id } : { egid: id }, { egid: [gid, sgid] });
}

/** The saved id becomes the effective one if the real one is set, or the effective one to something else than that. */
function setreuid(p: Process, real: number, effective: number): number {
  const { uid, euid, suid } = p.credentials;
  const saved = effective === UNCHANGED ? euid : effective;
  const saves = real !== UNCHANGED || (effective !== UNCHANGED && effective !== uid);
  const wanted = { uid: real, euid: effective, suid: saves ? saved : UNCHANGED };
  return change(p, wanted, { uid: [uid, euid], euid: [uid, euid, suid], suid: [saved] });
}
function setregid(p: Process, real: number, effective: number): number {
  const { gid, egid, sgid } = p.credentials;
  const error = change(p, { gid: real, egid: effective }, { gid: [gid, egid], egid: [gid, egid, sgid] });
  if (error === 0 && (real !== UNCHANGED || (effective !== UNCHANGED && effective !== gid))) p.credentials.sgid = p.credentials.egid;
  return error;
}
function setresuid(p: Process, uid: number, euid: number, suid: number): number {
  const { credentials: own } = p;
  const any = [own.uid, own.euid, own.suid];
  return change(p, { uid, euid, suid }, { uid: any, euid: any, suid: any });
}
function setresgid(p: Process, gid: number, egid: number, sgid: number): number {
  const { credentials: own } = p;
  const any = [own.gid, own.egid, own.sgid];
  return change(p, { gid, egid, sgid }, { gid: any, egid: any, sgid: any });
}

/** Gives the id before, whether or not it has changed. */
function setfsuid(p: Process, id: number): number {
  const { credentials } = p;
  const before = credentials.fsuid;
  if (![credentials.uid, credentials.euid, credentials.suid, before].includes(id) && !capable(p, Cap.Setuid)) return before;
  if (id === UNCHANGED) return before;
  credentials.fsuid = id;
  fileUserChanged(credentials, before);
  return before;
}
function setfsgid(p: Process, id: number): number {
  const { credentials } = p;
  const before = credentials.fsgid;
  const may = [credentials.gid, credentials.egid, credentials.sgid, before].includes(id) || capable(p, Cap.Setgid);
  if (may && id !== UNCHANGED) credentials.fsgid = id;
  return before;
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
    [`setreuid${suffix}`]: (p, a) => setreuid(p, id(a[0]), id(a[1])),
    [`setregid${suffix}`]: (p, a) => setregid(p, id(a[0]), id(a[1])),
    [`setresuid${suffix}`]: (p, a) => setresuid(p, id(a[0]), id(a[1]), id(a[2])),
    [`setresgid${suffix}`]: (p, a) => setresgid(p, id(a[0]), id(a[1]), id(a[2])),
    [`getresuid${suffix}`]: three(['uid', 'euid', 'suid']),
    [`getresgid${suffix}`]: three(['gid', 'egid', 'sgid']),
    [`setfsuid${suffix}`]: (p, a) => setfsuid(p, id(a[0])),
    [`setfsgid${suffix}`]: (p, a) => setfsgid(p, id(a[0])),
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
      if (!capable(p, Cap.Setgid)) return -Errno.EPERM;
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

/** /proc/sys/fs/nr_open */
const MOST_DESCRIPTORS = 1 << 20;

function setLimit(p: Process, of: Process, limit: Limit, soft: number, hard: number): number {
  if (soft > hard) return -Errno.EINVAL;
  if (limit === of.limits.nofile && hard > MOST_DESCRIPTORS) return -Errno.EPERM;
  if (hard > limit.hard && !capable(p, Cap.SysResource)) return -Errno.EPERM;
  limit.soft = soft;
  limit.hard = hard;
  return 0;
}

const INFINITY64 = 0xffff_ffff_ffff_ffffn;
const from64 = (value: bigint): number => (value === INFINITY64 ? Infinity : Number(value));
const to64 = (value: number): bigint => (value === Infinity ? INFINITY64 : BigInt(value));

/** Whether all ids of a process are the caller's real ones. */
function isSame({ credentials: { uid, gid } }: Process, { credentials: its }: Process): boolean {
  return [its.uid, its.euid, its.suid].every((id) => id === uid) && [its.gid, its.egid, its.sgid].every((id) => id === gid);
}

function prlimit64(p: Process, pid: number, resource: number, next: number, old: number): number {
  const target = pid === 0 ? p : processOf(p, pid)?.leader;
  if (!target) return -Errno.ESRCH;
  if (target.group !== p.group && !isSame(p, target) && !capable(p, Cap.SysResource)) return -Errno.EPERM;
  const limit = limitOf(target, resource);
  if (!limit) return -Errno.EINVAL;
  const { soft, hard } = limit;
  if (next !== 0) {
    const error = setLimit(p, target, limit, from64(p.memory.u64(next)), from64(p.memory.u64(next + 8)));
    if (error) return error;
  }
  if (old !== 0) {
    p.memory.setU64(old, to64(soft));
    p.memory.setU64(old + 8, to64(hard));
  }
  return 0;
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
/** The processes that getpriority(2) means: PRIO_PROCESS, PRIO_PGRP, PRIO_USER. */
export function prioritized(p: Process, which: number, who: number): ThreadGroup[] {
  const all = [...p.system.processes.values()].filter(({ end }) => !end);
  if (which === 0) return who === 0 || p.group.threads.has(who) ? [p.group] : all.filter(({ pid }) => pid === who);
  if (which === 1) return all.filter(({ pgid }) => pgid === (who || p.group.pgid));
  if (which === 2) return all.filter(({ leader }) => leader.credentials.uid === (who || p.credentials.uid));
  return fail('EINVAL');
}

function setNice(p: Process, group: ThreadGroup, wanted: number): number {
  const nice = Math.max(-20, Math.min(19, wanted));
  if (nice < group.nice && !capable(p, Cap.SysNice)) return -Errno.EACCES;
  group.nice = nice;
  return 0;
}

/** What a mask of the one processor takes. */
const CPU_MASK = 4;

/** membarrier(2) */
const enum Barrier {
  Global = 1,
  GlobalExpedited = 2,
  RegisterGlobalExpedited = 4,
  PrivateExpedited = 8,
  RegisterPrivateExpedited = 16,
  PrivateExpeditedSyncCore = 32,
  RegisterPrivateExpeditedSyncCore = 64,
  All = 127,
}

/** Threads take turns, so all of them see what others have done anyway. */
function membarrier({ group }: Process, command: number, flags: number): number {
  if (flags !== 0) return -Errno.EINVAL;
  switch (command) {
    case 0:
      return Barrier.All;
    case Barrier.Global:
    case Barrier.GlobalExpedited:
    case Barrier.RegisterGlobalExpedited:
      return 0;
    case Barrier.RegisterPrivateExpedited:
    case Barrier.RegisterPrivateExpeditedSyncCore:
      group.barriers |= command;
      return 0;
    case Barrier.PrivateExpedited:
    case Barrier.PrivateExpeditedSyncCore:
      return group.barriers & (command << 1) ? 0 : -Errno.EPERM;
    default:
      return -Errno.EINVAL;
  }
}

const LIMITS_NOTE =
  'only RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_NPROC (downwards) and, in execve, RLIMIT_STACK (downwards) have an effect';

export const processCalls: Calls = {
  getpid: (p) => p.pid,
  getppid: (p) => p.group.parent?.pid ?? INIT,
  getpgrp: (p) => p.group.pgid,
  getpgid: (p, a) => (a[0] === INIT ? INIT : (processOf(p, a[0])?.pgid ?? -Errno.ESRCH)),
  setpgid: (p, a) => setpgid(p, a[0], a[1]),
  getsid: (p, a) => (a[0] === INIT ? INIT : (processOf(p, a[0])?.sid ?? -Errno.ESRCH)),
  setsid: (p) => {
    if ([...p.system.processes.values()].some(({ pgid }) => pgid === p.pid)) return -Errno.EPERM;
    p.group.pgid = p.pid;
    p.group.sid = p.pid;
    return p.pid;
  },
  // i386 has it for programs that take numbers for signed ones
  getrlimit: (p, a) => getrlimit(p, a[0], a[1], 0x7fff_ffff),
  ugetrlimit: (p, a) => getrlimit(p, a[0], a[1], infinity32(p)),
  setrlimit: partial((p, a) => {
    const limit = limitOf(p, a[0]);
    if (!limit) return -Errno.EINVAL;
    const value = (address: number): number => {
      const word = p.memory.u32(address);
      return word >= infinity32(p) ? Infinity : word;
    };
    return setLimit(p, p, limit, value(a[1]), value(a[1] + 4));
  }, LIMITS_NOTE),
  prlimit64: partial((p, a) => prlimit64(p, a[0], a[1], a[2], a[3]), LIMITS_NOTE),
  getpriority: (p, a) => {
    const groups = prioritized(p, a[0], a[1]);
    return groups.length > 0 ? 20 - Math.min(...groups.map(({ nice }) => nice)) : -Errno.ESRCH;
  },
  setpriority: (p, a) => {
    if (a[0] === 0 && a[1] === INIT) return capable(p, Cap.SysNice) ? 0 : -Errno.EPERM;
    const groups = prioritized(p, a[0], a[1]);
    if (groups.length === 0) return -Errno.ESRCH;
    return Math.min(0, ...groups.map((group) => setNice(p, group, a[2] | 0)));
  },
  nice: (p, a) => (setNice(p, p.group, p.group.nice + (a[0] | 0)) < 0 ? -Errno.EPERM : 0),
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
  personality: (p, a) => {
    const before = p.group.personality;
    if (a[0] !== 0xffff_ffff) p.group.personality = a[0];
    return before;
  },
  membarrier: (p, a) => membarrier(p, a[0], a[1]),
};
