import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Futexes, Waiter } from '../futexes.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type SyscallResult } from '../syscall.ts';
import { ignoringFaults } from './arguments.ts';
import { readTimespec, readTimespec64 } from './time.ts';

const enum Futex {
  Wait = 0,
  Wake = 1,
  Requeue = 3,
  CmpRequeue = 4,
  WakeOp = 5,
  LockPi = 6,
  UnlockPi = 7,
  TrylockPi = 8,
  WaitBitset = 9,
  WakeBitset = 10,
  LockPi2 = 13,
  Command = 0x7f,
  ClockRealtime = 0x100,
}

/** A lock's word: its owner's number, and that somebody waits for it, or that its owner ended with it. */
const TID_MASK = 0x3fff_ffff;
const WAITERS = 0x8000_0000;
const OWNER_DIED = 0x4000_0000;
const ALL_BITS = 0xffff_ffff;

/** Where a word's waiters are noted, and at which number: memory that processes have in common has waiters of all. */
interface Place {
  readonly futexes: Futexes;
  readonly key: number;
}
const PRIVATE = 0x80;

function placeOf(p: Process, address: number, operation: number): Place {
  const own = { futexes: p.group.futexes, key: address };
  if (operation & PRIVATE) return own;
  const area = p.map.areas.at(address);
  const futexes = area?.shared ? area.backing?.file.futexes : undefined;
  return futexes ? { futexes, key: address - area!.start + area!.backing!.offset } : own;
}

interface Waiting {
  /** Milliseconds, if there is an end. */
  readonly left: number | undefined;
  readonly interrupted: number;
}

/** At one word or several, until somebody wakes one of the waiters, whose place in the list is given, the time is over or a signal comes. */
function wait(
  p: Process,
  waiters: readonly (Omit<Waiter, 'wake'> & { readonly futexes: Futexes })[],
  { left, interrupted }: Waiting,
): SyscallResult {
  if (left !== undefined && left <= 0) return -Errno.ETIMEDOUT;
  const signal = p.interrupt();
  if (signal.aborted) return interrupted;
  return new Promise((resolve) => {
    const timer = left === undefined ? undefined : new AbortController();
    const end = (result: number): void => {
      signal.removeEventListener('abort', interrupt);
      timer?.abort();
      for (const entry of entries) entry.futexes.remove(entry);
      resolve(result);
    };
    const interrupt = (): void => end(interrupted);
    const entries = waiters.map((waiter, index) => ({ ...waiter, wake: () => end(index) }));
    for (const entry of entries) entry.futexes.add(entry);
    signal.addEventListener('abort', interrupt);
    if (timer) void p.host.sleep(left!, timer.signal).then(() => timer.signal.aborted || end(-Errno.ETIMEDOUT));
  });
}

/** Milliseconds up to an absolute time. */
function until(p: Process, time: number, realtime: boolean): number {
  return time - Number(realtime ? p.host.now() : p.host.monotonic()) / 1e6;
}

function lock(p: Process, address: number, left: number | undefined, only: boolean): SyscallResult {
  const word = p.memory.u32(address);
  const owner = word & TID_MASK;
  if (owner === p.tid) return -Errno.EDEADLK;
  if (owner === 0) {
    p.memory.setU32(address, (p.tid | (word & OWNER_DIED)) >>> 0);
    return 0;
  }
  if (only) return -Errno.EAGAIN;
  if (!p.group.threads.has(owner)) return -Errno.ESRCH;
  p.memory.setU32(address, (word | WAITERS) >>> 0);
  const { futexes } = p.group;
  return wait(p, [{ futexes, address, bitset: ALL_BITS, owner: p.tid }], { left, interrupted: -Errno.ERESTARTNOINTR });
}

/** Gives a lock to the first that waits for it. */
function handOver(p: Process, address: number, flags: number): void {
  const { futexes } = p.group;
  const next = futexes.firstOwner(address);
  if (next) futexes.remove(next);
  const more = futexes.firstOwner(address) ? WAITERS : 0;
  p.memory.setU32(address, (next ? next.owner! | more | flags : flags) >>> 0);
  next?.wake();
}

