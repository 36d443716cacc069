import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case, Checks, Outcome, Suite } from './suite.ts';

/** Flags of its x86 tests (Makefile.all.am, none/tests/x86/Makefile.am); not position independent, as its assembly wants. */
const FLAGS = ['-O', '-g', '-w', '-fomit-frame-pointer', '-fno-stack-protector', '-fno-pie', '-no-pie', '-mmmx', '-msse'];
const FLAGS_OF: Readonly<Record<string, readonly string[]>> = {
  fpu_lazy_eflags: ['-O2', '-march=pentiumpro'],
  insn_sse2: ['-msse2'],
  insn_sse3: ['-msse3'],
  insn_ssse3: ['-mssse3'],
};
/** What Makefile.am does not run, or what is no program with expected output. */
const NOT_RUN: Readonly<Record<string, string>> = {
  allexec: 'has no expected output',
  faultstatus: 'disabled by its authors',
  int: 'disabled by its authors',
  lzcnt32: 'beyond the tier: LZCNT',
  movbe: 'beyond the tier: MOVBE',
  yield: 'disabled by its authors',
};

/** One function of thousands of instructions, or a loop of a million. */
const SLOW = new Set(['insn_basic', 'insn_cmov', 'insn_fpu', 'insn_sse2', 'x86locked']);

const folderOf = (root: string): string => join(root, 'none/tests/x86');
const flagsFor = (root: string, name: string): string[] => [...FLAGS, ...(FLAGS_OF[name] ?? []), '-I', root, '-I', join(root, 'include')];

function expected(folder: string, name: string): string[] {
  const first = `${name}.stdout.exp`;
  const all = readdirSync(folder).filter((file) => file === first || (file.startsWith(`${first}-`) && !file.includes('solaris')));
  return all.map((file) => readFileSync(join(folder, file), 'latin1'));
}

/** The generated tests: a line for each instruction, `name ... ok`. */
export const valgrindInstructions: Suite = {
  id: 'valgrind-insn',
  title: 'Valgrind none/tests/x86, instruction checks',
  arch: 'i386',
  package: 'valgrind',
  cases(root) {
    const folder = folderOf(root);
    return readdirSync(folder)
      .filter((file) => file.endsWith('.def'))
      .map((file): Case => {
        const name = file.slice(0, -4);
        const lines = expected(folder, name)[0].trimEnd().split('\n');
        const check = ({ stdout }: Outcome): Checks => {
          const printed = new Set(stdout.split('\n'));
          return new Map(lines.map((line) => [`${name}/${line.replace(/ \.\.\. .*/, '')}`, printed.has(line)]));
        };
        return { name, folder, sources: [join(folder, file)], flags: flagsFor(root, name), check, slow: SLOW.has(name) };
      });
  },
};

export const valgrindPrograms: Suite = {
  id: 'valgrind-programs',
  title: 'Valgrind none/tests/x86, programs',
  arch: 'i386',
  package: 'valgrind',
  cases(root) {
    const folder = folderOf(root);
    const names = readdirSync(folder).flatMap((file) => (file.endsWith('.stderr.exp') ? [file.slice(0, -'.stderr.exp'.length)] : []));
    return ['allexec', ...names.filter((name) => !name.startsWith('insn_'))].map((name): Case => {
      const sources = name === 'cpuid' ? ['cpuid_c.c', 'cpuid_s.S'] : [`${name}.c`];
      const outputs = expected(folder, name);
      const skip = NOT_RUN[name] ?? (existsSync(join(folder, sources[0])) ? undefined : 'has no source');
      // Valgrind's own filters: infinities of another libc, and what it says of itself on stderr
      const check = ({ stdout }: Outcome): Checks => new Map([[name, outputs.includes(filtered(name, stdout))]]);
      return {
        name,
        ...(skip !== undefined && { skip }),
        folder,
        sources: sources.map((file) => join(folder, file)),
        flags: flagsFor(root, name),
        check,
        slow: SLOW.has(name),
      };
    });
  },
};

/** stdout_filter of the test. */
function filtered(name: string, stdout: string): string {
  return name === 'cpuid' ? stdout.replace(/0x[0-9a-f]+/g, '0x........') : stdout;
}
