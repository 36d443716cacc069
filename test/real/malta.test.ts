import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { makeCpio } from '../support/cpio.ts';
import { systemModule } from '../support/runtime.ts';
import { guestRoot } from './guests.ts';
import { debianKernel } from './kernels.ts';

const guest = guestRoot('mipsel');
const kernel = 'missing' in guest ? guest : debianKernel('4kc-malta');
if ('missing' in kernel) console.warn(`Debian's kernel for Malta is not booted: ${kernel.missing}`);

const LIMIT_MS = 600_000;
/** A file that no command prints by chance. */
const DATA = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 2654435761) >>> 24);
const INIT = '#!/bin/sh\nmount -t proc proc /proc\nmount -t sysfs sys /sys\nPS1="ready> " exec sh\n';
const PROMPT = 'ready> ';
/** What the shell's line editing tells the terminal, such as to give the cursor's place. */
const CONTROL = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

function initramfs(busybox: Uint8Array): Uint8Array {
  const directories = ['bin', 'dev', 'proc', 'sys'].map((name) => ({ name, mode: 0o40755 }));
  const applets = ['sh', 'mount', 'cat', 'md5sum', 'uname', 'poweroff'].map((name) => ({
    name: `bin/${name}`,
    mode: 0o120777,
    content: 'busybox',
  }));
  return makeCpio([
    ...directories,
    { name: 'dev/console', mode: 0o20600, device: [5, 1] },
    { name: 'bin/busybox', mode: 0o100755, content: busybox },
    ...applets,
    { name: 'data', mode: 0o100644, content: DATA },
    { name: 'init', mode: 0o100755, content: INIT },
  ]);
}

/** Boots to a shell and types these commands, each at a prompt. Gives what each printed, and how the machine ended. */
async function session(executor: Executor, commands: readonly string[]) {
  const busybox = new Uint8Array(readFileSync(join((guest as { root: string }).root, 'bin/busybox')));
  const machine = await createMachine({
    machine: 'malta',
    runtime: systemModule(),
    kernel: (kernel as { kernel: Uint8Array }).kernel,
    initrd: initramfs(busybox),
    commandLine: 'console=ttyS0 nokaslr',
    executor,
    // in host time, a kernel on a busy host complains of processors that are stuck
    clock: 'virtual',
  });
  let log = '';
  let printed = '';
  let next = 0;
  const results: string[] = [];
  machine.on('console', (bytes) => {
    const text = Buffer.from(bytes).toString('latin1');
    log += text;
    printed += text;
    const shown = printed.replaceAll(CONTROL, '');
    if (!shown.endsWith(PROMPT)) return;
    if (next > 0) results.push(shown.slice(0, -PROMPT.length).replaceAll('\r', ''));
    printed = '';
    if (next < commands.length) machine.input(new TextEncoder().encode(`${commands[next++]}\n`));
  });
  const timer = setTimeout(() => machine.stop(), LIMIT_MS);
  const end = await machine.run();
  clearTimeout(timer);
  if (end?.reason === 'stopped') throw new Error(`not done in ${LIMIT_MS / 1000} seconds; it printed last: ${log.slice(-1000)}`);
  return { log, results, end };
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

describe.skipIf('missing' in kernel)('Debian’s kernel on a Malta', () => {
  // session.test.ts does it tiered
  test.each<Executor>(['interpret'])('%s: boots to a shell, which works, and switches off', async (executor) => {
    const { log, results, end } = await session(executor, [
      'uname -srm',
      'cat /proc/cpuinfo',
      'md5sum /data /bin/busybox',
      'i=0; while [ $i -lt 200 ]; do i=$((i+1)); done; echo $i $(cat /proc/self/comm)',
      'poweroff -f',
    ]);
    expect(log).toMatch(/Linux version 6\.1\.\S+-4kc-malta/);
    expect(log).not.toMatch(/Oops|BUG:|Call Trace|panic/);
    const [uname, cpu, sums, loop] = results;
    expect(uname).toMatch(/\nLinux 6\.1\.\S+-4kc-malta mips\n/);
    expect(cpu).toMatch(/system type\s*: MIPS Malta\n/);
    expect(cpu).toMatch(/cpu model\s*: MIPS 24Kc V0\.0 {2}FPU V0\.0\n/);
    expect(cpu).toMatch(/tlb_entries\s*: 64\n/);
    const busybox = readFileSync(join((guest as { root: string }).root, 'bin/busybox'));
    expect(sums).toContain(`${md5(DATA)}  /data\n${md5(busybox)}  /bin/busybox\n`);
    expect(loop).toContain('\n200 cat\n');
    expect(end).toEqual({ reason: 'power-off', code: 0 });
  }, 900_000);
});