function unlock(p: Process, address: number): number {
  if ((p.memory.u32(address) & TID_MASK) !== p.tid) return -Errno.EPERM;
  handOver(p, address, 0);
  return 0;
}

/** FUTEX_WAKE_OP (futex(2)): changes the second word, wakes at the first, and at the second if it was as `code` asks. */
function wakeOp(p: Process, first: Place, most: number, second: number, target: Place, most2: number, code: number): number {
  const argument = (code << 8) >> 20;
  const operand = (code >>> 28) & 8 ? 1 << (argument & 31) : argument;
  const comparand = (code << 20) >> 20;
  const old = p.memory.i32(second);
  const results = [operand, old + operand, old | operand, old & ~operand, old ^ operand];
  const conditions = [old === comparand, old !== comparand, old < comparand, old <= comparand, old > comparand, old >= comparand];
  const operation = (code >>> 28) & 7;
  const comparison = (code >>> 24) & 15;
  if (operation >= results.length || comparison >= conditions.length) return -Errno.ENOSYS;
  p.memory.setU32(second, results[operation] >>> 0);
  const woken = first.futexes.wake(first.key, Math.max(1, most));
  return woken + (conditions[comparison] ? target.futexes.wake(target.key, Math.max(1, most2)) : 0);
}

function futex(p: Process, a: readonly number[], read: (p: Process, address: number) => number): SyscallResult {
  const [address, operation, value, timeout, second, value3] = a;
  if (address % 4) return -Errno.EINVAL;
  const place = placeOf(p, address, operation);
  const { futexes, key } = place;
  const command = operation & Futex.Command;
  const realtime = (operation & Futex.ClockRealtime) !== 0;
  switch (command) {
    case Futex.Wait:
    case Futex.WaitBitset: {
      const bitset = command === Futex.WaitBitset ? value3 : ALL_BITS;
      if (bitset === 0) return -Errno.EINVAL;
      let left = timeout === 0 ? undefined : read(p, timeout);
      if (left !== undefined && command === Futex.WaitBitset) left = until(p, left, realtime);
      if (p.memory.u32(address) !== value) return -Errno.EAGAIN;
      const interrupted = left === undefined ? -Errno.ERESTARTSYS : -Errno.ERESTARTNOHAND;
      return wait(p, [{ futexes, address: key, bitset }], { left, interrupted });
    }
    case Futex.Wake:
    case Futex.WakeBitset:
      if (command === Futex.WakeBitset && value3 === 0) return -Errno.EINVAL;
      p.memory.u32(address);
      return futexes.wake(key, Math.max(1, value | 0), command === Futex.WakeBitset ? value3 : ALL_BITS);
    case Futex.Requeue:
    case Futex.CmpRequeue: {
      if ((value | 0) < 0 || (timeout | 0) < 0) return -Errno.EINVAL;
      p.memory.u32(second);
      if (p.memory.u32(address) !== value3 && command === Futex.CmpRequeue) return -Errno.EAGAIN;
      const target = placeOf(p, second, operation);
      const woken = futexes.wake(key, value);
      // to other memory nobody is moved but woken
      const moved = target.futexes === futexes ? futexes.move(key, target.key, timeout) : futexes.wake(key, timeout);
      return command === Futex.CmpRequeue ? woken + moved : woken;
    }
    case Futex.WakeOp:
      if (second % 4) return -Errno.EINVAL;
      p.memory.u32(address);
      return wakeOp(p, place, value, second, placeOf(p, second, operation), timeout, value3);
    case Futex.LockPi:
    case Futex.LockPi2: {
      // FUTEX_LOCK_PI's time is always that of CLOCK_REALTIME
      const left = timeout === 0 ? undefined : until(p, read(p, timeout), realtime || command === Futex.LockPi);
      return lock(p, address, left, false);
    }
    case Futex.TrylockPi:
      return lock(p, address, undefined, true);
    case Futex.UnlockPi:
      return unlock(p, address);
    default:
      return -Errno.ENOSYS;
  }
}

