// Rebuilds the corpus programs from source/ with Debian's cross compilers, runs them under qemu-user and writes
// manifest.json: what each file is (sha256, compiler, command) and what it prints. x86 runs on the processor itself
// where that is possible. `node corpus/programs/build.mjs --check` compares instead of writing.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes('--check');

const COMMON = (
  '-O2 -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -static -fno-pic -no-pie -fno-ident ' +
  '-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-math-errno ' +
  '-Wl,--build-id=none -Wl,-z,norelro -Wl,-z,noexecstack -Wl,-z,max-page-size=4096'
).split(' ');
const MIPS = ['-march=mips32r2', '-mno-abicalls', '-G0'];

/** Folder, compiler, its flags, and what runs the result. */
const targets = [
  { isa: 'mips', folder: 'mips', compiler: 'mips-linux-gnu-gcc', flags: MIPS, runner: ['qemu-mips'] },
  { isa: 'mipsel', folder: 'mipsel', compiler: 'mipsel-linux-gnu-gcc', flags: MIPS, runner: ['qemu-mipsel'] },
  { isa: 'x86', folder: 'x86', compiler: 'i686-linux-gnu-gcc', flags: ['-march=i686', '-mfpmath=387'], runner: [] },
  {
    isa: 'x86',
    folder: 'x86-sse2',
    compiler: 'i686-linux-gnu-gcc',
    flags: ['-march=pentium4', '-mfpmath=sse'],
    runner: [],
    only: 'double',
  },
];

/**
 * A short run for the tests; the long one is each program's default. `bench` is so much longer that `wasmvisor bench` has some half a
 * second to measure when it is translated (`x87`: what takes far longer there).
 */
const programs = [
  { name: 'hello', short: 2, bench: 3 },
  { name: 'fib', short: 20, bench: 38 },
  { name: 'sieve', short: 1, bench: 130 },
  { name: 'quicksort', short: 1, bench: 65 },
  { name: 'sha256', short: 2, bench: 2000 },
  { name: 'crc32', short: 4, bench: 3500 },
  { name: 'bytecode', short: 20000, bench: 20_000_000 },
  { name: 'matrix', short: 1, bench: 1000 },
  { name: 'strings', short: 1000, bench: 500_000 },
  { name: 'states', short: 4, bench: 1000 },
  { name: 'recursion', short: 4, bench: 11 },
  { name: 'matrix-double', short: 1, bench: 400, x87: 45, double: true },
  { name: 'nbody', short: 1000, bench: 2_000_000, x87: 270_000, double: true },
  { name: 'mandelbrot', short: 60, bench: 2000, x87: 600, double: true },
];

const run = (command, args) => execFileSync(command, args, { encoding: 'utf8', cwd: here });
const version = (compiler) => run(compiler, ['--version']).split('\n')[0];

/** `--check` leaves out the runs of `bench`, for the time they take: what they print is as the file has it. */
const recorded = (file) => before.find((entry) => entry.file === file)?.bench.stdout;
const path = join(here, 'manifest.json');
const before = check ? JSON.parse(readFileSync(path, 'utf8')).programs : [];

const out = check ? mkdtempSync(join(tmpdir(), 'wasmvisor-corpus-')) : here;
const entries = [];
for (const { isa, folder, compiler, flags, runner, only } of targets) {
  if (!check) rmSync(join(here, folder), { recursive: true, force: true });
  mkdirSync(join(out, folder), { recursive: true });
  for (const { name, short, bench, x87 = bench, double = false } of programs) {
    if (only === 'double' && !double) continue;
    const file = `${folder}/${name}`;
    const target = join(out, file);
    const args = [...COMMON, ...flags, '-o', target, `source/${name}.c`];
    run(compiler, args);
    const tools = compiler.replace(/gcc$/, '');
    const undefinedNames = run(`${tools}nm`, ['--undefined-only', target]).trim();
    if (undefinedNames) throw new Error(`${file} calls what it does not define: ${undefinedNames}`);
    run(`${tools}strip`, ['--strip-debug', '--remove-section=.comment', '--remove-section=.gnu.attributes', target]);
    const bytes = readFileSync(target);
    const record = (...programArgs) => {
      const [command, ...rest] = [...runner, target, ...programArgs];
      const started = performance.now();
      const stdout = run(command, rest);
      if (!check) console.log(`${file} ${programArgs.join(' ')}: ${stdout.trim()} (${Math.round(performance.now() - started)} ms)`);
      return { args: programArgs, stdout };
    };
    const size = String(folder === 'x86' ? x87 : bench);
    const runs = [record(String(short)), record()];
    entries.push({
      name,
      isa,
      file,
      double,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      compiler: version(compiler),
      command: [compiler, ...args.slice(0, -2), file, `source/${name}.c`].join(' '),
      oracle: runner[0] ?? 'processor',
      runs,
      bench: check ? { args: [size], stdout: recorded(file) } : record(size),
    });
  }
}

const text = `${JSON.stringify({ sources: readdirSync(join(here, 'source')).sort(), programs: entries }, null, 2)}\n`;
if (check) {
  rmSync(out, { recursive: true });
  if (text !== readFileSync(path, 'utf8')) {
    console.error('corpus/programs differs from what its sources build (or the compiler is another version)');
    process.exit(1);
  }
  console.log(`${entries.length} programs rebuilt, all the same`);
} else {
  writeFileSync(path, text);
}
