import type { IsaSystem, SystemVcpu } from '../isa/system.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { MachineClock } from './clock.ts';

export type HookedExit = Extract<Exit, { kind: 'hooked' }>;

/** The vCPU as the loop drives it. */
export interface LoopVcpu extends SystemVcpu {
  run(budget: number, isRest?: boolean): Exit;
  finish(rest: number): Exit;
  /** One instruction. */
  step(): Exit;
  /** From inside a run: it ends soon. */
  stopSoon(): void;
  readonly retired: number;
}

export interface LoopParts {
  readonly vcpu: LoopVcpu;
  readonly system: IsaSystem;
  readonly clock: MachineClock;
  /** The interrupt controller's answer to the processor's acknowledge cycle. */
  readonly acknowledge: () => number;
  /** Milliseconds, for slices. */
  readonly elapsed: () => number;
  /** Lets the host's timers and streams have their turn. */
  readonly turn: () => Promise<void>;
  /** Resolves after so many milliseconds, or when `signal` fires. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Sleeps from inside a run, if the host can. */
  readonly pause: ((milliseconds: number) => void) | undefined;
  /** The hypercall that the guest waits for. */
  readonly hypercall: () => Promise<void> | undefined;
  /** A hooked instruction, which is then done with; an Exit if it left. */
  readonly hooked: (exit: HookedExit) => Exit | undefined | Promise<Exit | undefined>;
  /** The processor asks the board to interrupt it, and waits for that. */
  readonly coprocessorError: () => void;
  /** Nobody will ask how the guest goes on. */
  readonly abandoned: () => boolean;
  /** The processor gave up. */
  readonly shutdown: () => void;
}

/** Aim of a stay in guest code. What the host has for the guest waits for its end; what the guest's own accesses bring about ends it. */
const SLICE_MS = 1;
/** Time after which the host has its turn. */
const TURN_MS = 8;
const LONGEST_SLEEP_MS = 60_000;
/** For which a guest that polls the time lets the host sleep: less is what going to sleep takes. */
const SHORTEST_REST_MS = 0.05;
const LONGEST_REST_MS = 1;
/**
 * A guest that for so long has done little but answer its timer is woken later than it asked for, and then answers several ticks: being woken
 * costs the host more than a tick does. Little is so many instructions each time, and so many more a millisecond.
 */
const IDLE_MS = 1000;
const IDLE_LATE_MS = 28;
const TICK_INSTRUCTIONS = 8000;
const SPARE_INSTRUCTIONS = 200;
const LITTLE_BEYOND = (IDLE_MS / 2) * SPARE_INSTRUCTIONS;
/** More than a virtio request waits for one after the other. */
const PROMISES = 16;
/** Without a reason, an AbortController makes an error with its stack. */
const AWAKE = 'awake';
/**
 * With virtual time, time stands still during a stay: none is long after an interrupt and while the guest asks for the time. Else each is twice as
 * long as the one before, since its exact end takes the time of some ten thousand instructions.
 */
const VIRTUAL_SLICE = 20_000;
const LONGEST_VIRTUAL_SLICE = 200_000;
const FIRST_SLICE = 20_000;
const SHORTEST_SLICE = 1000;
const LONGEST_SLICE = 5_000_000;

export interface Loop {
  /** Runs guest code until `stop`, which may have come already. */
  run(): Promise<void>;
  stop(): void;
  /** Whether `stop` came; not any more when `run` has ended. */
  stopped: boolean;
  /** Something has happened that may end a halt. */
  wake(): void;
  /** See SystemImports.rest. */
  rest(nanoseconds: number): void;
  halted: boolean;
  /** Virtual time: instructions of the next stay at most. */
  virtualSlice: number;
  /** Milliseconds spent asleep, also in the midst of guest code, or made up for in place of sleep. */
  readonly idle: number;
}

/** Machines that run on this thread: one alone may hold it up. */
let running = 0;

