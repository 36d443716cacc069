import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { corpusPath, corpusPrograms } from '../../src/cli/corpus.ts';
import { collapsed, speedscope } from '../../src/cli/profile.ts';
import { loadProgram } from '../../src/linux/program.ts';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { runtimeModule } from '../support/runtime.ts';

async function profileOf(file: string, arg: string, executor: Executor) {
  const program = await loadProgram(new Uint8Array(readFileSync(corpusPath(corpusPrograms().find((p) => p.file === file)!))), {
    runtime: runtimeModule(),
    argv: ['guest', arg],
    executor,
    profileEvery: 5000,
  });
  expect(await program.run()).toEqual({ code: 0 });
  return { profile: program.profile()!, stats: program.stats };
}

describe('a profile', { timeout: 300_000 }, () => {
  it.each(['x86/recursion', 'mips/recursion'])('says in which functions %s spends its instructions, and who called them', async (file) => {
    const { profile, stats } = await profileOf(file, '6', 'translate');
    expect(profile.samples).toBeGreaterThan(stats.instructions / 10_000);
    const [first, second] = profile.functions;
    expect([first.name, second.name].sort()).toEqual(['ackermann', 'tak']);
    expect(first.translated).toBeGreaterThan(first.samples / 2);
    const total = (list: readonly { samples: number }[]): number => list.reduce((sum, { samples }) => sum + samples, 0);
    expect([total(profile.functions), total(profile.stacks)]).toEqual([profile.samples, profile.samples]);

    const callers = new Map([
      ['tak', ['tak', 'run']],
      ['ackermann', ['ackermann', 'run']],
    ]);
    for (const { frames } of profile.stacks)
      for (const [i, { name }] of frames.entries())
        if (i > 0) expect(callers.get(name) ?? [frames[i - 1].name]).toContain(frames[i - 1].name);
    const stack = profile.stacks.find(({ frames }) => frames.at(-1)!.name === 'tak')!;
    expect(stack.frames.map(({ name }) => name)).toContain('run');

    const listing = profile.listing(first);
    expect(total(listing)).toBeGreaterThan(first.samples / 2);
    expect(listing.find(({ samples }) => samples > 0)?.text).toMatch(/^[a-z]/);
  });

  it('tells interpreted from translated code, and is not there unless it was asked for', async () => {
    const { profile } = await profileOf('mipsel/fib', '18', 'interpret');
    expect(profile.functions[0]).toMatchObject({ name: 'fib', translated: 0 });
    const program = await loadProgram(new Uint8Array(readFileSync(corpusPath(corpusPrograms()[0]))), { runtime: runtimeModule() });
    expect(program.profile()).toBeUndefined();
  });

  it('can be written for flame graph tools', async () => {
    const { profile } = await profileOf('x86/fib', '18', 'tiered');
    const lines = collapsed(profile).trimEnd().split('\n');
    expect(lines).toHaveLength(profile.stacks.length);
    for (const line of lines) expect(line).toMatch(/^\S+(;\S+)* [1-9]\d*$/);
    const file = JSON.parse(speedscope(profile, 'fib')) as {
      shared: { frames: { name: string }[] };
      profiles: { samples: number[][]; weights: number[]; endValue: number }[];
    };
    const [{ samples, weights, endValue }] = file.profiles;
    expect(weights.reduce((a, b) => a + b)).toBe(endValue);
    expect(samples.map((stack) => stack.map((i) => file.shared.frames[i].name))).toEqual(
      profile.stacks.map(({ frames }) => frames.map(({ name }) => name)),
    );
  });
});
