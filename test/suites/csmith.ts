import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Lane } from './execute.ts';
import { type Arch, type Case, exitsWithZero, type Where } from './suite.ts';

const USAGE = `node test/suites/csmith.mjs [options]
  --isa <list>       of i386, mips, mipsel (default: all)
  --options <list>   compiler options, one set a comma (default: -O0,-O1,-O2,-O3,-Os)
  --seed <n>         the first program's (default: by the clock); it and its successors repeat a run
  --seconds <s>      starts no new program after so many (default: 60)
  --csmith <file>    csmith itself; --include <folder> its headers
`;

/** Small ones, so that there are many. */
const SIZE = ['--max-funcs', '4', '--max-block-depth', '3', '--max-block-size', '3'];
/** What a program's reference may take; csmith's sometimes run for ever. */
const PATIENCE_MS = 2_000;
const OURS: readonly Where[] = ['interpret', 'translate'];
/** Of glibc on i386: SSE2's double is what C means, where x87's is wider. */
const MODELS: Readonly<Record<Arch, readonly (readonly string[])[]>> = {
  i386: [[], ['-msse2', '-mfpmath=sse']],
  mips: [[]],
  mipsel: [[]],
};

export async function main(args: readonly string[], guestModule: string): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean' },
      isa: { type: 'string', default: 'i386,mips,mipsel' },
      options: { type: 'string', default: '-O0,-O1,-O2,-O3,-Os' },
      seed: { type: 'string', default: `${Date.now() % 1e9}` },
      seconds: { type: 'string', default: '60' },
      csmith: { type: 'string', default: 'csmith' },
      include: { type: 'string', default: '/usr/include/csmith' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const arches = values.isa.split(',') as Arch[];
  const levels = values.options.split(',').map((set) => set.split(' '));
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-csmith-'));
  const lane = new Lane(guestModule);
  const counts = new Map(arches.map((arch) => [arch, { same: 0, left: 0 }]));
  let differ = 0;
  let seed = Number(values.seed);
  const end = performance.now() + Number(values.seconds) * 1000;
  try {
    for (; performance.now() < end; seed++) {
      const source = join(folder, `${seed}.c`);
      execFileSync(values.csmith, ['--seed', `${seed}`, '--output', source, ...SIZE, ...(seed % 2 ? ['--float'] : [])], {
        cwd: folder,
        stdio: 'ignore',
      });
      for (const arch of arches) {
        // one level for each program and architecture keeps the programs many
        const level = levels[(seed + arches.indexOf(arch)) % levels.length];
        const model = MODELS[arch][seed % MODELS[arch].length];
        const flags = [...level, ...model, '-w', '-I', values.include];
        const name = `csmith-${seed}`;
        const item: Case = { name, sources: [source], flags, folder, check: exitsWithZero(name) };
        const built = await lane.build(arch, item);
        const count = counts.get(arch)!;
        const start = performance.now();
        const reference =
          'file' in built ? await lane.run(arch === 'i386' ? 'processor' : 'qemu', arch, built.file, [], PATIENCE_MS) : undefined;
        // qemu-user does not make accesses that are not aligned good, as Linux does
        const unaligned = arch !== 'i386' && reference?.status === 128 + constants.signals.SIGBUS;
        if (!('file' in built) || !reference || reference.timeout || unaligned) {
          count.left++;
          continue;
        }
        for (const where of OURS) {
          const ours = await lane.run(where, arch, built.file, []);
          if (ours.stdout === reference.stdout && ours.status === reference.status) {
            count.same++;
            continue;
          }
          differ++;
          const shown = [reference, ours].map(({ stdout, status }) => `${status} ${stdout.slice(-60).trim()}`).join(' ≠ ');
          process.stdout.write(`DIFFERS seed ${seed} ${arch} ${flags.join(' ')}, ${where}: ${shown} ${ours.warnings?.join(' ') ?? ''}\n`);
        }
        if (performance.now() - start > 60_000) process.stdout.write(`seed ${seed} ${arch} ${level.join(' ')} was slow\n`);
        lane.remove(built.file);
      }
      rmSync(source);
    }
  } finally {
    await lane.close();
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [arch, { same, left }] of counts) process.stdout.write(`${arch}: ${same} runs as elsewhere, ${left} programs left out\n`);
  process.stdout.write(`seeds ${values.seed} to ${seed - 1}: ${differ} differ\n`);
  return differ > 0 ? 1 : 0;
}
