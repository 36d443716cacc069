import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { x86 } from '../../translators/x86/index.ts';
import { systemModule } from '../support/runtime.ts';

const kernel = readFileSync(new URL('../../corpus/kernels/x86-rules', import.meta.url));
// compiling the runtime takes longer than a test may
const runtime = systemModule();

describe('rules of the privileged x86 architecture', () => {
  for (const executor of ['interpret', 'translate'] as const) {
    it(`hold: ${executor}`, async () => {
      const machine = await createMachine({ machine: 'pc', runtime, kernel, executor, clock: 'virtual', memory: 32 << 20 });
      let text = '';
      machine.on('console', (bytes) => {
        text += Buffer.from(bytes).toString('latin1');
      });
      const timer = setTimeout(() => machine.stop(), 280_000);
      const end = await machine.run();
      clearTimeout(timer);
      const lines = text.split('\n').filter((line) => line !== '');
      expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
      expect(lines.at(-1)).toBe('all rules hold');
      expect(lines.length).toBeGreaterThan(220);
      // isa-debug-exit: twice the number of failures, plus one
      expect(end).toEqual({ reason: 'power-off', code: 1 });
      const { sensitive = [], counts } = x86.system!;
      const counted = counts!(machine.vcpu);
      const ran = sensitive.filter(({ number }) => counted[number] > 0).map(({ text }) => text);
      expect(ran).toEqual(
        expect.arrayContaining(['SYSENTER', 'SYSEXIT', 'IRETW/IRET', 'LTR Ew', 'POPFW/POPF', 'INVLPG Mb', 'MOV Dd, Rd', 'LSL Gv, Ew']),
      );
    }, 300_000);
  }
});
