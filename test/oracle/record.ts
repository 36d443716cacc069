import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
import { encodeSuite, type Oracle, type RecordedSuite } from '../../src/conformance/vectors.ts';
import { recordMipsSuite, recordUnaligned } from './mips/record-suite.ts';
import { nativeExecutor } from './x86/native.ts';
import { recordSuite, SUITES } from './x86/record.ts';

interface ManifestSuite {
  readonly file: string;
  /** SHA-256 of the file before compression. */
  readonly sha256: string;
  readonly bytes: number;
  readonly seed: number;
  readonly forms: number;
  readonly vectors: number;
  readonly skipped: number;
  readonly oracle: Oracle;
}

const firstLine = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout?.split('\n')[0] ?? '';

/** Model, family and stepping: results that the manual leaves open depend on them. */
function processorModel(): string {
  const text = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const of = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '?';
  return `${cpus()[0].model}, family ${of('cpu family')} model ${of('model')} stepping ${of('stepping')}`;
}

function x86Suite(name: string, seed: number, count: number): RecordedSuite | string {
  const processor = nativeExecutor();
  if ('missing' in processor) return processor.missing;
  const details = { processor: processorModel(), kernel: `Linux ${release()}`, compiler: firstLine('gcc', '--version') };
  return recordSuite(name, processor, { seed, count, oracle: { name: 'the processor', details } });
}

function mipsSuite(isa: 'mips' | 'mipsel', part: 'integer' | 'fpu', seed: number, count: number): RecordedSuite | string {
  const details = { qemu: firstLine(`qemu-${isa}`, '--version'), compiler: firstLine(`${isa}-linux-gnu-gcc`, '--version') };
  return recordMipsSuite(isa, part, { seed, count, oracle: { name: `qemu-${isa}`, details } });
}

function unalignedSuite(seed: number, count: number): RecordedSuite | string {
  const details = { qemu: firstLine('qemu-system-mipsel', '--version'), compiler: firstLine('mipsel-linux-gnu-gcc', '--version') };
  return recordUnaligned({ seed, count, oracle: { name: 'Linux on qemu-system-mipsel', details } });
}

type Recorder = (seed: number, count: number) => RecordedSuite | string;
const RECORDERS: Readonly<Record<string, Recorder>> = {
  ...Object.fromEntries(
    Object.keys(SUITES).map((name): [string, Recorder] => [`x86-${name}`, (seed, count) => x86Suite(name, seed, count)]),
  ),
  ...Object.fromEntries(
    (['mips', 'mipsel'] as const).flatMap((isa) =>
      (['integer', 'fpu'] as const).map((part): [string, Recorder] => [
        `${isa}-${part}`,
        (seed, count) => mipsSuite(isa, part, seed, count),
      ]),
    ),
  ),
  'mipsel-unaligned': unalignedSuite,
};

/** The command: gives the exit code. */
export function record(args: readonly string[], home: string): number {
  const { values } = parseArgs({
    args: [...args],
    options: { suite: { type: 'string' }, seed: { type: 'string' }, count: { type: 'string' }, out: { type: 'string' } },
  });
  const names = values.suite?.split(',') ?? Object.keys(RECORDERS);
  const seed = Number(values.seed ?? 1);
  const count = Number(values.count ?? 200);
  const unknown = names.find((name) => !Object.hasOwn(RECORDERS, name));
  if (unknown !== undefined || !Number.isInteger(seed) || !(count > 0)) {
    console.error(
      unknown === undefined ? '--seed and --count are numbers' : `no suite ${unknown}: choose from ${Object.keys(RECORDERS).join(', ')}`,
    );
    return 2;
  }
  const out = values.out ?? home;
  mkdirSync(out, { recursive: true });
  const manifestFile = join(out, 'manifest.json');
  const manifest: Record<string, ManifestSuite> = existsSync(manifestFile) ? JSON.parse(readFileSync(manifestFile, 'utf8')) : {};
  let missing = 0;
  for (const name of names) {
    const suite = RECORDERS[name](seed, count);
    if (typeof suite === 'string') {
      console.error(`${name}: not recorded: ${suite.trim().split('\n')[0]}`);
      missing = 1;
      continue;
    }
    const bytes = encodeSuite(suite);
    const packed = brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    });
    writeFileSync(join(out, `${name}.bin`), packed);
    const vectors = suite.forms.reduce((sum, f) => sum + f.vectors.length, 0);
    const skipped = suite.forms.filter((f) => f.skipped !== undefined).length;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    manifest[name] = {
      file: `${name}.bin`,
      sha256,
      bytes: packed.length,
      seed,
      forms: suite.forms.length,
      vectors,
      skipped,
      oracle: suite.oracle,
    };
    console.log(
      `${name}: ${suite.forms.length} forms, ${skipped} of them skipped, ${vectors} vectors, ${bytes.length} bytes, ${packed.length} packed`,
    );
  }
  const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(manifestFile, `${JSON.stringify(sorted, null, 2)}\n`);
  return missing;
}
