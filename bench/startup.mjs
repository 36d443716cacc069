// Start to exit of `wasmvisor run hello` (a static guest) against `node -e 0`, interleaved: medians and their ratio.
// node bench/startup.mjs [rounds]
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bench } from 'tinybench';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const rounds = Number(process.argv[2] ?? 20);
const hello = (isa) => [join(root, 'dist/cli.cjs'), 'run', join(root, 'corpus/programs', isa, 'hello')];
const commands = { 'node -e 0': ['-e', '0'], 'hello (mips)': hello('mips'), 'hello (x86)': hello('x86') };

const samples = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  for (const [name, args] of Object.entries(commands)) {
    bench.add(name, () => {
      const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
      if (status !== 0) throw new Error(`${name} ended with ${status}`);
    });
  }
  for (const { name, result } of await bench.run()) samples[name].push(result.latency.mean);
}
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const base = median(samples['node -e 0']);
for (const [name, list] of Object.entries(samples))
  console.log(`${name.padEnd(14)} ${median(list).toFixed(1).padStart(7)} ms  ${(median(list) / base).toFixed(2)}×`);
