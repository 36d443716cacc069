// Hypercalls against the trapped, emulated devices that do the same, as corpus/kernels' para-virtual guests measure them.
// node bench/hypercalls.mjs [rounds]
import { readFileSync } from 'node:fs';
import { createMachine, memoryDisk } from 'wasmvisor';
import { nodeSystemRuntime } from 'wasmvisor/node';

const rounds = Number(process.argv[2] ?? 5);
const kernels = { pc: 'x86-paravirt', malta: 'mipsel-paravirt' };

/** Microseconds of each measurement. */
async function measure(name) {
  const machine = await createMachine({
    machine: name,
    runtime: nodeSystemRuntime(),
    kernel: readFileSync(new URL(`../corpus/kernels/${kernels[name]}`, import.meta.url)),
    commandLine: 'bench',
    memory: 16 << 20,
    drives: [{ disk: memoryDisk(new Uint8Array(64 * 512)) }],
  });
  let text = '';
  machine.on('console', (bytes, port) => {
    if (port === 0) text += new TextDecoder().decode(bytes);
  });
  await machine.run();
  return [...text.matchAll(/bench (\d+) (\d+) (.*)/g)].map(([, count, time, what]) => ({ what, time: time / count / 1000 }));
}

const results = {};
for (let round = 0; round < rounds; round++)
  for (const name of Object.keys(kernels))
    for (const { what, time } of await measure(name)) {
      results[what] ??= {};
      results[what][name] ??= [];
      results[what][name].push(time);
    }
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
console.log(`| microseconds, median of ${rounds} | pc | malta |\n|---|---|---|`);
for (const [what, of] of Object.entries(results)) {
  const figures = Object.keys(kernels).map((name) => median(of[name]).toFixed(2));
  console.log(`| ${what} | ${figures.join(' | ')} |`);
}
process.exit(0);
