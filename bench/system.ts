import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { corpusPath, corpusPrograms } from '../src/cli/corpus.ts';
import { available, geometricMean, median } from '../src/cli/measure.ts';
import { type ConsoleCommand, openConsole, type Took } from '../test/real/console.ts';
import { type Arch, guestRoot, ROOT } from '../test/real/guests.ts';
import { executable, initramfs } from '../test/real/initramfs.ts';
import { debianKernel } from '../test/real/kernels.ts';
import { seabios } from '../test/real/seabios.ts';
import { FANNKUCH } from './fannkuch.ts';

type MachineKind = 'pc' | 'malta';
/** `wasmvisor` boots with nothing kept from earlier boots, `warm` with what one of this kernel and these programs left. */
type Runner = 'wasmvisor' | 'warm' | 'interpret' | 'v86' | 'qemu';

const APPEND = { pc: 'console=ttyS0 quiet tsc=reliable', malta: 'console=ttyS0 quiet' } as const;
const ARCH: Readonly<Record<MachineKind, Arch>> = { pc: 'i386', malta: 'mipsel' };
const FLAVOUR = { pc: '686', malta: '4kc-malta' } as const;
const PROMPT = 'ready> ';
const INIT = `#!/bin/sh
mount -t proc proc /proc
PS1="${PROMPT}" exec sh
`;
const LIBRARIES = ['libc.so.6', 'libm.so.6', 'libreadline.so.8', 'libtinfo.so.6'];
const PROGRAMS = ['bytecode', 'sha256', 'quicksort', 'states', 'strings', 'matrix', 'recursion'];
const FANNKUCH_OF_8 = '1616\t22\n';

interface Task {
  readonly name: string;
  readonly command: string;
  readonly prints: string;
}

/** Kernel, initial RAM disk, and what is typed at the prompt. */
interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  readonly tasks: readonly Task[];
}

export function prepare(kind: MachineKind, folder: string): Guest {
  const arch = ARCH[kind];
  const programs = guestRoot(arch);
  if ('missing' in programs) throw new Error(programs.missing);
  const kernel = debianKernel(FLAVOUR[kind]);
  if ('missing' in kernel) throw new Error(kernel.missing);
  const { root } = programs;
  const libraries = `lib/${arch === 'i386' ? 'i386' : 'mipsel'}-linux-gnu`;
  const loader = arch === 'i386' ? 'ld-linux.so.2' : 'ld.so.1';
  const chosen = corpusPrograms().filter(
    ({ name, file }) => PROGRAMS.includes(name) && file === `${arch === 'i386' ? 'x86' : arch}/${name}`,
  );
  const image = initramfs(root, ['sh', 'mount'], INIT, [
    executable('bin/lua', join(root, 'usr/bin/lua5.4')),
    executable(`lib/${loader}`, join(root, libraries, loader)),
    ...LIBRARIES.map((name) => executable(`lib/${name}`, join(root, libraries, name))),
    ...chosen.map((program) => executable(`corpus/${program.name}`, corpusPath(program))),
    { name: 'fannkuch.lua', mode: 0o100644, content: FANNKUCH },
  ]);
  const paths = { kernel: join(folder, `${kind}.kernel`), initrd: join(folder, `${kind}.initrd`) };
  writeFileSync(paths.kernel, kernel.kernel);
  writeFileSync(paths.initrd, image);
  const tasks = chosen.map(({ name, runs }) => {
    const run = runs[runs.length - 1];
    return { name, command: [`/corpus/${name}`, ...run.args].join(' '), prints: run.stdout };
  });
  return { ...paths, tasks: [...tasks, { name: 'lua5.4 fannkuch', command: 'lua /fannkuch.lua 8', prints: FANNKUCH_OF_8 }] };
}

/** How each is started, or why it cannot be. */
function runnersOf(kind: MachineKind, { kernel, initrd }: Guest, cache: string): Partial<Record<Runner, ConsoleCommand | string>> {
  const append = APPEND[kind];
  const boot = ['boot', '--machine', kind, '--kernel', kernel, '--initrd', initrd, '--append', append];
  const node = process.execPath;
  const program = kind === 'pc' ? 'qemu-system-i386' : 'qemu-system-mipsel';
  const qemu = ['-accel', 'tcg', '-m', '128', '-nographic', '-monitor', 'none', '-serial', 'stdio', '-net', 'none', '-no-reboot'];
  const bios = seabios();
  return {
    wasmvisor: { command: join(ROOT, 'dist/cli.cjs'), args: boot },
    warm: { command: join(ROOT, 'dist/cli.cjs'), args: [...boot, '--cache-dir', cache] },
    interpret: { command: join(ROOT, 'dist/cli.cjs'), args: [...boot, '--interpret'] },
    ...(kind === 'pc' && {
      v86:
        'missing' in bios
          ? bios.missing
          : {
              command: node,
              args: [
                join(ROOT, 'bench/v86.mjs'),
                kernel,
                initrd,
                append,
                join(bios.folder, 'bios.bin'),
                join(bios.folder, 'vgabios-stdvga.bin'),
              ],
            },
    }),
    qemu: available(program, ['--version'])
      ? { command: program, args: ['-M', kind, ...qemu, '-kernel', kernel, '-initrd', initrd, '-append', append] }
      : `${program} is not installed`,
  };
}

const LIMIT_MS = 900_000;

