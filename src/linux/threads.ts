import { deliverSignals } from './deliver.ts';
import type { Host } from './host.ts';
import type { Process, ThreadGroup } from './process.ts';
import { changeMemory } from './shared-memory.ts';
import type { Space } from './spaces.ts';

/** Registers of a thread that does not run. */
export interface Registers {
  readonly pc: number;
  readonly mode: number;
  readonly state: Uint8Array;
}

/** A thread of some process. */
export interface Thread {
  readonly p: Process;
  /** Undefined while its processor has them. */
  registers: Registers | undefined;
  /** What is left to do of the call that it waited in. */
  finish: (() => void) | undefined;
}

/** All threads of all processes, of which one at a time runs. */
export interface Scheduler {
  readonly current: Process;
  /** Nanoseconds that all threads were blocked in calls. */
  readonly idle: bigint;
  /** Of the current thread. */
  registers(p: Process): Registers;
  /** A new thread runs with these registers and what `prepare` then changes of them. Nothing happens if that throws. */
  start(thread: Process, registers: Registers, prepare: () => void): void;
  /** A thread goes on in another address space, whose registers are set. */
  move(p: Process, space: Space): void;
  /** Does something while a thread's processor has its registers. */
  as<T>(p: Process, act: () => T): T;
  /**
   * The current thread waits for its call, after which `finish` is due. Resolves when a thread can go on, or the system is over; rejects
   * with what a call of a thread that can go on has rejected with.
   */
  wait(call: Promise<() => void>): Promise<void>;
  /** Another thread that can run has its turn. */
  rotate(): void;
  /** The current thread cannot go on now: its process is stopped. Resolves when a thread can. */
  pause(): Promise<void>;
  /** The current thread, or its process, has ended. Resolves when another can go on. */
  next(): Promise<void>;
  /** A process or a thread of it has ended, or goes on with another program: what its other threads wait for is of no account. */
  forget(which: (p: Process) => boolean): void;
  /** Something may go on that could not. */
  wake(): void;
  /** Whether a thread waits in a call. */
  waits(p: Process): boolean;
  /** Charges the time since the last turn to the current process. */
  account(): void;
}

export function saveRegisters({ vcpu }: Pick<Process, 'vcpu'>): Registers {
  const { state } = vcpu;
  return { pc: vcpu.pc, mode: vcpu.mode, state: new Uint8Array(state.buffer, state.byteOffset, state.byteLength).slice() };
}

export function loadRegisters({ vcpu }: Pick<Process, 'vcpu'>, { pc, mode, state }: Registers): void {
  const wanted = mode | (vcpu.mode & (vcpu.isa.lasting ?? 0));
  const into = vcpu.state;
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(state);
  if (vcpu.mode !== wanted) vcpu.mode = wanted;
  vcpu.pc = pc;
}

/**
 * One host thread runs all guest threads, in turn: a thread runs until it waits or its time is up. A processor keeps the registers of
 * the thread that it ran last until another one of the same memory has its turn. `isOver` ends all waiting; `buryKilled`: see System.
 */
