import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process, ThreadGroup } from '../process.ts';
import type { Calls, SyscallResult } from '../syscall.ts';
import type { System } from '../system.ts';
import { waitFor } from './arguments.ts';
import {
  demandOwner,
  demandUse,
  highest,
  IPC_64,
  IPC_NOWAIT,
  IpcCommand,
  keyed,
  leave,
  make,
  type Owned,
  seconds,
  setOwner,
  Use,
  writeOwner,
  writeWords,
} from './sysv.ts';
import { readTimespec, readTimespec64 } from './time.ts';

/** semctl(2) */
const enum Command {
  GetPid = 11,
  GetValue = 12,
  GetAll = 13,
  /** How many wait until it is more, and until it is 0. */
  GetMore = 14,
  GetZero = 15,
  SetValue = 16,
  SetAll = 17,
  Status = 18,
  Info = 19,
  StatusAny = 20,
}
const SEM_UNDO = 0x1000;
/** SEMVMX, SEMMSL, SEMOPM and SEMMNI */
const HIGHEST = 32767;
const MOST_SEMAPHORES = 32000;
const MOST_OPERATIONS = 500;
const MOST_SETS = 32000;
/** SEMMNS: of all sets; and of those that processes take back what they did to. */
const MOST_TOGETHER = 1_024_000;
const MOST_UNDONE = 4 * MOST_TOGETHER;

/** A set of semaphores (System V). */
export interface SemaphoreSet extends Owned {
  readonly values: Int32Array;
  /** Who changed each of them last. */
  readonly pids: Int32Array;
  operatedAt: number;
  readonly changed: WaitQueue;
  /** What the end of a process takes back. */
  readonly undo: Map<ThreadGroup, Int32Array>;
  /** For what somebody waits. */
  readonly waits: Set<{ readonly semaphore: number; readonly isZero: boolean }>;
}

interface Operation {
  readonly semaphore: number;
  readonly change: number;
  readonly flags: number;
}

const setOf = (p: Process, id: number): SemaphoreSet => p.system.semaphores.byId.get(id) ?? fail('EINVAL');

function semget(p: Process, key: number, count: number, flags: number): number {
  const { semaphores } = p.system;
  const found = keyed(p, semaphores, key, flags, ({ values }) => {
    if (count > values.length) fail('EINVAL');
  });
  if (found) return found.id;
  if (count === 0 || count > MOST_SEMAPHORES) return -Errno.EINVAL;
  const all = semaphores.totals;
  if (semaphores.byId.size >= MOST_SETS || all.values + count > MOST_TOGETHER) return -Errno.ENOSPC;
  all.values += count;
  return make(p, semaphores, key, flags, {
    values: new Int32Array(count),
    pids: new Int32Array(count),
    operatedAt: 0,
    changed: new WaitQueue(),
    undo: new Map(),
    waits: new Set(),
  });
}

/** All of them or none; what has to be waited for, if something. */
function operate(p: Process, set: SemaphoreSet, operations: readonly Operation[]): Operation | undefined {
  const next = set.values.slice();
  for (const operation of operations) {
    const { semaphore, change, flags } = operation;
    const value = next[semaphore] + change;
    if (change === 0 ? value !== 0 : value < 0) {
      if (flags & IPC_NOWAIT) fail('EAGAIN');
      return operation;
    }
    if (value > HIGHEST) fail('ERANGE');
    next[semaphore] = value;
  }
  const all = p.system.semaphores.totals;
  let undo = set.undo.get(p.group);
  if (!undo && operations.some(({ flags }) => flags & SEM_UNDO)) {
    if (all.undo + next.length > MOST_UNDONE) fail('ENOMEM');
    all.undo += next.length;
    undo = new Int32Array(next.length);
    set.undo.set(p.group, undo);
  }
  set.values.set(next);
  set.operatedAt = seconds(p);
  for (const { semaphore, change, flags } of operations) {
    set.pids[semaphore] = p.pid;
    if (undo && flags & SEM_UNDO) undo[semaphore] -= change;
  }
  set.changed.wake();
  return undefined;
}

function semop(p: Process, id: number, at: number, count: number, milliseconds?: number): SyscallResult {
  if (count === 0) return -Errno.EINVAL;
  if (count > MOST_OPERATIONS) return -Errno.E2BIG;
  const signed = (word: number): number => (word << 16) >> 16;
  const operations = Array.from({ length: count }, (_, n): Operation => {
    const [semaphore, change, flags] = [0, 2, 4].map((offset) => p.memory.u16(at + n * 6 + offset));
    return { semaphore, change: signed(change), flags };
  });
  const set = setOf(p, id);
  demandUse(p, set, operations.some(({ change }) => change !== 0) ? Use.Write : Use.Read);
  if (operations.some(({ semaphore }) => semaphore >= set.values.length)) return -Errno.EFBIG;
  let wait: { readonly semaphore: number; readonly isZero: boolean } | undefined;
  const attempt = (last: boolean): number => {
    if (wait) set.waits.delete(wait);
    if (p.system.semaphores.byId.get(id) !== set) return -Errno.EIDRM;
    const blocking = operate(p, set, operations);
    if (!blocking) return 0;
    if (last) return -Errno.EAGAIN;
    wait = { semaphore: blocking.semaphore, isZero: blocking.change === 0 };
    set.waits.add(wait);
    return WOULD_BLOCK;
  };
  const interrupted = (): number => {
    if (wait) set.waits.delete(wait);
    return -Errno.EINTR;
  };
  return waitFor(p, [{ subscribe: set.changed.subscribe }], attempt, { milliseconds, interrupted });
}

