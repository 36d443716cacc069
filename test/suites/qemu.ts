import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Arch, type Case, type Checks, exitsWithZero, type Outcome, type Suite } from './suite.ts';

/** As tests/tcg/Makefile.target builds them. */
const FLAGS = ['-w', '-O0', '-g', '-fno-strict-aliasing'];

/** Tests of instructions that a processor with SSE2 lacks, or that are for another mode. */
const BEYOND: Readonly<Record<string, string>> = {
  'test-avx': 'beyond the tier: AVX, x86-64 only',
  'test-3dnow': 'beyond the tier: 3DNow!, x86-64 only',
  'test-mmx': 'x86-64 only',
  'test-i386-ssse3': 'x86-64 only',
  'test-i386-bmi2': 'beyond the tier: BMI2',
  'test-i386-pcmpistri': 'beyond the tier: SSE4.2',
  'test-i386-sse-exceptions': 'beyond the tier: SSE4.1',
};
const FLAGS_OF: Readonly<Record<string, readonly string[]>> = {
  'test-i386': ['-fno-pie', '-no-pie'],
  'hello-i386': ['-ffreestanding', '-nostdlib'],
  'hello-mips': ['-mno-abicalls', '-fno-PIC', '-mabi=32', '-nostdlib'],
  testthread: ['-pthread'],
  threadcount: ['-pthread'],
  signals: ['-pthread'],
  'munmap-pthread': ['-pthread'],
};
const MORE_SOURCES: Readonly<Record<string, readonly string[]>> = { 'test-i386': ['test-i386-code16.S', 'test-i386-vm86.S'] };
/** Judged by what the processor prints, as their authors made the references. */
const REFERENCES = new Set(['test-i386', 'test-i386-fprem']);

export const qemuI386: Suite = {
  id: 'qemu-i386',
  title: 'QEMU tests/tcg/i386',
  arch: 'i386',
  package: 'qemu',
  cases(root) {
    const folder = join(root, 'tests/tcg/i386');
    return readdirSync(folder)
      .filter((file) => file.endsWith('.c'))
      .map((file): Case => {
        const name = file.slice(0, -2);
        const sources = [file, ...(MORE_SOURCES[name] ?? [])].map((f) => join(folder, f));
        const flags = [...FLAGS, ...(FLAGS_OF[name] ?? [])];
        const needsProcessor = REFERENCES.has(name);
        const check = (outcome: Outcome, processor: Outcome | undefined): Checks =>
          needsProcessor ? sameLines(name, outcome, processor!) : exitsWithZero(name)(outcome);
        return { name, ...(BEYOND[name] && { skip: BEYOND[name] }), sources, flags, folder, check, needsProcessor };
      });
  },
};

/** A check for each kind of line (the instruction that starts it), which holds if all its lines are the processor’s. */
function sameLines(name: string, outcome: Outcome, processor: Outcome): Checks {
  const lines = outcome.stdout.split('\n');
  const checks = new Map<string, boolean>();
  processor.stdout.split('\n').forEach((line, index) => {
    const kind = `${name}/${/^[\w.() -]*?(?=\s+[A-D]\w*=|[=:]|$)/.exec(line)?.[0].trim().split(/\s+/)[0] || 'other'}`;
    checks.set(kind, (checks.get(kind) ?? true) && lines[index] === line);
  });
  return checks;
}

export const qemuMultiarch = (arch: Arch): Suite => ({
  id: `qemu-multiarch-${arch}`,
  title: `QEMU tests/tcg/multiarch, ${arch}`,
  arch,
  package: 'qemu',
  cases(root) {
    const tcg = join(root, 'tests/tcg');
    const common = join(tcg, 'multiarch');
    const programs = [common, join(common, 'linux')].flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => file.endsWith('.c'))
        .map((file) => ({ folder, name: file.slice(0, -2) })),
    );
    if (arch !== 'i386') programs.push({ folder: join(tcg, 'mips'), name: 'hello-mips' });
    return programs.map(({ folder, name }): Case => {
      const helpers = name.startsWith('float_') ? [join(common, 'libs/float_helpers.c')] : [];
      const reference = join(tcg, arch, `${name}.ref`);
      const text = existsSync(reference) ? readFileSync(reference, 'latin1') : undefined;
      const check = (outcome: Outcome): Checks =>
        new Map([[name, outcome.status === 0 && (text === undefined || outcome.stdout === text)]]);
      return { name, sources: [join(folder, `${name}.c`), ...helpers], flags: [...FLAGS, ...(FLAGS_OF[name] ?? [])], folder, check };
    });
  },
});