export function makeLoop(parts: LoopParts): Loop {
  const { vcpu, system, clock, elapsed } = parts;
  /** As good as new until it has been used. */
  let sleeper = new AbortController();
  let asleep = false;
  const wake = (): void => {
    if (asleep) sleeper.abort(AWAKE);
  };
  let slice = FIRST_SLICE;
  /** Instructions a millisecond, as measured. */
  let speed = FIRST_SLICE;
  let idle = 0;
  let counted = 0;
  /** Instructions and interrupts since it last slept. */
  let worked = 0;
  let interrupts = 0;
  /** Instructions beyond those of ticks, less what it may spare meanwhile; when it last did more than little. */
  let beyond = 0;
  let sleptAt = 0;
  let busyAt = 0;

  /** Guest time goes on for what was executed since the last call; gives how much that is. */
  function count(): number {
    const ran = vcpu.retired - counted;
    counted += ran;
    worked += ran;
    clock.completed(ran);
    return ran;
  }

  const nextDue = (): number => Math.min(clock.next(), system.timer?.next(vcpu, clock.now()) ?? Number.POSITIVE_INFINITY);

  /** Guest time at which the stay will have ended that goes on now. */
  let sliceEnd = 0;
  clock.onNext = (due) => {
    if (due < sliceEnd) vcpu.stopSoon();
  };

  /** Guest instructions to the next deadline, and no more than a slice. */
  function budget(due: number): number {
    const left = due - clock.now();
    if (!clock.sleeps) {
      const instructions = clock.instructionsIn(left);
      return Math.max(1, Math.min(instructions, loop.virtualSlice));
    }
    return Math.max(SHORTEST_SLICE, Math.min(slice, Math.ceil((left / 1e6) * speed)));
  }

  async function sleep(): Promise<void> {
    // a device that needs nothing of the host is only some promises away from its interrupt
    for (let i = 0; i < PROMISES; i++) {
      await undefined;
      if (loop.stopped || system.interruptPending(vcpu)) return;
    }
    const due = nextDue();
    if (!clock.sleeps && due !== Number.POSITIVE_INFINITY) {
      clock.skip(due);
      return;
    }
    idle += clock.makeUp(due - clock.now()) / 1e6;
    const milliseconds = Math.min((due - clock.now()) / 1e6, LONGEST_SLEEP_MS);
    if (milliseconds <= 0) return;
    const start = elapsed();
    beyond = Math.max(0, beyond - (start - sleptAt) * SPARE_INSTRUCTIONS) + Math.max(0, worked - interrupts * TICK_INSTRUCTIONS);
    if (beyond > LITTLE_BEYOND) busyAt = start;
    beyond = Math.min(beyond, LITTLE_BEYOND);
    sleptAt = start;
    worked = 0;
    interrupts = 0;
    const whole = start - busyAt > IDLE_MS ? Math.ceil(milliseconds) + IDLE_LATE_MS : Math.floor(milliseconds);
    // timers count whole milliseconds: for the rest one would be set once more, or be late
    if (whole === 0 && parts.pause && running === 1) parts.pause(milliseconds);
    else {
      if (sleeper.signal.aborted) sleeper = new AbortController();
      asleep = true;
      await parts.sleep(whole || milliseconds, sleeper.signal);
      asleep = false;
      if (sleeper.signal.aborted) busyAt = elapsed();
    }
    idle += elapsed() - start;
  }

  function deliver(exit: Exit): void {
    const outcome = system.deliver(vcpu, exit);
    if (outcome === 'shutdown') parts.shutdown();
    if (outcome !== 'coprocessor-error') return;
    parts.coprocessorError();
    loop.halted = true;
  }

  /** undefined: go on. */
  function handle(exit: Exit): Promise<void> | undefined {
    switch (exit.kind) {
      case 'budget':
      case 'compiling':
      case 'code-written':
      case 'interrupt':
        return undefined;
      case 'shutdown':
        parts.shutdown();
        return undefined;
      case 'halt':
        loop.halted = true;
        return undefined;
      case 'hypercall':
        return parts.hypercall();
      case 'hooked': {
        const next = parts.hooked(exit);
        if (!(next instanceof Promise)) return next && handle(next);
        return next.then(async (left) => {
          if (left) await handle(left);
        });
      }
      default:
        deliver(exit);
        return undefined;
    }
  }

  const loop: Loop = {
    stopped: false,
    halted: false,
    virtualSlice: VIRTUAL_SLICE,
    get idle() {
      return idle;
    },
    stop() {
      loop.stopped = true;
      vcpu.stopSoon();
      wake();
    },
    wake,
    rest(nanoseconds) {
      if (!clock.sleeps) return;
      const left = nextDue() - clock.now();
      if (left <= 0) return vcpu.stopSoon();
      const wanted = Math.min(nanoseconds, left);
      const madeUp = clock.makeUp(wanted);
      idle += madeUp / 1e6;
      const milliseconds = Math.min((wanted - madeUp) / 1e6, LONGEST_REST_MS);
      if (milliseconds < SHORTEST_REST_MS || !parts.pause || running > 1) return;
      const start = elapsed();
      parts.pause(milliseconds);
      idle += elapsed() - start;
    },
    async run() {
      running++;
      try {
        await runUntilStopped();
      } finally {
        loop.stopped = false;
        running--;
      }
    },
  };
  async function runUntilStopped(): Promise<void> {
    let turn = elapsed();
    counted = vcpu.retired;
    while (!loop.stopped) {
      count();
      clock.fireDue();
      system.timer?.tick(vcpu, clock.now());
      if (loop.stopped) break;
      if (system.interruptPending(vcpu)) {
        if (system.holdsInterrupt?.(vcpu)) {
          const left = handle(vcpu.step());
          if (left) await left;
          continue;
        }
        system.takeInterrupt(vcpu, parts.acknowledge);
        interrupts++;
        loop.halted = false;
        loop.virtualSlice = VIRTUAL_SLICE;
      }
      if (loop.halted) {
        await sleep();
        if (elapsed() - turn > TURN_MS) {
          await parts.turn();
          turn = elapsed();
        }
        continue;
      }
      const start = elapsed();
      const due = nextDue();
      const grant = budget(due);
      sliceEnd = Math.min(due, clock.now() + SLICE_MS * 1e6);
      clock.asked = false;
      let exit = vcpu.run(grant);
      // what the guest sees depends on where a stay ends: it goes on after the host's turn, also before a pause, and who asks for the time in
      // between does not count
      while (exit.kind === 'compiling') {
        const asked: boolean = clock.asked;
        await parts.turn();
        clock.asked = asked;
        turn = elapsed();
        if (parts.abandoned()) break;
        const rest = grant - (vcpu.retired - counted);
        exit = loop.stopped ? vcpu.finish(rest) : vcpu.run(rest, true);
      }
      loop.virtualSlice = clock.asked ? VIRTUAL_SLICE : Math.min(2 * loop.virtualSlice, LONGEST_VIRTUAL_SLICE);
      sliceEnd = 0;
      const ran = count();
      const now = elapsed();
      if (exit.kind === 'budget' && ran >= grant) {
        const time = Math.max(now - start, 0.001);
        speed = speed * 0.75 + (ran / time) * 0.25;
        slice = Math.max(SHORTEST_SLICE, Math.min(LONGEST_SLICE, Math.ceil(speed * SLICE_MS)));
      }
      const waiting = handle(exit);
      if (waiting) await waiting;
      if (now - turn > TURN_MS) {
        await parts.turn();
        turn = elapsed();
      }
    }
  }
  return loop;
}
