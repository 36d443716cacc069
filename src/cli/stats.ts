import type { ProgramStats } from '../linux/program.ts';
import type { VcpuStats } from '../vcpu/vcpu.ts';
import type { MachineStats } from '../vmm/options.ts';

/** Those of a program, or of a machine, which has no system calls. */
type Stats = VcpuStats &
  Pick<ProgramStats, 'time' | 'waiting'> &
  Partial<Pick<ProgramStats, 'syscalls' | 'memory' | 'peakMemory'> & Pick<MachineStats, 'sensitive'>>;

/** The lines that --stats prints. */
export function describeStats(stats: Stats): string {
  const running = stats.time - stats.waiting;
  const list = (counts: Readonly<Record<string, number | undefined>>): string =>
    Object.entries(counts)
      .filter(([, count]) => count)
      .sort(([, a], [, b]) => (b ?? 0) - (a ?? 0))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const rows: (readonly [string, string])[] = [
    ['time', `${stats.time.toFixed(1)} ms, ${stats.waiting.toFixed(1)} ms of it waiting`],
    [
      'guest instructions',
      `${stats.instructions.toLocaleString('en')}, ${(stats.instructions / running / 1000).toFixed(0)} million a second`,
    ],
    ['blocks', `${stats.blocks} lifted in ${stats.liftTime.toFixed(1)} ms, ${stats.restoredBlocks} of earlier runs`],
    ['regions', `${stats.regions} of ${stats.regionInstructions} instructions, in ${stats.modules} modules of ${stats.wasmBytes} bytes`],
    [
      'compilation',
      `${stats.compileTime.toFixed(1)} ms, and ${stats.restored} modules of earlier runs in ${stats.restoreTime.toFixed(1)} ms`,
    ],
    [
      'tiers',
      `${stats.hot} times hot, ${stats.misses} misses of the cache, ${stats.stale} stale blocks, ${stats.slow} slow paths, ${stats.invalidations} invalidations`,
    ],
    ['exits', list(stats.exits)],
  ];
  if (stats.sensitive) rows.push(['sensitive', list(stats.sensitive)]);
  if (stats.syscalls) rows.push(['system calls', list(stats.syscalls)]);
  if (stats.memory !== undefined && stats.peakMemory !== undefined)
    rows.push(['memory', `${(stats.memory / 1024).toFixed(0)} KiB mapped, ${(stats.peakMemory / 1024).toFixed(0)} KiB at most`]);
  return rows.map(([name, text]) => `${name.padEnd(19)} ${text}\n`).join('');
}
