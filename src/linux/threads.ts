import type { Process, ThreadGroup } from './process.ts';

/** Registers of a thread that does not run. */
interface Registers {
  readonly pc: number;
  readonly mode: number;
  readonly state: Uint8Array;
}

interface Thread {
  readonly p: Process;
  registers: Registers | undefined;
  /** What is left to do of the call that it waited in. */
  finish: (() => void) | undefined;
}

/** The threads of a program, of which one at a time has the processor. */
export interface Scheduler {
  /** Whose registers the processor has. */
  readonly current: Process;
  start: ThreadGroup['start'];
  /** The current thread waits for its call, after which `finish` is due. Resolves when a thread can go on, or the program has ended. */
  wait(call: Promise<() => void>): Promise<void>;
  /** Another thread that can run has the processor now. */
  rotate(): void;
  /** The current thread has ended. Resolves when another can go on. */
  end(): Promise<void>;
}

function save({ vcpu, abi }: Process): Registers {
  const { state } = vcpu;
  const copy = new Uint8Array(state.buffer, state.byteOffset, state.byteLength).slice();
  if (abi.reservation !== undefined) new DataView(copy.buffer).setUint32(abi.reservation, 0, true);
  return { pc: vcpu.pc, mode: vcpu.mode, state: copy };
}

function load({ vcpu }: Process, { pc, mode, state }: Registers): void {
  if (vcpu.mode !== mode) vcpu.mode = mode;
  const into = vcpu.state;
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(state);
  vcpu.pc = pc;
}

/**
 * One host thread runs all guest threads, in turn: a thread has the processor until it waits or its time is up. `killed` settles
 * when the program has ended while all wait.
 */
export function makeScheduler(first: Process, killed: Promise<void>): Scheduler {
  const { group, host } = first;
  let current: Thread = { p: first, registers: undefined, finish: undefined };
  const ready: Thread[] = [];
  let wake = (): void => {};

  function enter(next: Thread): void {
    if (next.registers) {
      // nothing has changed the registers of the thread that was the last
      load(next.p, next.registers);
      next.registers = undefined;
    }
    current = next;
    const { finish } = next;
    next.finish = undefined;
    finish?.();
  }

  async function enterNext(): Promise<void> {
    if (ready.length === 0) {
      const start = host.monotonic();
      while (ready.length === 0 && !group.end) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([woken, killed]);
      }
      group.idle += host.monotonic() - start;
    }
    const next = ready.shift();
    if (next && !group.end) enter(next);
  }

  return {
    get current() {
      return current.p;
    },
    start(p, prepare) {
      const own = save(current.p);
      try {
        prepare();
        ready.push({ p, registers: save(p), finish: undefined });
        group.threads.set(p.tid, p);
      } finally {
        load(current.p, own);
      }
    },
    async wait(call) {
      const waiting = current;
      void call.then((finish) => {
        waiting.finish = finish;
        ready.push(waiting);
        wake();
      });
      if (group.threads.size > 1) {
        waiting.registers = save(waiting.p);
        // calls that have been woken come before threads that only wait for their turn
        for (let turn = 0; turn < SETTLING; turn++) await undefined;
      }
      await enterNext();
    },
    rotate() {
      if (ready.length === 0) return;
      current.registers = save(current.p);
      ready.push(current);
      enter(ready.shift()!);
    },
    end() {
      const { p } = current;
      group.threads.delete(p.tid);
      p.signals.leave();
      return enterNext();
    },
  };
}

/** Turns of the microtask queue after which the result of a call that is over has arrived. */
const SETTLING = 4;
