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
  'test-i386-fprem': 'prints 66 MB; its authors run it only where SPEED is slow',
  'test-i386-bmi2': 'beyond the tier: BMI2',
  'test-i386-pcmpistri': 'beyond the tier: SSE4.2',
  'test-i386-sse-exceptions': 'beyond the tier: SSE4.1',
};
const FLAGS_OF: Readonly<Record<string, readonly string[]>> = {
  'hello-i386': ['-ffreestanding', '-nostdlib'],
  'hello-mips': ['-mno-abicalls', '-fno-PIC', '-mabi=32', '-nostdlib'],
  testthread: ['-pthread'],
  threadcount: ['-pthread'],
  signals: ['-pthread'],
  'munmap-pthread': ['-pthread'],
};
export const qemuI386: Suite = {
  id: 'qemu-i386',
  title: 'QEMU tests/tcg/i386',
  arch: 'i386',
  package: 'qemu',
  cases(root) {
    const folder = join(root, 'tests/tcg/i386');
    return readdirSync(folder)
      .filter((file) => file.endsWith('.c'))
      .flatMap((file): Case[] => {
        const name = file.slice(0, -2);
        if (name === 'test-i386') return [wholeTest(folder), flatTest(folder)];
        const flags = [...FLAGS, ...(FLAGS_OF[name] ?? [])];
        const skip = BEYOND[name];
        return [{ name, ...(skip && { skip }), sources: [join(folder, file)], flags, folder, check: exitsWithZero(name) }];
      });
  },
};

const TEST_I386 = ['test-i386.c', 'test-i386-code16.S', 'test-i386-vm86.S'];
const testI386 = (folder: string): Omit<Case, 'name' | 'check'> => ({
  sources: TEST_I386.map((file) => join(folder, file)),
  flags: [...FLAGS, '-fno-pie', '-no-pie', '-I', folder],
  folder,
  needsProcessor: true,
});
/** The whole of it is one check: without its local descriptor table it ends in the middle. */
const wholeTest = (folder: string): Case => ({
  ...testI386(folder),
  name: 'test-i386',
  check: (outcome, processor) => sameOutput('test-i386', outcome, processor!),
});
/** Without that part, the rest shows what it is worth. */
const flatTest = (folder: string): Case => ({
  ...testI386(folder),
  name: 'test-i386-flat',
  without: /^#define TEST_SEGS$/m,
  check: (outcome, processor) => sameLines('test-i386', outcome, processor!),
});

const sameOutput = (name: string, outcome: Outcome, processor: Outcome): Checks => new Map([[name, outcome.stdout === processor.stdout]]);

/** A check for each kind of line (the instruction or word that starts it), which holds if all its lines are the processor’s. */
function sameLines(name: string, outcome: Outcome, processor: Outcome): Checks {
  const kinds = ({ stdout }: Outcome): Map<string, string> => {
    const lines = new Map<string, string>();
    for (const line of stdout.split('\n')) {
      const kind = /^[a-z]\w*/i.exec(line)?.[0] ?? 'other';
      lines.set(kind, `${lines.get(kind) ?? ''}${line}\n`);
    }
    return lines;
  };
  const ours = kinds(outcome);
  return new Map([...kinds(processor)].map(([kind, lines]) => [`${name}/${kind}`, ours.get(kind) === lines]));
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