/** struct futex_waitv, of which there may be so many: value, address, flags, and a word that is 0. */
const enum Waitv {
  Value = 0,
  Address = 8,
  Flags = 16,
  Reserved = 20,
  Size = 24,
  Most = 128,
}
const FUTEX_32 = 2;

/** futex_waitv(2): until one of them is woken; gives which. */
function waitAny(p: Process, list: number, count: number, flags: number, timeout: number, clock: number): SyscallResult {
  if (flags !== 0 || count === 0 || count > Waitv.Most || list === 0) return -Errno.EINVAL;
  if (timeout !== 0 && clock > 1) return -Errno.EINVAL;
  const left = timeout === 0 ? undefined : until(p, readTimespec64(p, timeout), clock === 0);
  const words = Array.from({ length: count }, (_, n) => {
    const at = list + n * Waitv.Size;
    const [value, address] = [p.memory.u64(at + Waitv.Value), p.memory.u64(at + Waitv.Address)];
    const kind = p.memory.u32(at + Waitv.Flags);
    if ((kind & ~PRIVATE) !== FUTEX_32 || p.memory.u32(at + Waitv.Reserved) !== 0 || value >> 32n !== 0n) fail('EINVAL');
    if (address >> 32n !== 0n || address % 4n !== 0n) fail('EINVAL');
    return { value: Number(value), address: Number(address), place: placeOf(p, Number(address), kind) };
  });
  for (const { address, value } of words) if (p.memory.u32(address) !== value) return -Errno.EAGAIN;
  const waiters = words.map(({ place: { futexes, key } }) => ({ futexes, address: key, bitset: ALL_BITS }));
  return wait(p, waiters, { left, interrupted: -Errno.ERESTARTSYS });
}

/** Entries of a robust list that are looked at (ROBUST_LIST_LIMIT). */
const ROBUST_LIST_LIMIT = 2048;

/** A thread ends: locks of its robust list are marked (struct robust_list_head), and who waits for its end is woken. */
export function releaseFutexes(p: Process): void {
  ignoringFaults(() => walkRobustList(p));
  if (p.clearTid !== 0)
    ignoringFaults(() => {
      p.memory.setU32(p.clearTid, 0);
      p.group.futexes.wake(p.clearTid, 1);
    });
}

function walkRobustList(p: Process): void {
  const head = p.robustList;
  if (head === 0) return;
  const offset = p.memory.u32(head + 4);
  const pending = p.memory.u32(head + 8);
  let entry = p.memory.u32(head);
  for (let count = 0; (entry & ~1) >>> 0 !== head && count < ROBUST_LIST_LIMIT; count++) {
    const next = p.memory.u32((entry & ~1) >>> 0);
    if (entry !== pending) abandon(p, entry, offset);
    entry = next;
  }
  if (pending !== 0) abandon(p, pending, offset);
}

function abandon(p: Process, entry: number, offset: number): void {
  const address = ((entry & ~1) + offset) >>> 0;
  if (address % 4) return;
  const word = p.memory.u32(address);
  if ((word & TID_MASK) !== p.tid) return;
  if (entry & 1) handOver(p, address, OWNER_DIED);
  else {
    p.memory.setU32(address, ((word & WAITERS) | OWNER_DIED) >>> 0);
    if (word & WAITERS) p.group.futexes.wake(address, 1);
  }
}

const note = 'PI locks in private memory only; no FUTEX_FD, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI';

export const futexCalls: Calls = {
  futex: partial((p, a) => futex(p, a, readTimespec), note),
  futex_waitv: (p, a) => waitAny(p, a[0], a[1], a[2], a[3], a[4]),
  futex_time64: partial((p, a) => futex(p, a, readTimespec64), note),
};
