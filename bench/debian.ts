import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { available, geometricMean, median } from '../src/cli/measure.ts';
import { type Execution, haveQemu, nativeCommand, qemuCommand } from '../test/real/execute.ts';
import { type Arch, addArchitecture, ROOT, unpackPackages } from '../test/real/guests.ts';
import { FANNKUCH } from './fannkuch.ts';
import { type Bars, barsToSvg } from './plot.ts';

/** Ours with nothing kept from earlier runs; ours when it has run before; qemu-user; the processor. */
type Runner = 'cold' | 'warm' | 'qemu' | 'processor';

const FOLDER = join(ROOT, '.guests/bench');
const PACKAGES =
  'busybox-static lua5.4 sqlite3 xz-utils gzip openssl p7zip perl-base coreutils python3.11-minimal libpython3.11-minimal libpython3.11-stdlib ' +
  'libc6 libreadline8 libtinfo6 libsqlite3-0 zlib1g liblzma5 libssl3 libstdc++6 libgcc-s1 libexpat1 libcrypt1 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10';
const EXTRA: Readonly<Record<Arch, string>> = { i386: '', mipsel: 'libatomic1' };

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

/** What they read lies in the working directory; see makeInput. All print something that must be the same everywhere. */
const WORKLOADS: readonly Workload[] = [
  { name: 'lua5.4 fannkuch', path: '/usr/bin/lua5.4', args: ['fannkuch.lua', '9'] },
  {
    name: 'lua5.4 strings',
    path: '/usr/bin/lua5.4',
    args: ['-e', 'local n = 0 for i = 1, 150000 do local s = ("%d:%x"):format(i, i) n = n + #s:gsub("1", "22") end print(n)'],
  },
  {
    name: 'sqlite3',
    path: '/usr/bin/sqlite3',
    args: [
      ':memory:',
      'with recursive c(x) as (select 1 union all select x + 1 from c where x < 600000) select count(*), sum(x * 7 % 13), max(x || "a") from c',
    ],
  },
  {
    name: 'python3.11',
    path: '/usr/bin/python3.11',
    args: ['-S', '-c', 'd = {}\nfor i in range(400000): d[i % 997] = d.get(i % 997, 0) + i * i % 7\nprint(len(d), sum(d.values()))'],
  },
  {
    name: 'perl',
    path: '/usr/bin/perl',
    args: [
      '-e',
      'my %h; for my $i (1 .. 600000) { $h{$i % 1009} += $i % 7 } print join(",", (sort { $a <=> $b } values %h)[0 .. 9]), "\n"',
    ],
  },
  { name: 'xz', path: '/usr/bin/xz', args: ['-T1', '-3', '-k', '-c', 'data.txt'] },
  { name: 'gzip', path: '/bin/gzip', args: ['-6', '-n', '-c', 'data.txt'] },
  { name: '7zip', path: '/usr/lib/p7zip/7zr', args: ['a', '-txz', '-mmt1', '-mx3', '-an', '-so', 'data.txt'] },
  {
    name: 'openssl sha256',
    path: '/usr/bin/openssl',
    args: ['dgst', '-sha256', 'data.txt', 'data.txt', 'data.txt', 'data.txt', 'data.txt', 'data.txt'],
  },
  {
    name: 'openssl aes',
    path: '/usr/bin/openssl',
    args: ['enc', '-aes-256-cbc', '-K', '00'.repeat(32), '-iv', '00'.repeat(16), '-in', 'data.txt'],
  },
  { name: 'busybox sha512sum', path: '/bin/busybox', args: ['sha512sum', 'data.txt', 'data.txt', 'data.txt'] },
  { name: 'sort', path: '/usr/bin/sort', args: ['-k2,2n', '-k1,1', 'data.txt'] },
];

function makeInput(folder: string): void {
  let x = 1;
  let text = '';
  for (let i = 0; i < 250_000; i++) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    text += `line ${(x >>> 8) % 1000} ${x % 7}\n`;
  }
  writeFileSync(join(folder, 'data.txt'), text);
  writeFileSync(join(folder, 'fannkuch.lua'), FANNKUCH);
}

