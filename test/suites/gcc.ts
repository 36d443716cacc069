import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BEYOND, directives } from './dejagnu.ts';
import { type Arch, type Case, exitsWithZero, type Suite } from './suite.ts';

const LANGUAGE = ['-w', '-fno-diagnostics-show-caret'];

const cFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.c'))
    .sort();

/** gcc.c-torture/execute with its folders ieee and builtins, as execute.exp, ieee.exp and builtins.exp compile them. */
export const torture = (arch: Arch, level: '-O0' | '-O2'): Suite => ({
  id: `gcc-torture-${arch}${level}`,
  title: `GCC gcc.c-torture/execute, ${arch} ${level}`,
  arch,
  package: 'gcc-12',
  cases(root) {
    const folder = join(root, 'gcc/testsuite/gcc.c-torture/execute');
    const make = (sub: string, file: string, sources: readonly string[], extra: readonly string[]): Case => {
      const name = `${sub}${file.slice(0, -2)}`;
      const { skip, flags } = directives(readFileSync(join(folder, sub, file), 'latin1'), arch, [level]);
      return {
        name,
        ...(skip !== undefined && { skip }),
        folder: join(folder, sub),
        sources: sources.map((source) => join(folder, sub, source)),
        flags: [...LANGUAGE, level, ...ofX(join(folder, sub), file, extra), ...flags],
        check: exitsWithZero(name),
      };
    };
    const ieee = ['-fno-inline', ...(arch === 'i386' ? ['-ffloat-store'] : [])];
    // they bring functions of the C library of their own
    const builtins = [
      '-Wl,--allow-multiple-definition',
      '-fno-tree-dse',
      '-fno-tree-loop-distribute-patterns',
      '-fno-tracer',
      '-fno-ipa-ra',
      '-fno-inline-functions',
    ];
    return [
      ...cFiles(folder).map((file) => make('', file, [file], [])),
      ...cFiles(join(folder, 'ieee')).map((file) => make('ieee/', file, [file], ieee)),
      ...cFiles(join(folder, 'builtins'))
        .filter((file) => !file.endsWith('-lib.c'))
        .map((file) => make('builtins/', file, [file, `${file.slice(0, -2)}-lib.c`, 'lib/main.c'], builtins)),
    ];
  },
});

/** A .x file beside a test may add to the options or replace them. */
function ofX(folder: string, file: string, options: readonly string[]): readonly string[] {
  const x = join(folder, `${file.slice(0, -2)}.x`);
  const found = existsSync(x) && /^(set|lappend) additional_flags "?([^"\n]+)"?$/m.exec(readFileSync(x, 'latin1'));
  if (!found) return options;
  const more = found[2].split(' ');
  return found[1] === 'set' ? [...options.filter((option) => option.startsWith('-Wl')), ...more] : [...options, ...more];
}

/** Options and effective targets of instruction sets up to SSSE3, which CPUID announces. */
const TIER =
  /^-m(no-\S+|80387|fpmath=\S+|mmx|sse[23]?|ssse3|arch=(i[3-6]86|pentium\S*|core2|x86-64|prescott|nocona)|tune=\S+|32|stackrealign|regparm=\S+)$/;
const OTHER_SETS =
  /^-m(3dnow\S*|avx\S*|sse4\S*|bmi\S*|lzcnt|popcnt|fma\S*|f16c|xop|aes|vaes|v?pclmul\S*|sha|gfni|adx|rtm|rdrnd|rdseed|amx\S*|movbe|movdir\S*|tbm|lwp|cx16|sahf|shstk|clzero|mwaitx|wbnoinvd|pku|fsgsbase|xsave\S*|clflushopt|clwb|prfchw|ptwrite|waitpkg|cldemote|enqcmd|serialize|tsxldtrk|hreset|kl|widekl|uintr|64|x32|abi=ms|arch=\S+)$/;

/** gcc.target/i386 tests that run, as far as their instructions are those of the tier. */
export const gccI386: Suite = {
  id: 'gcc-target-i386',
  title: 'GCC gcc.target/i386, run tests up to SSSE3',
  arch: 'i386',
  package: 'gcc-12',
  cases(root) {
    const folder = join(root, 'gcc/testsuite/gcc.target/i386');
    return cFiles(folder).flatMap((file): Case[] => {
      const { skip, runs, flags, moreSources } = directives(readFileSync(join(folder, file), 'latin1'), 'i386', []);
      if (!runs) return [];
      const name = file.slice(0, -2);
      const beyond = flags.find((flag) => OTHER_SETS.test(flag) && !TIER.test(flag));
      const why = skip ?? (beyond !== undefined ? BEYOND : undefined);
      return [
        {
          name,
          ...(why !== undefined && { skip: why }),
          folder,
          sources: [file, ...moreSources].map((source) => join(folder, source)),
          flags: [...LANGUAGE, ...flags.filter((flag) => !/^(-save-temps|-fdump|-dp?$)/.test(flag)), '-I', folder],
          check: exitsWithZero(name),
        },
      ];
    });
  },
};
