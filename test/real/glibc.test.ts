import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executorsOf, haveQemu, inTree, qemu, wasmvisor } from './execute.ts';
import { have } from './guests.ts';

/** Our own C program with a static glibc, for each ISA that a Debian cross compiler makes. */
const TARGETS = [
  { arch: 'mips', compiler: 'mips-linux-gnu-gcc', flags: [] },
  { arch: 'mipsel', compiler: 'mipsel-linux-gnu-gcc', flags: [] },
  { arch: 'i386', compiler: 'i686-linux-gnu-gcc', flags: ['-march=i686', '-mfpmath=387'] },
] as const;

/** The first is always translated on big-endian MIPS, for which there are no programs of Debian's; they are on the others. */
const CASES = [[], ['one', 'two words'], ['catch'], ['abort'], ['null'], ['jump'], ['divide']];

const withoutQemu = (stderr: string): string => stderr.replace(/^qemu: uncaught target signal.*\n/gm, '');
/** What wasmvisor says of a guest that died by a fault of its own. */
const withoutReport = (stderr: string): string => stderr.replace(/^wasmvisor: [\s\S]*/m, '');

/**
 * What Linux gives where qemu-user gives something else: TEQ with code 7 (division by zero) is SIGFPE on Linux
 * (arch/mips/kernel/traps.c, do_trap_or_bp), SIGTRAP in qemu-user 7.2.
 */
const linuxStatus = (arch: string, args: readonly string[], status: number): number =>
  arch !== 'i386' && args[0] === 'divide' && status === 128 + 5 ? 128 + 8 : status;

for (const { arch, compiler, flags } of TARGETS) {
  const missing = [compiler, `qemu-${arch}`].filter((tool) => !have(tool));
  if (missing.length > 0) console.warn(`the static glibc program for ${arch} is not tested: ${missing.join(' and ')} not installed`);

  describe.skipIf(missing.length > 0 || !haveQemu(arch))(`a static glibc program for ${arch} does what it does under qemu-${arch}`, () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'wasmvisor-glibc-'));
      const binary = join(folder, 'libc');
      execFileSync(compiler, ['-O2', '-static', ...flags, '-o', binary, join(import.meta.dirname, 'programs/libc.c'), '-lm']);
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    for (const args of CASES) {
      test(args.join(' ') || 'without arguments', async () => {
        const expected = await inTree((cwd) => qemu(arch, folder, '/libc', args, cwd));
        for (const executor of executorsOf(args === CASES[0] && arch === 'mips')) {
          const actual = await inTree((cwd) => wasmvisor(executor, folder, '/libc', args, cwd));
          expect({ executor, ...actual, stderr: withoutReport(actual.stderr) }).toEqual({
            executor,
            ...expected,
            status: linuxStatus(arch, args, expected.status),
            stderr: withoutQemu(expected.stderr),
          });
        }
      }, 600_000);
    }
  });
}