/** Debian's packages of an architecture, unpacked; downloaded once. Throws if they cannot be had. */
function unpacked(arch: Arch): string {
  const folder = join(FOLDER, arch);
  if (!existsSync(join(folder, 'complete'))) {
    addArchitecture(arch);
    const names = `${PACKAGES} ${EXTRA[arch]}`.trim().split(/ +/);
    unpackPackages(
      folder,
      names.map((name) => `${name}:${arch}`),
    );
    writeFileSync(join(folder, 'complete'), '');
  }
  return join(folder, 'root');
}

interface Command extends Pick<Execution, 'command' | 'args' | 'argv0'> {
  readonly cache?: string;
}

function commandsOf(arch: Arch, root: string, { path, args }: Workload, cwd: string, caches: string): Partial<Record<Runner, Command>> {
  const run = [
    join(ROOT, 'dist/cli.cjs'),
    'run',
    '--root',
    root,
    '--mount',
    `${cwd}:/tree`,
    '--cwd',
    '/tree',
    '--env',
    'LC_ALL=C',
    '--',
    path,
    ...args,
  ];
  const ours = { command: process.execPath, args: run };
  const commands: Partial<Record<Runner, Command>> = {
    cold: { ...ours, cache: '' },
    warm: { ...ours, cache: join(caches, 'warm') },
  };
  if (haveQemu(arch)) commands.qemu = qemuCommand(arch, root, path, args);
  if (arch === 'i386' && available(join(root, 'lib/ld-linux.so.2'), ['--help'])) commands.processor = nativeCommand(root, path, args);
  return commands;
}

const LIMIT_MS = 600_000;

interface Sample {
  readonly ms: number;
  readonly stdout: string;
}

function time({ command, args, argv0, cache }: Command, cwd: string, caches: string): Sample {
  const folder = cache === '' ? mkdtempSync(join(caches, 'cold-')) : cache;
  const env = { PATH: process.env.PATH, LC_ALL: 'C', HOME: '/nonexistent', ...(folder !== undefined && { XDG_CACHE_HOME: folder }) };
  const start = performance.now();
  const done = spawnSync(command, args, {
    ...(argv0 !== undefined && { argv0 }),
    cwd,
    env,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    timeout: LIMIT_MS,
  });
  const ms = performance.now() - start;
  if (cache === '' && folder) rmSync(folder, { recursive: true, force: true });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`exit code ${done.status ?? done.signal}: ${done.stderr.trim().split('\n').at(-1)}`);
  return { ms, stdout: done.stdout };
}

export interface Result {
  readonly name: string;
  readonly arch: Arch;
  readonly samples: Partial<Record<Runner, number[]>>;
  /** Why a runner has no samples. */
  readonly failures: Partial<Record<Runner, string>>;
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
/** Ratios pair by pair: what one round gave for both. */
const pairs = (a: readonly number[] = [], b: readonly number[] = []): number[] => a.slice(0, b.length).map((x, i) => x / b[i]);

function measure(arch: Arch, root: string, workload: Workload, rounds: number, cwd: string, caches: string): Result {
  const commands = Object.entries(commandsOf(arch, root, workload, cwd, caches)) as [Runner, Command][];
  const result: Result = { name: workload.name, arch, samples: {}, failures: {} };
  let expected: string | undefined;
  const once = (runner: Runner, command: Command, counts: boolean): void => {
    if (result.failures[runner]) return;
    try {
      const { ms, stdout } = time(command, cwd, caches);
      expected ??= stdout;
      if (stdout !== expected) throw new Error('its output is not that of the others');
      if (counts) result.samples[runner] = [...(result.samples[runner] ?? []), ms];
    } catch (error) {
      result.failures[runner] = (error as Error).message;
      delete result.samples[runner];
    }
  };
  // untimed: fills the cache of `warm`, and the host's file cache for all
  for (const [runner, command] of commands.toReversed()) if (runner !== 'cold') once(runner, command, false);
  for (let round = 0; round < rounds; round++) for (const [runner, command] of commands) once(runner, command, true);
  return result;
}

const percent = (value: number): string => value.toFixed(2);
function ratioText(result: Result, a: Runner, b: Runner): string {
  const list = pairs(result.samples[a], result.samples[b]);
  if (list.length === 0) return result.failures[a] ?? result.failures[b] ?? '';
  const order = sorted(list);
  return `${percent(median(list))} (${percent(order[0])}–${percent(order[order.length - 1])})`;
}

function table(results: readonly Result[]): string {
  const head = ['', 'qemu-user ms', 'cold / qemu', 'warm / qemu', 'warm / processor'];
  const rows = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const result of results) {
    const ms = result.samples.qemu ? median(result.samples.qemu).toFixed(0) : (result.failures.qemu ?? '');
    rows.push([
      `${result.arch} ${result.name}`,
      ms,
      ratioText(result, 'cold', 'qemu'),
      ratioText(result, 'warm', 'qemu'),
      ratioText(result, 'warm', 'processor'),
    ]);
  }
  return rows.toString();
}

