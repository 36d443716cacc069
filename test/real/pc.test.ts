import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { seabios } from './seabios.ts';

const runtime = systemModule();
const bios = seabios();

describe('pc', () => {
  it.skipIf('missing' in bios)(
    'runs SeaBIOS from the reset address to its attempt to boot',
    async () => {
      if ('missing' in bios) return;
      const firmware = readFileSync(join(bios.folder, 'bios.bin'));
      const machine = await createMachine({ machine: 'pc', runtime, firmware, memory: 32 << 20 });
      let text = '';
      machine.on('console', (bytes) => {
        text += Buffer.from(bytes).toString('latin1');
        if (text.includes('No bootable device')) machine.stop();
      });
      const timer = setTimeout(() => machine.stop(), 280_000);
      await machine.run();
      clearTimeout(timer);
      expect(text).toMatch(/SeaBIOS \(version /);
      expect(text).toContain('No bootable device');
    },
    300_000,
  );
});
