import { describe, expect, test } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';
import type { Host } from '../../src/linux/host.ts';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { createMachine, type Machine } from '../../src/vmm/machine.ts';
import type { MachineName } from '../../src/vmm/machines/index.ts';
import type { DeviceContext, OwnDevice } from '../../src/vmm/options.ts';
import { System } from '../../translators/x86/system/state.ts';
import { assemble } from '../support/mips-assembler.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, mipsKernel, out } from './kernel.ts';

const SYSTEM = systemModule();
const DEVICE = 0x1b000000;
const COUNT = 0x300800;
const IDT = 0x300000;
const GDT = 0x300400;
const HANDLER = 0x300900;
const INPUT = 5;

/** On a store, it raises its interrupt: at once, or by a timer. */
const device =
  (delay: number) =>
  ({ irq, clock }: DeviceContext): OwnDevice[] => {
    const line = irq(INPUT);
    const timer = clock.timer(() => line(true));
    const write = (): void => {
      if (delay === 0) line(true);
      else timer.set(clock.now() + delay);
    };
    return [{ memory: [{ at: DEVICE, size: 0x1000, device: { name: 'bell', widest: 4, read: () => 0, write } }] }];
  };

const X86 = kernel(
  // sti; mov [DEVICE],eax; inc ecx; jmp -3
  ...[0xfb, 0xa3, 0, 0, 0, 0x1b, 0x41, 0xeb, 0xfd],
);
const MIPS = mipsKernel(
  assemble(
    'addiu t0,zero,1025\nmtc0 t0,c0_status\nlui t1,0xbb00\naddiu t2,zero,0\nsw t0,0(t1)\naddiu t2,t2,1\nbeq zero,zero,.-4\nnop',
    0x80100000,
  ),
);

/** What firmware and kernel would do: the interrupt controllers' initialisation, and where the handler is. */
function prepare(machine: Machine): void {
  const pic = machine.board.ports.find(({ at }) => at === 0x20)!.device;
  pic.write(0, 1, 0x11);
  for (const value of [0x20, 4, 1, 0xff & ~(1 << INPUT)]) pic.write(1, 1, value);
  const { physical, vcpu } = machine;
  if (machine.name === 'malta') {
    // sw t2, COUNT; then the reset register
    assemble('lui t0,0xa030\nsw t2,2048(t0)\nlui t0,0xbf00\naddiu t1,zero,66\nsw t1,1280(t0)\nbeq zero,zero,.+0\nnop', 0x80000180).forEach(
      (word, i) => {
        physical.setU32(0x180 + 4 * i, word >>> 0);
      },
    );
    return;
  }
  // flat segments at 0x10 and 0x18, and an interrupt gate
  [0, 0, 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300].forEach((word, i) => {
    physical.setU32(GDT + 4 * i, word);
  });
  physical.setU32(IDT + 8 * (0x20 + INPUT), 0x100000 | (HANDLER & 0xffff));
  physical.setU32(IDT + 8 * (0x20 + INPUT) + 4, (HANDLER & 0xffff0000) | 0x8e00);
  // mov [COUNT],ecx; out 0xf4,al; hlt
  physical.write(HANDLER, Uint8Array.of(0x89, 0x0d, 0, 8, 0x30, 0, ...out(0xf4, 0), 0xf4));
  vcpu.set32(System.GDTR_BASE, GDT);
  vcpu.set32(System.GDTR_LIMIT, 31);
  vcpu.set32(System.IDTR_BASE, IDT);
  vcpu.set32(System.IDTR_LIMIT, 0x7ff);
  vcpu.set32(16, 0x310000);
}

/** Turns of the guest's loop between its store and its handler. */
async function turns(name: MachineName, executor: Executor, delay: number): Promise<number> {
  const machine = await createMachine({
    machine: name,
    runtime: SYSTEM,
    memory: 8 << 20,
    kernel: name === 'pc' ? X86 : MIPS,
    executor,
    devices: device(delay),
  });
  prepare(machine);
  await machine.run();
  return machine.physical.u32(COUNT);
}

describe.each(['pc', 'malta'] as const)('an interrupt on a %s', (name) => {
  test.each(['interpret', 'translate'] as const)('that a store raises is taken within few instructions: %s', async (executor) => {
    expect(await turns(name, executor, 0)).toBeLessThan(100);
  });
});

describe('a guest that waits 200 ms for its time stamp counter', () => {
  /** A host whose clock goes on by a little each time it is read, and by its pauses. */
  const quietHost = () => {
    let time = 0n;
    let paused = 0;
    const host: Host = {
      ...nodeHost,
      monotonic() {
        time += 20_000n;
        return time;
      },
      pause(milliseconds) {
        paused += milliseconds;
        time += BigInt(Math.round(milliseconds * 1e6));
      },
    };
    return { host, paused: () => paused };
  };
  const wait = async (executor: Executor, nop: readonly number[]) => {
    const { host, paused } = quietHost();
    const machine = await createMachine({
      machine: 'pc',
      runtime: SYSTEM,
      memory: 8 << 20,
      // rdtsc; mov ebx,eax; again: nop; rdtsc; sub eax,ebx; cmp eax,200000000; jb again
      kernel: kernel(
        ...[0x0f, 0x31, 0x89, 0xc3, ...nop, 0x0f, 0x31, 0x29, 0xd8, 0x3d, ...little(200_000_000), 0x72, 0xf3],
        ...out(0xf4, 0),
        0xf4,
      ),
      executor,
      host,
    });
    await machine.run();
    return { time: machine.stats.time, idle: paused() };
  };
  test.each(['interpret', 'translate'] as const)('with PAUSE, the host sleeps: %s', async (executor) => {
    const { idle, time } = await wait(executor, [0xf3, 0x90]);
    expect(time).toBeGreaterThanOrEqual(200);
    expect(idle).toBeGreaterThan(50);
  });
  test('without, it does not', async () => {
    expect((await wait('interpret', [0x66, 0x90])).idle).toBe(0);
  });
});
