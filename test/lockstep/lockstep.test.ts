import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as compile from '../../src/backend/wasm/compile.ts';
import type { CompileOptions } from '../../src/backend/wasm/options.ts';
import type { Region } from '../../src/backend/wasm/region.ts';
import { Block } from '../../src/ir/block.ts';
import { op } from '../../src/ir/ops.ts';
import type { ProgramOptions } from '../../src/linux/program.ts';
import { type CheckedProgram, type CheckOptions, Divergence, loadChecked } from '../../src/lockstep/index.ts';
import { runtimeModule } from '../support/runtime.ts';

const PROGRAMS = join(import.meta.dirname, '../../corpus/programs');
const load = (
  isa: string,
  name: string,
  argv: readonly string[],
  options: Partial<ProgramOptions> & CheckOptions = {},
): Promise<CheckedProgram> =>
  loadChecked(readFileSync(join(PROGRAMS, isa, name)), {
    runtime: runtimeModule(),
    argv: [name, ...argv],
    loadCompiler: async () => compile,
    ...options,
  });

/** A back end that makes another op of one wherever it meets it. */
const faulty = (from: string, to: string) => async () => {
  const change = (region: Region): Region => ({
    ...region,
    blocks: region.blocks.map(
      (b) =>
        new Block(
          b.pc,
          b.size,
          b.instructions,
          b.length,
          Array.from(b.op, (n) => (n === op(from) ? op(to) : n)),
          b.a,
          b.b,
          b.c,
          b.d,
          b.terminator,
          b.shuffles,
          b.helpers,
        ),
    ),
  });
  return {
    ...compile,
    compileRegions: (regions: readonly Region[], options: CompileOptions) => compile.compileRegions(regions.map(change), options),
  };
};

async function divergenceOf(program: CheckedProgram): Promise<Divergence> {
  const error = await program.run().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Divergence);
  return error as Divergence;
}

describe('a program in both executors', () => {
  it.each([
    ['x86', 'sha256', '1'],
    ['x86', 'nbody', '10'],
    ['mips', 'strings', '1'],
    ['mips', 'nbody', '10'],
    ['mipsel', 'states', '1'],
  ] as const)(
    '%s %s agrees',
    async (isa, name, argument) => {
      for (const executor of ['translate', 'tiered'] as const) {
        const program = await load(isa, name, [argument], { executor, maxInstructions: 1_000_000, hotThreshold: 4 });
        await program.run();
        expect(program.checks).toBeGreaterThan(5);
      }
    },
    300_000,
  );

  it('is checked now and then, as asked', async () => {
    const turns = [0.9, 0.2, 0.9, 0.9, 0.9, 0.2];
    const program = await load('x86', 'hello', [], { sample: 4, random: () => turns.shift() ?? 0.9 });
    expect(await program.run()).toEqual({ code: 0 });
    expect(program.checks).toBeGreaterThan(0);
    expect(program.checks).toBeLessThan(3);
  });
});

describe('a fault of the translator', () => {
  it('is found, down to the instruction', async () => {
    const loadCompiler = faulty('i32.shr_u', 'i32.shr_s');
    const divergence = await divergenceOf(await load('x86', 'crc32', ['1'], { loadCompiler }));
    const text = await divergence.explain();
    expect(text).toMatch(/^The executors differ in one instruction at 0x[0-9a-f]{8}, instruction \d+ of the program\.\n/);
    expect(text).toMatch(/\nCode:\n {2}0x[0-9a-f]{8} .* shr [^\n]*\nIR:\n {2}block /);
    expect(text).toContain('i32.shr_u');
    expect(text).toMatch(/\nWebAssembly:\n {2}\(module/);
    expect(text).toMatch(/State before:\n {2}eax=[0-9a-f]{8}/);
    expect(text).toContain('State after, interpret; budget');
  }, 300_000);

  it('is found in big-endian code, where it takes its time to show', async () => {
    const loadCompiler = faulty('i32.rotr', 'i32.rotl');
    const divergence = await divergenceOf(await load('mips', 'sha256', ['2'], { loadCompiler }));
    expect(await divergence.explain()).toMatch(/^The executors differ in one instruction at .* ror /s);
  }, 300_000);

  it('is found by a sample', async () => {
    const loadCompiler = faulty('i32.xor', 'i32.or');
    let stays = 0;
    const program = await load('mipsel', 'crc32', ['20'], {
      loadCompiler,
      executor: 'tiered',
      hotThreshold: 10,
      sample: 3,
      slice: 50_000,
      random: () => (stays++ % 3 === 0 ? 0 : 0.9),
    });
    expect((await divergenceOf(program)).message).toMatch(/^the executors differ within \d+ instructions from 0x/);
  }, 300_000);

  it('that is none of the state is said to be one', async () => {
    const wrong = await faulty('i32.xor', 'i32.or')();
    let planted = true;
    const loadCompiler = async () => ({
      ...compile,
      compileRegions: (regions: readonly Region[], options: CompileOptions) => (planted ? wrong : compile).compileRegions(regions, options),
    });
    const divergence = await divergenceOf(await load('mipsel', 'crc32', ['1'], { loadCompiler }));
    // a new start does not show it
    planted = false;
    expect(await divergence.explain()).toContain('the difference lies in what had been translated before');
  }, 300_000);
});