/** What a process that ends has done with SEM_UNDO. */
export function undoSemaphores(system: System, group: ThreadGroup): void {
  for (const set of system.semaphores.byId.values()) {
    const undo = set.undo.get(group);
    if (!undo) continue;
    set.undo.delete(group);
    system.semaphores.totals.undo -= undo.length;
    undo.forEach((change, semaphore) => {
      set.values[semaphore] = Math.min(HIGHEST, Math.max(0, set.values[semaphore] + change));
      if (change !== 0) set.pids[semaphore] = group.pid;
    });
    set.changed.wake();
  }
}

function setValue(p: Process, set: SemaphoreSet, semaphore: number, value: number): void {
  set.values[semaphore] = value;
  set.pids[semaphore] = p.pid;
  set.changedAt = seconds(p);
  for (const undo of set.undo.values()) undo[semaphore] = 0;
}

/** struct seminfo: map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem */
function writeInfo(p: Process, address: number, inUse: boolean): number {
  const { semaphores } = p.system;
  const all = semaphores.totals.values;
  const most = MOST_SETS * MOST_SEMAPHORES;
  const [usz, aem] = inUse ? [semaphores.byId.size, all] : [20, HIGHEST];
  writeWords(p, address, [most, MOST_SETS, most, most, MOST_SEMAPHORES, MOST_OPERATIONS, MOST_OPERATIONS, usz, HIGHEST, aem]);
  return highest(semaphores);
}

function semctl(p: Process, id: number, semaphore: number, command: number, argument: number): number {
  const asked = command & ~IPC_64;
  if (asked === IpcCommand.Info || asked === Command.Info) return writeInfo(p, argument, asked === Command.Info);
  const set = setOf(p, id);
  const { values } = set;
  const waiting = (zero: boolean): number => [...set.waits].filter((wait) => wait.semaphore === semaphore && wait.isZero === zero).length;
  const kind = asked;
  const isOfOne = kind >= Command.GetPid && kind !== Command.GetAll && kind !== Command.SetAll;
  if (isOfOne && semaphore >= values.length) return -Errno.EINVAL;
  const reads = kind >= Command.GetPid && kind < Command.SetValue;
  if (reads) demandUse(p, set, Use.Read);
  if (kind === Command.SetValue || kind === Command.SetAll) demandUse(p, set, Use.Write);
  switch (kind) {
    case IpcCommand.Remove:
      demandOwner(p, set);
      leave(p.system.semaphores, set);
      p.system.semaphores.totals.values -= values.length;
      p.system.semaphores.totals.undo -= set.undo.size * values.length;
      set.changed.wake();
      return 0;
    case IpcCommand.Set:
      return setOwner(p, set, argument);
    case IpcCommand.Status:
    case Command.Status:
    case Command.StatusAny: {
      if (kind !== Command.StatusAny) demandUse(p, set, Use.Read);
      const [operated, changed] = p.abi.semaphores.times;
      p.memory.view(argument, p.abi.semaphores.bytes, 'write').fill(0);
      writeOwner(p, set, argument);
      p.memory.setU32(argument + p.abi.semaphores.countAt, values.length);
      p.memory.setU32(argument + operated, set.operatedAt);
      p.memory.setU32(argument + changed, set.changedAt);
      return kind === IpcCommand.Status ? 0 : id;
    }
    case Command.GetPid:
      return set.pids[semaphore];
    case Command.GetValue:
      return values[semaphore];
    case Command.GetMore:
      return waiting(false);
    case Command.GetZero:
      return waiting(true);
    case Command.GetAll:
      values.forEach((value, n) => {
        p.memory.setU16(argument + n * 2, value);
      });
      return 0;
    case Command.SetValue:
      if (argument > HIGHEST) return -Errno.ERANGE;
      setValue(p, set, semaphore, argument);
      set.changed.wake();
      return 0;
    case Command.SetAll: {
      const next = Array.from(values, (_, n) => p.memory.u16(argument + n * 2));
      if (next.some((value) => value > HIGHEST)) return -Errno.ERANGE;
      next.forEach((value, n) => {
        setValue(p, set, n, value);
      });
      set.changed.wake();
      return 0;
    }
    default:
      return -Errno.EINVAL;
  }
}

export const semaphoreCalls = {
  semget: (p, a) => semget(p, a[0], a[1], a[2]),
  semop: (p, a) => semop(p, a[0], a[1], a[2]),
  semtimedop: (p, a) => semop(p, a[0], a[1], a[2], a[3] === 0 ? undefined : readTimespec(p, a[3])),
  semtimedop_time64: (p, a) => semop(p, a[0], a[1], a[2], a[3] === 0 ? undefined : readTimespec64(p, a[3])),
  semctl: (p, a) => semctl(p, a[0], a[1], a[2], a[3]),
} satisfies Calls;
