import { readFileSync, writeFileSync } from 'node:fs';
import type { Measured, Runner } from '../src/cli/measure.ts';
import { type Bars, barsToSvg } from './plot.ts';

const SERIES: readonly (readonly [Runner, string])[] = [
  ['translate', 'wasmvisor'],
  ['source', 'source → Wasm'],
  ['processor', 'the processor'],
];

/** Milliseconds: time of processes is counted in steps of ten. */
const COUNTABLE = 50;

interface Result {
  readonly node: string;
  readonly processor: string;
  readonly programs: readonly Measured[];
}

const bars = ({ node, processor, programs }: Result): Bars => ({
  title: `Speed in steady state, qemu-user = 1, with the range of the rounds (Node ${node}, ${processor})`,
  axis: 'times as fast as qemu-user',
  bars: programs.flatMap(({ file, steady, steadySamples }) => {
    const [group, name] = file.split('/');
    return SERIES.flatMap(([runner, series]) => {
      const [time, qemu] = [steady[runner], steady.qemu];
      if (time === undefined || qemu === undefined || time < COUNTABLE) return [];
      const rounds = steadySamples[runner]!;
      return [{ group, name, series, value: qemu / time, low: qemu / Math.max(...rounds), high: qemu / Math.min(...rounds) }];
    });
  }),
});

export async function main([json, svg]: readonly string[]): Promise<void> {
  if (svg === undefined) throw new Error('usage: node bench/plot-corpus.mjs <json of wasmvisor bench> <svg>');
  writeFileSync(svg, await barsToSvg(bars(JSON.parse(readFileSync(json, 'utf8')))));
}