function summary(results: readonly Result[]): string[] {
  const lines: string[] = [];
  for (const arch of ['i386', 'mipsel'] as const)
    for (const runner of ['cold', 'warm'] as const) {
      const list = results.filter((r) => r.arch === arch).map((r) => pairs(r.samples[runner], r.samples.qemu));
      const medians = list.filter((ratios) => ratios.length > 0).map(median);
      if (medians.length > 0)
        lines.push(
          `${arch}: ${runner} takes ${percent(geometricMean(medians))} of qemu-user's time (geometric mean of ${medians.length} programs)`,
        );
    }
  for (const { arch, name, failures } of results)
    for (const [runner, why] of Object.entries(failures)) lines.push(`not measured: ${arch} ${name} (${runner}): ${why}`);
  return lines;
}

const bars = (results: readonly Result[]): Bars => ({
  title: 'Debian’s programs, start to exit: time against qemu-user (1 = as fast; shorter is better)',
  axis: 'time / qemu-user',
  bars: results.flatMap((result) =>
    (['cold', 'warm', 'processor'] as const).flatMap((runner) => {
      const ratios = sorted(pairs(result.samples[runner], result.samples.qemu));
      return ratios.length === 0
        ? []
        : [
            {
              group: result.arch,
              name: result.name,
              series: runner,
              value: median(ratios),
              low: ratios[0],
              high: ratios[ratios.length - 1],
            },
          ];
    }),
  ),
});

export async function main(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      arch: { type: 'string', default: 'i386,mipsel' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'string' },
      svg: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  const archs = values.arch.split(',') as Arch[];
  if (!Number.isInteger(rounds) || rounds < 1 || archs.some((arch) => arch !== 'i386' && arch !== 'mipsel'))
    throw new Error('usage: node bench/debian.mjs [names] [--arch i386,mipsel] [--rounds n] [--json file] [--svg file]');
  const chosen = WORKLOADS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const cwd = mkdtempSync(join(tmpdir(), 'wasmvisor-bench-'));
  const caches = mkdtempSync(join(tmpdir(), 'wasmvisor-cache-'));
  const results: Result[] = [];
  try {
    makeInput(cwd);
    for (const arch of archs) {
      const root = unpacked(arch);
      for (const workload of chosen) {
        const result = measure(arch, root, workload, rounds, cwd, caches);
        process.stderr.write(
          `${arch} ${workload.name}: warm/qemu ${ratioText(result, 'warm', 'qemu')}, cold/qemu ${ratioText(result, 'cold', 'qemu')}\n`,
        );
        results.push(result);
      }
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
    rmSync(caches, { recursive: true, force: true });
  }
  console.log(table(results));
  for (const line of summary(results)) console.log(line);
  const qemu = spawnSync('qemu-i386', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0];
  const about = { date: new Date().toISOString(), node: process.version, qemu, processor: cpus()[0]?.model, cores: cpus().length, rounds };
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ about, results }, null, 1)}\n`);
  if (values.svg) writeFileSync(values.svg, await barsToSvg(bars(results)));
}
