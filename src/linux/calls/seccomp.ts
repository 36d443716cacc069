import type { Exit } from '../../vcpu/exit.ts';
import { Cap, capable } from '../capabilities.ts';
import { fault } from '../deliver.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { seccompEvent } from '../ptrace.ts';
import { Action, judge, readFilter, type Seccomp, withFilter } from '../seccomp.ts';
import { SiCode } from '../signals.ts';
import { type Calls, KEEP_REGISTERS, partial } from '../syscall.ts';

const enum Operation {
  SetModeStrict = 0,
  SetModeFilter = 1,
  GetActionAvailable = 2,
}
const enum Flag {
  Tsync = 1,
  Log = 2,
  SpecAllow = 4,
  TsyncEsrch = 0x10,
  All = Tsync | Log | SpecAllow | TsyncEsrch,
}
/** prctl(PR_SET_SECCOMP) */
const enum Mode {
  Strict = 1,
  Filter = 2,
}
const ACTIONS = [Action.KillProcess, Action.KillThread, Action.Trap, Action.Errno, Action.Trace, Action.Log, Action.Allow].map(
  (action) => action >>> 0,
);
const MAX_ERRNO = 4095;
const STRICT_CALLS = new Set(['read', 'write', 'exit', 'sigreturn', 'rt_sigreturn']);

const isFamily = (p: Process, other: Process): boolean => {
  const filters = (of: Process) => (of.seccomp?.mode === 'filter' ? of.seccomp.filters : []);
  const [own, its] = [filters(p), filters(other)];
  return other.seccomp?.mode !== 'strict' && its.every((filter, index) => filter === own[own.length - its.length + index]);
};

/** What threads have, those in common once. */
function inUse({ system }: Process): Set<Seccomp> {
  const found = new Set<Seccomp>();
  for (const { threads } of system.processes.values()) for (const { seccomp } of threads.values()) if (seccomp) found.add(seccomp);
  return found;
}

function setFilter(p: Process, flags: number, address: number): number {
  if (flags & ~Flag.All || p.seccomp?.mode === 'strict') return -Errno.EINVAL;
  const filter = readFilter(p.memory, address);
  if (!filter) return -Errno.EINVAL;
  if (!p.group.noNewPrivileges && !capable(p, Cap.SysAdmin)) return -Errno.EACCES;
  const next = withFilter(p.seccomp, filter, inUse(p));
  if (!next) return -Errno.ENOMEM;
  if (flags & Flag.Tsync) {
    const stranger = [...p.group.threads.values()].find((other) => other !== p && !isFamily(p, other));
    if (stranger) return flags & Flag.TsyncEsrch ? -Errno.ESRCH : stranger.tid;
    for (const other of p.group.threads.values()) other.seccomp = next;
  }
  p.seccomp = next;
  return 0;
}

function setStrict(p: Process): number {
  if (p.seccomp?.mode === 'filter') return -Errno.EINVAL;
  p.seccomp = { mode: 'strict' };
  return 0;
}

/** prctl(PR_GET_SECCOMP) */
export const seccompMode = ({ seccomp }: Process): number => (seccomp ? (seccomp.mode === 'strict' ? Mode.Strict : Mode.Filter) : 0);
/** prctl(PR_SET_SECCOMP) */
export const setSeccompMode = (p: Process, mode: number, address: number): number =>
  mode === Mode.Strict ? setStrict(p) : mode === Mode.Filter ? setFilter(p, 0, address) : -Errno.EINVAL;

/** struct seccomp_data: number, architecture, pc and six arguments of 64 bits. */
function dataOf(p: Process, number: number, args: readonly number[]): number[] {
  const isLittle = p.abi.isa.endian === 'little';
  return [number, p.abi.trace.architecture, ...[p.vcpu.pc, ...args.slice(0, 6)].flatMap((word) => (isLittle ? [word, 0] : [0, word]))];
}

/** A filter gives errors in the guest's numbering. */
const genericErrno = (p: Process, number: number): number =>
  Object.values(Errno).find((generic) => p.abi.errno(generic) === number) ?? number;

function endThread(p: Process, signal: number): number {
  if (p.group.threads.size === 1) p.group.end = { signal, core: true };
  else p.exited = signal;
  return KEEP_REGISTERS;
}

/**
 * What a thread's seccomp makes of a call: a result in its place, 'stopped' if its tracer decides before the call is made, undefined if
 * it may be made. `passed`: the tracer has let it go on, perhaps as another call.
 */
export function restrict(
  p: Process,
  seccomp: Seccomp,
  call: { readonly number: number; readonly name: string; readonly args: readonly number[] },
  exit: Extract<Exit, { kind: 'syscall' }>,
  passed: boolean,
): number | 'stopped' | undefined {
  const { signals, group } = p;
  if (seccomp.mode === 'strict') return STRICT_CALLS.has(call.name) ? undefined : endThread(p, signals.number('SIGKILL'));
  const verdict = judge(seccomp.filters, dataOf(p, call.number, call.args));
  const data = verdict & 0xffff;
  switch ((verdict & 0xffff_0000) >>> 0) {
    case Action.Allow:
    case Action.Log:
      return undefined;
    case Action.Errno:
      return -genericErrno(p, Math.min(data, MAX_ERRNO));
    case Action.UserNotification:
      return -Errno.ENOSYS;
    case Action.Trace:
      if (passed) return undefined;
      return seccompEvent(p, exit, data) ? 'stopped' : -Errno.ENOSYS;
    case Action.Trap: {
      const told = { pc: p.vcpu.pc, number: call.number, architecture: p.abi.trace.architecture, data };
      fault(p, 'SIGSYS', { code: SiCode.Seccomp, call: told }, exit.at, `a filter of seccomp(2) forbids ${call.name}`, p.vcpu.pc);
      return KEEP_REGISTERS;
    }
    case Action.KillThread:
      return endThread(p, signals.number('SIGSYS'));
    default:
      group.end = { signal: signals.number('SIGSYS'), core: true };
      return KEEP_REGISTERS;
  }
}

export const seccompCalls: Calls = {
  seccomp: partial((p, a) => {
    switch (a[0]) {
      case Operation.SetModeStrict:
        return a[1] === 0 && a[2] === 0 ? setStrict(p) : -Errno.EINVAL;
      case Operation.SetModeFilter:
        return setFilter(p, a[1], a[2]);
      case Operation.GetActionAvailable:
        if (a[1] !== 0) return -Errno.EINVAL;
        return ACTIONS.includes(p.memory.u32(a[2])) ? 0 : -Errno.EOPNOTSUPP;
      default:
        return -Errno.EINVAL;
    }
  }, 'no SECCOMP_FILTER_FLAG_NEW_LISTENER'),
};
