import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeRuntime } from '../src/host/runtime.ts';
import { exitCode, loadProgram, type Program } from '../src/linux/program.ts';
import { ROOT } from '../test/real/guests.ts';
import { selfModifying } from '../test/support/self-modifying.ts';

const MIB = 1 << 20;
/** Bytes more in the last third than in the middle one that are no growth. */
const TOLERANCE = 16 * MIB;
const SAMPLES = 30;
/** Places that hold code, as a power of two: more than modules that are kept, and few enough that all have been written by the middle. */
const PLACES_LOG2 = 12;

const PROGRAMS = ['x86/hello', 'mips/hello', 'x86/states', 'mipsel/sha256'].map((name) => ({
  name,
  elf: new Uint8Array(readFileSync(join(ROOT, 'corpus/programs', name))),
}));

/** Starts the programs one after the other, and one that makes code all the time beside them. Gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '30' } } });
  const length = Number(values.minutes) * 60_000;
  const start = performance.now();
  let started = 0;
  const endless: Program = await loadProgram(selfModifying(0, PLACES_LOG2), { runtime: nodeRuntime(), timeout: length });
  const resident: number[] = [];
  const sample = (): void => {
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    resident.push(rss);
    const { modules, evictions } = endless.stats;
    const minutes = ((performance.now() - start) / 60_000).toFixed(1);
    console.log(
      `${minutes.padStart(5)} min  ${(rss / MIB).toFixed(0)} MiB, JavaScript heap ${(heapUsed / MIB).toFixed(0)} MiB; ` +
        `${started} guests started; ${modules} modules made, ${evictions} times half of them dropped`,
    );
  };
  const timer = setInterval(sample, length / SAMPLES);
  const startAndStop = async (): Promise<void> => {
    while (performance.now() - start < length) {
      const { name, elf } = PROGRAMS[started++ % PROGRAMS.length];
      const program = await loadProgram(elf, { runtime: nodeRuntime(), argv: [name, '1'] });
      const code = exitCode(await program.run());
      if (code !== 0) throw new Error(`${name} ended with ${code}`);
    }
  };
  const [status] = await Promise.all([endless.run(), startAndStop()]);
  clearInterval(timer);
  sample();
  if (!('reason' in status) || status.reason !== 'timeout') throw new Error(`the guest that makes code ended with ${exitCode(status)}`);
  const third = Math.ceil(resident.length / 3);
  const highest = (from: number, to?: number): number => Math.max(...resident.slice(from, to));
  const [middle, end] = [highest(third, 2 * third), highest(2 * third)];
  console.log(
    `Node ${process.version}: at most ${(middle / MIB).toFixed(0)} MiB in the middle third, ${(end / MIB).toFixed(0)} MiB in the last`,
  );
  return end > middle + TOLERANCE ? 1 : 0;
}
