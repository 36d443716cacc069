import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { makeCpio } from '../support/cpio.ts';
import { systemModule } from '../support/runtime.ts';
import { guestRoot } from './guests.ts';
import { debianKernel } from './kernels.ts';
import { seabios } from './seabios.ts';

const runtime = systemModule();
const programs = guestRoot('i386');
const guest = 'missing' in programs ? programs : debianKernel('686');
const bios = seabios();

const INIT = `#!/bin/sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox --install -s /bin
exec setsid cttyhack sh
`;
/** Bytes that no compression or coincidence gives: a linear congruential generator's. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

describe('pc', () => {
  it.skipIf('missing' in guest)(
    'boots Debian’s kernel to a shell, which computes and switches the machine off',
    async () => {
      if ('missing' in guest || 'missing' in programs) return;
      const data = noise(1 << 20);
      const initrd = makeCpio([
        { name: 'bin', mode: 0o40755 },
        { name: 'dev', mode: 0o40755 },
        { name: 'dev/console', mode: 0o20600, device: [5, 1] },
        { name: 'bin/busybox', mode: 0o100755, content: readFileSync(join(programs.root, 'bin/busybox')) },
        { name: 'bin/sh', mode: 0o120777, content: 'busybox' },
        { name: 'data', mode: 0o100644, content: data },
        { name: 'init', mode: 0o100755, content: INIT },
      ]);
      const machine = await createMachine({
        machine: 'pc',
        runtime,
        kernel: guest.kernel,
        initrd,
        commandLine: 'console=ttyS0 quiet',
      });
      let text = '';
      let answered = 0;
      const commands = [
        'md5sum /data',
        'cat /proc/cpuinfo',
        'uname -srm',
        'dmesg | grep -ci oops',
        'dmesg | grep -e Hypervisor -e "Switched to"',
        'cat /sys/devices/system/clocksource/clocksource0/current_clocksource',
        'date +clock:%s',
        'poweroff -f',
      ];
      let clockError = Number.POSITIVE_INFINITY;
      machine.on('console', (bytes) => {
        text += String.fromCharCode(...bytes);
        const date = /clock:(\d+)\r/.exec(text);
        if (date) clockError = Math.min(clockError, Math.abs(Date.now() / 1000 - Number(date[1])));
        // the shell asks where the cursor is
        if (!['# ', '# \u001b[6n'].some((prompt) => text.slice(answered).endsWith(prompt))) return;
        answered = text.length;
        const command = commands.shift();
        if (command) machine.input(new TextEncoder().encode(`${command}\r`));
      });
      const timer = setTimeout(() => machine.stop(), 280_000);
      const end = await machine.run();
      clearTimeout(timer);
      expect(end, text.slice(-2000)).toEqual({ reason: 'power-off', code: 0 });
      expect(text).toContain(`${createHash('md5').update(data).digest('hex')}  /data`);
      expect(text).toContain('wasmvisor virtual processor');
      expect(text).toMatch(/Linux 6\.1\.\S+ i686/);
      expect(text).toMatch(/oops\r\n0\r\n/);
      // it knows its host, and takes the time from it
      expect(text).toContain('Hypervisor detected: KVM');
      expect(text).toContain('Switched to clocksource kvm-clock');
      expect(text).toContain('current_clocksource\r\nkvm-clock\r\n');
      expect(clockError).toBeLessThan(5);
    },
    300_000,
  );

  it.skipIf('missing' in bios)(
    'runs SeaBIOS from the reset address to its attempt to boot',
    async () => {
      if ('missing' in bios) return;
      const firmware = readFileSync(join(bios.folder, 'bios.bin'));
      const machine = await createMachine({ machine: 'pc', runtime, firmware, memory: 32 << 20 });
      let text = '';
      machine.on('console', (bytes) => {
        text += String.fromCharCode(...bytes);
        if (text.includes('No bootable device')) machine.stop();
      });
      const timer = setTimeout(() => machine.stop(), 100_000);
      await machine.run();
      clearTimeout(timer);
      expect(text).toMatch(/SeaBIOS \(version /);
      expect(text).toContain('No bootable device');
    },
    120_000,
  );
});