/** One boot: time to the prompt, then of each command. `settles`: the process ends by itself, when it has kept what it keeps. */
async function session(command: ConsoleCommand, tasks: readonly Task[], settles = false): Promise<Map<string, Took>> {
  const console = openConsole(command, LIMIT_MS);
  const took = new Map<string, Took>();
  try {
    took.set(BOOT, await console.until(PROMPT));
    for (const { name, command, prints } of tasks) {
      console.send(`${command}\n`);
      const done = await console.until(PROMPT);
      if (done.text !== `${command}\n${prints}`) throw new Error(`${name} printed ${JSON.stringify(done.text.slice(-200))}`);
      took.set(name, done);
    }
    if (settles) {
      console.signal('SIGTERM');
      await console.ended();
    }
  } finally {
    await console.close();
  }
  return took;
}

const BOOT = 'boot to the prompt';

export interface SystemResult {
  readonly machine: MachineKind;
  readonly name: string;
  readonly samples: Partial<Record<Runner, Took[]>>;
}

async function measure(
  kind: MachineKind,
  guest: Guest,
  cache: string,
  rounds: number,
  only: readonly string[],
  failures: string[],
): Promise<SystemResult[]> {
  const runners = Object.entries(runnersOf(kind, guest, cache)) as [Runner, ConsoleCommand | string][];
  const results: SystemResult[] = [BOOT, ...guest.tasks.map(({ name }) => name)].map((name) => ({ machine: kind, name, samples: {} }));
  const failed = new Set<Runner>();
  const fail = (runner: Runner, why: string): void => {
    failures.push(`${kind}, ${runner}: ${why}`);
    failed.add(runner);
  };
  for (let round = 0; round < rounds; round++) {
    for (const [runner, command] of runners) {
      if (failed.has(runner) || (only.length > 0 && !only.includes(runner))) continue;
      if (typeof command === 'string') {
        fail(runner, command);
        continue;
      }
      try {
        const isWarm = runner === 'warm';
        if (isWarm && round === 0) await session(command, guest.tasks, true);
        const took = await session(command, guest.tasks, isWarm);
        for (const { name, samples } of results) {
          samples[runner] ??= [];
          samples[runner].push(took.get(name)!);
        }
        process.stderr.write(`${kind} ${runner}: ${[...took].map(([name, { cpu }]) => `${name} ${(cpu / 1000).toFixed(1)}`).join(', ')}\n`);
      } catch (error) {
        fail(runner, (error as Error).message);
      }
    }
  }
  return results;
}

const seconds = (samples: readonly Took[] | undefined): string =>
  samples
    ? `${(median(samples.map(({ ms }) => ms)) / 1000).toFixed(2)} (${(median(samples.map(({ cpu }) => cpu)) / 1000).toFixed(2)})`
    : '';
/** Ratios of processor time round by round; of time on the clock if `clock`, and where the host tells no other. */
function ratio(a: readonly Took[] | undefined, b: readonly Took[] | undefined, clock = false): number | undefined {
  if (!a || !b) return undefined;
  const rounds = a.slice(0, b.length).map((one, i) => (!clock && one.cpu && b[i].cpu ? one.cpu / b[i].cpu : one.ms / b[i].ms));
  return rounds.length > 0 ? median(rounds) : undefined;
}

function table(results: readonly SystemResult[]): string {
  const head = ['seconds (of processor time)', 'wasmvisor', 'warm', 'interpret', 'v86', 'qemu-system', '/ v86', '/ qemu', 'warm / v86'];
  const rows = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { machine, name, samples } of results) {
    const { wasmvisor, warm, interpret, v86, qemu } = samples;
    rows.push([
      `${machine} ${name}`,
      ...[wasmvisor, warm, interpret, v86, qemu].map(seconds),
      ...[ratio(wasmvisor, v86), ratio(wasmvisor, qemu), ratio(warm, v86)].map((value) => value?.toFixed(2) ?? ''),
    ]);
  }
  return rows.toString();
}

function summary(results: readonly SystemResult[]): string[] {
  return (['pc', 'malta'] as const).flatMap((machine) =>
    (['v86', 'qemu'] as const).flatMap((other) => {
      const programs = results.filter((r) => r.machine === machine && r.name !== BOOT);
      const ratios = programs.map(({ samples }) => ratio(samples.wasmvisor, samples[other])).filter((value) => value !== undefined);
      const boot = results.find((r) => r.machine === machine && r.name === BOOT);
      const clock = ratio(boot?.samples.wasmvisor, boot?.samples[other], true);
      return [
        ...(clock === undefined ? [] : [`${machine}: the boot takes ${clock.toFixed(2)} of ${other}'s time on the clock`]),
        ...(ratios.length === 0
          ? []
          : [`${machine}: programs take ${geometricMean(ratios).toFixed(2)} of ${other}'s time (geometric mean of ${ratios.length})`]),
      ];
    }),
  );
}

export async function main(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '3' }, json: { type: 'string' }, only: { type: 'string', default: '' } },
  });
  const rounds = Number(values.rounds);
  const kinds = (positionals.length > 0 ? positionals : ['pc', 'malta']) as MachineKind[];
  if (!Number.isInteger(rounds) || rounds < 1 || kinds.some((kind) => !(kind in ARCH)))
    throw new Error('usage: node bench/system.mjs [pc] [malta] [--rounds n] [--json file] [--only wasmvisor,warm,interpret,v86,qemu]');
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-bench-'));
  const results: SystemResult[] = [];
  const failures: string[] = [];
  try {
    for (const kind of kinds) {
      const guest = prepare(kind, folder);
      results.push(...(await measure(kind, guest, join(folder, 'cache'), rounds, values.only.split(',').filter(Boolean), failures)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(table(results));
  for (const line of [...summary(results), ...failures.map((why) => `not measured: ${why}`)]) console.log(line);
  const qemu = spawnSync('qemu-system-i386', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0];
  const about = { date: new Date().toISOString(), node: process.version, qemu, processor: cpus()[0]?.model, cores: cpus().length, rounds };
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ about, results, failures }, null, 1)}\n`);
}