export function makeScheduler(first: Process, host: Host, isOver: () => boolean, buryKilled: () => void): Scheduler {
  let current: Thread = { p: first, registers: undefined, finish: undefined };
  first.space.holder = current;
  first.map.enter();
  let ready: Thread[] = [];
  let waiting = new Set<Thread>();
  let since = host.monotonic();
  let idle = 0n;
  let wake = (): void => {};

  const canRun = ({ p: { group, tracing } }: Thread): boolean => !group.stopped && !group.end && !tracing?.stop;

  /** The first thread that can run, which is not ready any more. */
  function takeReady(): Thread | undefined {
    const index = ready.findIndex(canRun);
    return index < 0 ? undefined : ready.splice(index, 1)[0];
  }

  function account(): void {
    const now = host.monotonic();
    current.p.group.processorTime += now - since;
    since = now;
  }

  function enter(next: Thread): void {
    account();
    const { p } = next;
    const { space } = p;
    if (space.holder !== next) {
      if (space.holder) space.holder.registers = saveRegisters(space.holder.p);
      if (next.registers) loadRegisters(p, next.registers);
      space.holder = next;
    }
    next.registers = undefined;
    // others may have written to what it has in common with them
    if (p.abi.reservation !== undefined) p.vcpu.state.setUint32(p.abi.reservation, 0, true);
    // as the kernel's out-of-memory killer would
    if (!changeMemory(current.p.map, p.map)) p.signals.raise('SIGKILL');
    current = next;
    const { finish } = next;
    next.finish = undefined;
    if (finish) finish();
    else if (p.signals.mustDeliver) deliverSignals(p);
  }

  async function enterNext(): Promise<void> {
    for (;;) {
      // a timer's signal may have killed one while all wait
      buryKilled();
      const next = takeReady();
      if (next) return enter(next);
      if (isOver()) return;
      account();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      idle += host.monotonic() - since;
      since = host.monotonic();
    }
  }

  return {
    get current() {
      return current.p;
    },
    get idle() {
      return idle;
    },
    registers: saveRegisters,
    start(p, registers, prepare) {
      const thread: Thread = { p, registers: undefined, finish: undefined };
      const { holder } = p.space;
      const own = holder && saveRegisters(holder.p);
      loadRegisters(p, registers);
      try {
        prepare();
        if (own) thread.registers = saveRegisters(p);
        else p.space.holder = thread;
      } finally {
        if (own) loadRegisters(holder.p, own);
      }
      ready.push(thread);
    },
    move(p, space) {
      const thread = [current, ...ready, ...waiting].find((one) => one.p === p)!;
      if (p.space.holder === thread) p.space.holder = undefined;
      thread.registers = undefined;
      space.holder = thread;
      if (current === thread) changeMemory(p.map, space.map);
    },
    as(p, act) {
      const { holder } = p.space;
      if (holder?.p === p) return act();
      const thread = [current, ...ready, ...waiting].find((one) => one.p === p);
      if (!thread?.registers) return act();
      const own = holder && saveRegisters(holder.p);
      loadRegisters(p, thread.registers);
      try {
        return act();
      } finally {
        thread.registers = saveRegisters(p);
        if (own) loadRegisters(holder.p, own);
      }
    },
    async wait(call) {
      const thread = current;
      waiting.add(thread);
      const goOn = (finish: () => void): void => {
        if (!waiting.delete(thread)) return;
        thread.finish = finish;
        ready.push(thread);
        wake();
      };
      void call.then(goOn, (error: unknown) =>
        goOn(() => {
          throw error;
        }),
      );
      // calls that have been woken come before threads that only wait for their turn
      if (ready.length + waiting.size > 1) for (let turn = 0; turn < SETTLING; turn++) await undefined;
      await enterNext();
    },
    rotate() {
      const next = takeReady();
      if (!next) return;
      ready.push(current);
      enter(next);
    },
    pause() {
      ready.push(current);
      return enterNext();
    },
    next: enterNext,
    forget(which) {
      const isKept = (thread: Thread): boolean => {
        if (!which(thread.p)) return true;
        if (thread.p.space.holder === thread) thread.p.space.holder = undefined;
        return false;
      };
      ready = ready.filter(isKept);
      waiting = new Set([...waiting].filter(isKept));
      if (which(current.p) && current.p.space.holder === current) current.p.space.holder = undefined;
    },
    wake: () => wake(),
    waits: (p) => [...waiting].some((thread) => thread.p === p),
    account,
  };
}

/** Turns of the microtask queue after which the result of a call that is over has arrived. */
const SETTLING = 4;

/** A thread is not there any more. */
export function dropThread({ group, tid, signals }: Process): void {
  group.threads.delete(tid);
  signals.leave();
}

/** A thread of a process that has not ended. */
export const anyThread = ({ threads, leader }: ThreadGroup): Process => threads.values().next().value ?? leader;
