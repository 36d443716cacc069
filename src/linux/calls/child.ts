import { Errno } from '../errno.ts';
import { execute, findExecutable } from '../exec.ts';
import { fail } from '../fs/fail.ts';
import { decodeName } from '../fs/names.ts';
import { isSymlink, WOULD_BLOCK } from '../fs/vfs.ts';
import type { Process, ProcessEnd, ThreadGroup } from '../process.ts';
import { detach, stopStatus } from '../ptrace.ts';
import { Cld } from '../signals.ts';
import { type Calls, KEEP_REGISTERS, partial, type SyscallResult } from '../syscall.ts';
import { childInfo } from '../system.ts';
import { At, pathArgument, startAt, waitFor } from './arguments.ts';
import { processOf } from './pidfd.ts';
import { writeUsage } from './time.ts';

/** wait4(2), waitid(2) */
const enum Wait {
  NoHang = 1,
  /** WSTOPPED of waitid. */
  Untraced = 2,
  Exited = 4,
  Continued = 8,
  NoWait = 0x1000000,
  /** __WNOTHREAD, __WALL, __WCLONE */
  Kinds = 0xe0000000,
}

/** What a wait for a child, or a traced thread, found. */
interface Found {
  readonly pid: number;
  /** As wait(2) gives it. No core is ever dumped. */
  readonly status: number;
  readonly info: ReturnType<typeof childInfo>;
  /** Nanoseconds of the processor. */
  readonly time: bigint;
}

/** Which children and traced threads a wait is for. */
type Which = (pid: number, group: ThreadGroup) => boolean;

const endStatus = (end: ProcessEnd): number => ('code' in end ? end.code << 8 : end.signal);

/** A traced thread that has stopped, or has ended and is no child; those tell only their tracer (ptrace(2)). */
function findTraced(p: Process, which: Which, options: number): Found | undefined {
  const { tracees } = p.group;
  for (const thread of tracees) {
    const { tid, group, tracing, credentials, exited } = thread;
    if (!which(tid, group)) continue;
    const found = { pid: tid, time: group.processorTime + group.childrenTime };
    const stop = tracing?.stop;
    if (stop && !stop.reported && !group.end) {
      if (!(options & Wait.NoWait)) stop.reported = true;
      return { ...found, status: stopStatus(stop), info: { code: Cld.Trapped, pid: tid, uid: credentials.uid, value: stop.signal } };
    }
    const isLeader = tid === group.pid;
    const end = group.end ?? (exited === undefined || isLeader ? undefined : { code: exited });
    if (!end || !(options & Wait.Exited) || (group.end && !p.system.isBuried(group))) continue;
    // a child's own end is told as such, a leader's after that of its threads
    if (isLeader && (group.parent === p.group || [...tracees].some((other) => other !== thread && other.group === group))) continue;
    if (!(options & Wait.NoWait)) {
      detach(thread);
      if (isLeader) p.system.tellOfEnd(group);
    }
    return { ...found, status: endStatus(end), info: { ...childInfo(group), pid: tid } };
  }
  return undefined;
}

function find(p: Process, which: Which, options: number): Found | undefined {
  const children = [...p.group.children].filter((child) => which(child.pid, child));
  if (children.length === 0 && ![...p.group.tracees].some(({ tid, group }) => which(tid, group))) fail('ECHILD');
  const traced = findTraced(p, which, options);
  if (traced) return traced;
  for (const child of children) {
    const { end, change, pid } = child;
    const tracer = child.leader.tracing?.tracer;
    // another one that traces it is told first
    if (tracer && (tracer !== p.group || !end)) continue;
    // then its threads
    if (tracer && [...p.group.tracees].some((thread) => thread !== child.leader && thread.group === child)) continue;
    const wanted = end
      ? options & Wait.Exited && p.system.processes.get(child.pid) === child && p.system.isBuried(child)
      : change !== undefined && options & (child.stopped ? Wait.Untraced : Wait.Continued);
    if (!wanted) continue;
    const info = childInfo(child);
    const status = end ? endStatus(end) : child.stopped ? (info.value << 8) | 0x7f : 0xffff;
    const found = { pid, status, info, time: child.processorTime + child.childrenTime };
    if (options & Wait.NoWait) return found;
    if (end) {
      p.group.childrenTime += found.time;
      detach(child.leader);
      p.system.forget(child);
    } else child.change = undefined;
    return found;
  }
  return undefined;
}

/** `result` tells the guest of what was found, undefined if that is nothing. */
function waitForChild(p: Process, which: Which, options: number, result: (found: Found | undefined) => number): SyscallResult {
  return waitFor(p, [{ subscribe: p.group.childEvents.subscribe }], () => {
    const found = find(p, which, options);
    return found || options & Wait.NoHang ? result(found) : WOULD_BLOCK;
  });
}

