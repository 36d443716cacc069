import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memoryDisk } from '../../src/devices/virtio/block.ts';
import { defineHypercall } from '../../src/vmm/hypercalls.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { HYPERCALL_CONSOLE } from '../../src/vmm/options.ts';
import { systemModule } from '../support/runtime.ts';

/** Made when the module loads: compiling it takes longer than a test may. */
const SYSTEM = systemModule();
const read = (name: string): Uint8Array => readFileSync(new URL(`../../corpus/kernels/${name}`, import.meta.url));
const KERNELS = [
  { machine: 'pc', kernel: read('x86-paravirt'), end: { reason: 'power-off', code: 1 }, lineCount: 46 },
  { machine: 'malta', kernel: read('mipsel-paravirt'), end: { reason: 'reset', code: 3 }, lineCount: 41 },
] as const;

describe.each(KERNELS)('a para-virtual kernel on a $machine', ({ machine: name, kernel, end, lineCount }) => {
  test.each(['interpret', 'translate'] as const)('uses every call: %s', async (executor) => {
    const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
    let shared = 0;
    const share = defineHypercall({
      number: 0,
      params: ['u32'],
      call(handle) {
        shared = handle;
        return 0;
      },
    });
    const add = defineHypercall({ number: 1, params: ['u32', 'i32'], call: (a, b) => a + b });
    const shout = defineHypercall({
      number: 2,
      params: ['text', 'buffer'],
      async call(text, out) {
        await later();
        out.write(new TextEncoder().encode(text.toUpperCase()));
        return text.length;
      },
    });
    const disk = memoryDisk(Uint8Array.from({ length: 64 * 512 }, (_, i) => i >>> 9));
    const machine = await createMachine({
      machine: name,
      runtime: SYSTEM,
      kernel,
      executor,
      memory: 16 << 20,
      drives: [{ disk }],
      hypercalls: [share, add, shout],
    });
    let text = '';
    let said = '';
    machine.on('console', (bytes, port) => {
      if (port === 0) text += Buffer.from(bytes).toString('latin1');
      if (port === HYPERCALL_CONSOLE) said += Buffer.from(bytes).toString('latin1');
    });
    machine.input(new TextEncoder().encode('typed'), HYPERCALL_CONSOLE);
    const { hypercalls } = machine;
    if (!hypercalls) throw new Error('no hypercalls');
    hypercalls.onEvent = (channel) => {
      expect(channel).toBe(1);
      const grant = hypercalls.grant(shared)!;
      void later().then(() => {
        grant.write(0, new TextEncoder().encode(new TextDecoder().decode(grant.read(0, 13)).toUpperCase()));
        hypercalls.sendEvent(2);
      });
    };
    const timer = setTimeout(() => machine.stop(), 280_000);
    const ended = await machine.run();
    clearTimeout(timer);
    const lines = text.split('\n').filter((line) => line !== '');
    expect(lines.filter((line) => !line.startsWith('ok '))).toEqual(['all rules hold']);
    expect(lines).toHaveLength(lineCount);
    expect(ended).toEqual(end);
    expect(said).toBe('hello from the guest\n');
    expect([...disk.bytes.subarray(5 * 512, 5 * 512 + 3)]).toEqual([0, 7, 14]);
  }, 300_000);
});
