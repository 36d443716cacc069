import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { guestRoot } from '../real/guests.ts';
import { debianKernel } from '../real/kernels.ts';
import { PROMPT, type Shell, shellDisk, startShell } from '../real/shell.ts';
import { judge, type Recorded, recorded } from './x86/replay.ts';
import { fillFolder, programRuns, runCases, writeCases, x86Suites } from './x86/user-mode.ts';

/** In an order in which they load. */
const MODULES = 'virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p'.split(' ');
const LIMIT_MS = 3_600_000;
const CHUNK = 20_000;

/** The command: gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kernel: { type: 'string', default: '686' },
      suite: { type: 'string' },
      every: { type: 'string', default: '1' },
      executor: { type: 'string', default: 'tiered' },
      programs: { type: 'string', default: 'long' },
    },
  });
  const guest = guestRoot('i386');
  const debian = 'missing' in guest ? guest : debianKernel(values.kernel);
  if ('missing' in guest || 'missing' in debian) {
    console.error('missing' in debian ? debian.missing : '');
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-machine-'));
  try {
    const missing = fillFolder(folder);
    if (missing !== undefined) {
      console.error(missing);
      return 2;
    }
    writeFileSync(join(folder, 'kernel'), debian.kernel);
    writeFileSync(
      join(folder, 'initrd'),
      shellDisk(guest.root, debian.modules, MODULES, ['cat'], [{ name: 'share/.mounted', mode: 0o100644 }]),
    );
    const boot = [
      '--kernel',
      join(folder, 'kernel'),
      '--initrd',
      join(folder, 'initrd'),
      '--append',
      'console=ttyS0 quiet',
      '--share',
      folder,
    ];
    const shell = startShell([...boot, ...(values.executor === 'tiered' ? [] : [`--${values.executor}`])], LIMIT_MS);
    try {
      const { ms } = await shell.console.until(PROMPT);
      console.log(`at the prompt after ${(ms / 1000).toFixed(1)} s`);
      await shell.type('mount -t 9p -o trans=virtio,version=9p2000.L share /share');
      const wrong = values.programs === 'none' ? 0 : await programs(shell, values.programs === 'short' ? 'short' : 'long');
      const chosen = x86Suites().filter(({ name }) => values.suite === undefined || values.suite.split(',').includes(name));
      const failed = await vectors(shell, folder, [...recorded(chosen, Number(values.every))]);
      shell.console.send('poweroff -f\n');
      return (await shell.console.ended()) === 0 && wrong + failed === 0 ? 0 : 1;
    } finally {
      await shell.console.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function programs(shell: Shell, length: 'short' | 'long'): Promise<number> {
  const runs = programRuns('/share', length);
  let wrong = 0;
  for (const { command, prints } of runs) {
    const printed = await shell.type(command);
    if (printed === prints) continue;
    wrong++;
    console.log(`${command} prints ${JSON.stringify(printed)}, not ${JSON.stringify(prints)}`);
  }
  console.log(`programs: ${runs.length - wrong} of ${runs.length} print what they print on the processor`);
  return wrong;
}

async function vectors(shell: Shell, folder: string, all: readonly Recorded[]): Promise<number> {
  const counts = new Map<string, { passed: number; failed: number }>();
  for (let first = 0; first < all.length; first += CHUNK) {
    const chunk = all.slice(first, first + CHUNK);
    writeCases(folder, chunk);
    const status = await shell.type(runCases('/share'));
    if (status !== '0\n') throw new Error(`the runner ended with ${status}`);
    const judged = judge(chunk, readFileSync(join(folder, 'outcomes')), 'in the machine');
    for (const [group, { passed, failed }] of judged.counts) {
      const sum = counts.get(group) ?? { passed: 0, failed: 0 };
      counts.set(group, { passed: sum.passed + passed, failed: sum.failed + failed });
    }
    for (const failure of judged.failures) console.log(failure);
  }
  let [passed, failed] = [0, 0];
  for (const [group, count] of counts) {
    console.log(`${group.padEnd(12)} ${String(count.passed).padStart(7)} passed, ${count.failed} failed`);
    passed += count.passed;
    failed += count.failed;
  }
  console.log(`vectors: ${passed} passed, ${failed} failed`);
  return failed;
}