function wait4(p: Process, id: number, status: number, options: number, usage: number): SyscallResult {
  const pid = id | 0;
  if (options & ~(Wait.NoHang | Wait.Untraced | Wait.Continued | Wait.Kinds)) return -Errno.EINVAL;
  // its negation is no number
  if (pid === -0x8000_0000) return -Errno.ESRCH;
  const own = p.group.pgid;
  const which: Which = (tid, { pgid }) => (pid > 0 ? tid === pid : pid === -1 || pgid === (pid === 0 ? own : -pid));
  return waitForChild(p, which, options | Wait.Exited, (found) => {
    if (!found) return 0;
    if (status !== 0) p.memory.setU32(status, found.status);
    if (usage !== 0) writeUsage(p, usage, found.time);
    return found.pid;
  });
}

const enum IdType {
  All = 0,
  Pid = 1,
  Pgid = 2,
  PidFd = 3,
}

function waitid(p: Process, type: number, id: number, info: number, options: number, usage: number): SyscallResult {
  if (options & ~(Wait.NoHang | Wait.Untraced | Wait.Exited | Wait.Continued | Wait.NoWait | Wait.Kinds)) return -Errno.EINVAL;
  if (!(options & (Wait.Untraced | Wait.Exited | Wait.Continued)) || type > IdType.PidFd) return -Errno.EINVAL;
  if (type === IdType.Pid && (id | 0) <= 0) return -Errno.EINVAL;
  const wanted = type === IdType.PidFd ? processOf(p, id).pid : id;
  const isPolled = type === IdType.PidFd && p.files.get(id).nonblock && !(options & Wait.NoHang);
  const group = id === 0 ? p.group.pgid : id;
  const which: Which = (tid, { pgid }) => type === IdType.All || (type === IdType.Pgid ? pgid === group : tid === wanted);
  return waitForChild(p, which, isPolled ? options | Wait.NoHang : options, (found) => {
    if (!found && isPolled) return -Errno.EAGAIN;
    if (found && usage !== 0) writeUsage(p, usage, found.time);
    if (info === 0) return 0;
    if (found) p.abi.writeSignalInfo(p, info, p.signals.number('SIGCHLD'), found.info);
    // si_signo and si_pid tell that there was nothing
    else for (const offset of [0, 4, 8, 12, 16, 20]) p.memory.setU32(info + offset, 0);
    return 0;
  });
}

/** MAX_ARG_STRLEN, MAX_ARG_STRINGS as far as an address space goes. */
const MAX_STRING = 1 << 17;

function strings(p: Process, address: number): string[] {
  const out: string[] = [];
  if (address === 0) return out;
  let total = 0;
  for (let at = address; ; at += 4) {
    const text = p.memory.u32(at);
    if (text === 0) return out;
    const bytes = p.memory.cString(text, MAX_STRING);
    total += bytes.length + 5;
    if (bytes.length >= MAX_STRING || total > p.limits.stack.soft / 4) fail('E2BIG');
    out.push(decodeName(bytes.slice()));
  }
}

async function execve(p: Process, fd: number, path: number, argv: number, env: number, flags: number): Promise<number> {
  if (flags & ~(At.EMPTY_PATH | At.SYMLINK_NOFOLLOW)) return -Errno.EINVAL;
  const name = pathArgument(p, path);
  const own = name === '' && flags & At.EMPTY_PATH ? p.files.get(fd) : undefined;
  const found = own
    ? { inode: own.file?.inode ?? own.inode, name: `/dev/fd/${fd}`, path: own.path }
    : findExecutable(p, startAt(p, fd, name), name, !(flags & At.SYMLINK_NOFOLLOW));
  if (isSymlink(found.inode)) return -Errno.ELOOP;
  const args = strings(p, argv);
  await execute(p, found, args.length === 0 ? [''] : args, strings(p, env));
  return KEEP_REGISTERS;
}

/** Other programs, and processes that have ended. fork and its like are with clone. */
export const childCalls: Calls = {
  execve: partial((p, a) => execve(p, At.FDCWD, a[0], a[1], a[2], 0), 'programs of the same ABI only'),
  execveat: partial((p, a) => execve(p, a[0], a[1], a[2], a[3], a[4]), 'as execve'),
  waitpid: (p, a) => wait4(p, a[0], a[1], a[2], 0),
  wait4: partial((p, a) => wait4(p, a[0], a[1], a[2], a[3]), 'of struct rusage, user time only'),
  waitid: partial((p, a) => waitid(p, a[0], a[1], a[2], a[3], a[4]), 'as wait4'),
};
