import { describe, expect, test } from 'vitest';
import type { IsaSystem } from '../../src/isa/system.ts';
import type { Exit } from '../../src/vcpu/exit.ts';
import { makeClock } from '../../src/vmm/clock.ts';
import { type LoopVcpu, makeLoop } from '../../src/vmm/loop.ts';

/** A processor that is its test: `guest` is asked what each stay does. */
function made(guest: (budget: number) => { ran: number; exit: Exit }, kind: 'host' | 'virtual' = 'virtual') {
  let pending = false;
  let retired = 0;
  let shortened = 0;
  let time = 0;
  let away = 0;
  const taken: number[] = [];
  const slept: number[] = [];
  const rested: number[] = [];
  const finished: number[] = [];
  const state = { turn: (): void => {}, abandoned: false };
  const vcpu = {
    pc: 0,
    get retired() {
      return retired;
    },
    run(budget: number) {
      const { ran, exit } = guest(budget);
      retired += ran;
      return exit;
    },
    finish(rest: number) {
      finished.push(rest);
      retired += rest;
      return budgetExit;
    },
    stopSoon() {
      shortened++;
    },
  } as unknown as LoopVcpu;
  const system = {
    setInterrupt: (_cpu: unknown, _input: number, level: boolean) => {
      pending = level;
    },
    interruptPending: () => pending,
    takeInterrupt: (_cpu: unknown, acknowledge: () => number) => {
      pending = false;
      taken.push(acknowledge());
    },
    deliver: () => 'shutdown',
  } as unknown as IsaSystem;
  const clock = makeClock(
    kind === 'virtual' ? { kind, nanosecondsPerInstruction: 1, date: 0 } : { kind, monotonic: () => time, date: () => 0, away: () => away },
  );
  clock.start();
  let shut = 0;
  const loop = makeLoop({
    vcpu,
    system,
    clock,
    acknowledge: () => 0x30,
    elapsed: () => time / 1e6,
    turn: async () => state.turn(),
    abandoned: () => state.abandoned,
    sleep: async (milliseconds, signal) => {
      slept.push(milliseconds);
      if (!signal.aborted) time += milliseconds * 1e6;
    },
    pause: (milliseconds) => {
      rested.push(milliseconds);
      time += milliseconds * 1e6;
    },
    hypercall: () => undefined,
    hooked: () => undefined,
    coprocessorError: () => {},
    shutdown: () => {
      shut++;
      loop.stop();
    },
  });
  return {
    loop,
    clock,
    taken,
    slept,
    rested,
    finished,
    state,
    /** The engine has worked for so long. */
    work: (nanoseconds: number) => {
      time += nanoseconds;
      away += nanoseconds;
    },
    raise: () => system.setInterrupt(vcpu, 0, true),
    shut: () => shut,
    retired: () => retired,
    shortened: () => shortened,
  };
}

describe('machine clock', () => {
  test('is a second behind at most, never ahead, and never goes back', () => {
    const { clock, work } = made(() => ({ ran: 1, exit: budgetExit }), 'host');
    work(0.4e9);
    expect([clock.now(), clock.makeUp(0.1e9), clock.now(), clock.makeUp(1e9), clock.now()]).toEqual([0, 0.1e9, 0.1e9, 0.3e9, 0.4e9]);
    expect([clock.makeUp(1), clock.makeUp(-1), clock.now()]).toEqual([0, 0, 0.4e9]);
    work(1.5e9);
    expect([clock.now(), clock.makeUp(Number.POSITIVE_INFINITY), clock.now()]).toEqual([0.9e9, 1e9, 1.9e9]);
  });

  test('keeps that over a pause, and begins anew where it is set', () => {
    const { clock, work } = made(() => ({ ran: 1, exit: budgetExit }), 'host');
    work(0.4e9);
    clock.stop();
    expect(clock.now()).toBe(0);
    clock.start();
    expect([clock.makeUp(1e9), clock.now()]).toEqual([0.4e9, 0.4e9]);
    work(0.4e9);
    clock.set(5e9, 1000);
    expect([clock.now(), clock.makeUp(1e9), clock.date()]).toEqual([5e9, 0, 1000]);
  });
});

const budgetExit: Exit = { kind: 'budget', pc: 0 };

/** An interrupt every 4 ms. */
function tick({ clock, raise }: ReturnType<typeof made>): void {
  const timer = clock.timer(() => {
    raise();
    timer.set(clock.now() + 4e6);
  });
  timer.set(4e6);
}

describe('machine loop', () => {
  test('virtual time: a stay goes on after the host had its turn while much was compiled', async () => {
    const compiling: Exit = { kind: 'compiling', pc: 0 };
    const granted: number[] = [];
    const started = (left: number) => {
      granted.length = 0;
      let turns = 0;
      const m = made((budget) => {
        granted.push(budget);
        return { ran: 6000, exit: compiling };
      });
      m.state.turn = () => {
        if (++turns === left) m.loop.stop();
      };
      return m;
    };
    // a pause waits for the end of the stay, in the interpreter
    const paused = started(3);
    await paused.loop.run();
    expect([granted, paused.finished, paused.clock.now()]).toEqual([[20_000, 14_000, 8000], [2000], 20_000]);
    // that the host asks for the time meanwhile is nothing to the guest
    granted.length = 0;
    const asked = made((budget) => {
      if (granted.push(budget) === 3) asked.loop.stop();
      return granted.length === 1 ? { ran: 6000, exit: compiling } : { ran: budget, exit: budgetExit };
    });
    asked.state.turn = () => void asked.clock.now();
    await asked.loop.run();
    expect(granted).toEqual([20_000, 14_000, 40_000]);
    const ended = started(2);
    ended.state.abandoned = true;
    await ended.loop.run();
    expect(ended.finished).toEqual([]);
  });

  test('virtual time: a timer interrupts after exactly its instructions', async () => {
    const at: number[] = [];
    const m = made((budget) => ({ ran: budget, exit: budgetExit }));
    const timer = m.clock.timer(() => {
      at.push(m.retired());
      m.raise();
      timer.set(m.clock.now() + 123_457);
      if (at.length === 3) m.loop.stop();
    });
    timer.set(123_457);
    await m.loop.run();
    expect(at).toEqual([123_457, 246_914, 370_371]);
    expect(m.taken).toEqual([0x30, 0x30]);
  });

  test('a halt lasts until an interrupt; virtual time jumps to it', async () => {
    let halts = 0;
    const m = made(() => {
      if (++halts === 4) m.loop.stop();
      return { ran: 10, exit: { kind: 'halt', pc: 0 } };
    });
    const timer = m.clock.timer(() => {
      m.raise();
      timer.set(m.clock.now() + 1e9);
    });
    timer.set(1e9);
    await m.loop.run();
    expect(halts).toBe(4);
    expect(m.slept).toEqual([]);
    expect(m.clock.now()).toBe(3e9 + 10);
  });

  test('host time: a guest that only ticks is woken late after a second, and on time again once it has worked', async () => {
    const PERIOD = 4e6;
    const taken: number[] = [];
    let ran = 4000;
    let owed = 0;
    const m = made(() => {
      taken.push(m.clock.now());
      if (owed > 0) {
        owed--;
        m.raise();
      }
      if (taken.length === 600) ran = 200_000;
      if (taken.length === 700) m.loop.stop();
      return { ran, exit: { kind: 'halt', pc: 0 } };
    }, 'host');
    const timer = m.clock.timer((due) => {
      m.raise();
      owed = Math.floor((m.clock.now() - due) / PERIOD);
      timer.set(due + (owed + 1) * PERIOD);
    });
    timer.set(PERIOD);
    await m.loop.run();
    const late = (sleeps: readonly number[]): number => sleeps.filter((ms) => ms > 4).length;
    expect(Math.max(...m.slept)).toBe(32);
    expect(late(m.slept.slice(0, 240))).toBe(0);
    expect(late(m.slept.slice(-50))).toBe(0);
    // no tick is lost: each is taken at most seven periods late
    taken.slice(1, 600).forEach((at, n) => {
      expect(at - n * PERIOD).toBeGreaterThanOrEqual(PERIOD - 1);
      expect(at - n * PERIOD).toBeLessThanOrEqual(9 * PERIOD);
    });
  });

  test('host time: a second after a boot of thousands of millions of instructions, too', async () => {
    let halts = 0;
    const m = made(() => {
      if (++halts === 700) m.loop.stop();
      return { ran: halts < 5 ? 1e9 : 4000, exit: { kind: 'halt', pc: 0 } };
    }, 'host');
    tick(m);
    await m.loop.run();
    expect(m.slept.slice(0, 250)).not.toContain(32);
    expect(m.slept.slice(-200).every((ms) => ms === 32)).toBe(true);
  });

  test('host time: an idle guest sleeps until its timer', async () => {
    let halts = 0;
    const m = made(() => {
      if (++halts === 3) m.loop.stop();
      return { ran: 1, exit: { kind: 'halt', pc: 0 } };
    }, 'host');
    tick(m);
    await m.loop.run();
    expect(m.slept).toEqual([4, 4]);
    expect(m.loop.idle).toBeCloseTo(8);
  });

  test('a timer that the guest sets ends its stay, if it is due before that', async () => {
    const due = [500_000, 200_000, 300_000, 5_000_000];
    const seen: number[] = [];
    const m = made((budget) => {
      m.clock.timer(() => {}).set(m.clock.now() + due[seen.length]);
      seen.push(m.shortened());
      if (seen.length === due.length) m.loop.stop();
      return { ran: budget, exit: budgetExit };
    }, 'host');
    await m.loop.run();
    // the third is not the next, the last beyond the stay
    expect(seen).toEqual([1, 2, 2, 2]);
  });

  test('a guest that polls the time lets the host sleep: not beyond a timer, not for long, not for nothing', async () => {
    const m = made(() => {
      m.clock.timer(() => {}).set(m.clock.now() + 2e6);
      for (const nanoseconds of [20_000, 600_000, 30e6, 30e6]) m.loop.rest(nanoseconds);
      m.loop.stop();
      return { ran: 1, exit: budgetExit };
    }, 'host');
    await m.loop.run();
    expect(m.rested.map((ms) => Math.round(ms * 10) / 10)).toEqual([0.6, 1, 0.4]);
    expect(m.loop.idle).toBeCloseTo(2);
  });

  test('time stands still for the guest while the engine works; what it polls, or sleeps, for makes up for that first', async () => {
    const times: number[] = [];
    let stays = 0;
    const m = made(() => {
      if (stays++ > 0) m.loop.stop();
      m.work(5e6);
      times.push(m.clock.now());
      m.loop.rest(3e6);
      times.push(m.clock.now());
      return { ran: 1, exit: { kind: 'halt', pc: 0 } };
    }, 'host');
    tick(m);
    await m.loop.run();
    // of 5 ms 3 were polled for, and 1 is the rest to the tick; the second 5 ms come to 1 that are left
    expect(times).toEqual([0, 3e6, 4e6, 7e6]);
    expect([m.rested, m.slept, m.loop.idle]).toEqual([[], [], 7]);
  });

  test('a guest that polls beyond its timer is interrupted', async () => {
    const m = made(() => {
      m.clock.timer(() => {}).set(m.clock.now() + 2e6);
      m.work(2e6);
      m.clock.makeUp(2e6);
      m.loop.rest(1e6);
      expect([m.rested, m.shortened()]).toEqual([[], 1]);
      m.loop.stop();
      return { ran: 1, exit: budgetExit };
    }, 'host');
    await m.loop.run();
  });

  test('virtual time: it does not', async () => {
    const m = made(() => {
      m.loop.rest(1e6);
      m.loop.stop();
      return { ran: 1, exit: budgetExit };
    });
    await m.loop.run();
    expect(m.rested).toEqual([]);
  });

  test('what cannot be delivered shuts down', async () => {
    const m = made(() => ({ ran: 1, exit: { kind: 'exception', pc: 0, number: 8, code: 0 } }));
    await m.loop.run();
    expect(m.shut()).toBe(1);
  });
});
