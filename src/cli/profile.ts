import Table from 'cli-table3';
import { Command } from 'commander';
import type { Profile } from '../linux/profile.ts';
import type { Program } from '../linux/program.ts';
import { CliError, ExitCode } from './errors.ts';
import { guestOptions, type RunOptions } from './guest-options.ts';
import { writableFile } from './options.ts';
import { run } from './run-program.ts';

interface ProfileOptions extends RunOptions {
  readonly every: string;
  readonly top: string;
  readonly output?: string;
}

export function profileCommand(): Command {
  return guestOptions(new Command('profile'))
    .description('run a program as run does, then tell on stderr in which functions its instructions were executed')
    .option('--every <n>', 'guest instructions between two looks, about', '50000')
    .option('--top <n>', 'functions to show, the first three with their instructions', '20')
    .option(
      '--output <file>',
      'write the stacks there: .json for speedscope, anything else in collapsed form for flame graph tools',
      writableFile,
    )
    .action(profile);
}

async function profile(path: string, args: readonly string[], options: ProfileOptions): Promise<void> {
  const [every, top] = [Number(options.every), Number(options.top)];
  if (!Number.isInteger(every) || every < 100) throw new CliError(`--every ${options.every}: not a number from 100 on`, ExitCode.Usage);
  if (!Number.isInteger(top) || top < 1) throw new CliError(`--top ${options.top}: not a positive number`, ExitCode.Usage);
  // kept translations would hide what has run from the look at calls
  await run(path, args, { ...options, cache: false }, { profileEvery: every }, async (program) => {
    const result = program.profile()!;
    process.stderr.write(`${describe(result, program, top)}\n`);
    if (options.output === undefined) return;
    const { writeFileSync } = await import('node:fs');
    writeFileSync(options.output, options.output.endsWith('.json') ? speedscope(result, path) : collapsed(result));
  });
}

const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

function describe(result: Profile, program: Program, top: number): string {
  const { exits, instructions, compileTime, liftTime, slow, hot } = program.stats;
  const table = new Table({
    head: ['instructions', 'translated', 'function', 'file'],
    colAligns: ['right', 'right', 'left', 'left'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const functions = result.functions.slice(0, top);
  for (const { name, file, samples, translated } of functions)
    table.push([percent(samples, result.samples), percent(translated, samples), name, file ?? '']);
  const list = Object.entries(exits).map(([kind, n]) => `${kind} ${n}`);
  const listings = functions.slice(0, 3).map((f) => {
    const lines = result
      .listing(f)
      .map(
        ({ pc, text, samples }) =>
          `${(samples === 0 ? '' : percent(samples, f.samples)).padStart(8)}  ${pc.toString(16).padStart(8, '0')}  ${text}`,
      );
    return [`${f.name}:`, ...lines].join('\n');
  });
  return [
    `${result.samples} samples of ${instructions.toLocaleString('en')} instructions`,
    table.toString(),
    `lifting ${liftTime.toFixed(0)} ms, compilation ${compileTime.toFixed(0)} ms, ${hot} times hot, ${slow} slow paths; exits: ${list.join(', ') || 'none'}`,
    ...listings,
  ].join('\n');
}

/** One line for each stack: functions from the outermost on, and the number of samples (Gregg's FlameGraph, inferno, speedscope). */
export function collapsed({ stacks }: Profile): string {
  return stacks.map(({ frames, samples }) => `${frames.map(({ name }) => name.replaceAll(';', ':')).join(';')} ${samples}\n`).join('');
}

/** https://www.speedscope.app/file-format-schema.json */
export function speedscope({ stacks, samples }: Profile, name: string): string {
  const frames = [...new Set(stacks.flatMap((stack) => stack.frames))];
  const index = new Map(frames.map((frame, i) => [frame, i]));
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name,
    shared: { frames: frames.map((frame) => ({ name: frame.name, ...(frame.file !== undefined && { file: frame.file }) })) },
    profiles: [
      {
        type: 'sampled',
        name,
        unit: 'none',
        startValue: 0,
        endValue: samples,
        samples: stacks.map((stack) => stack.frames.map((frame) => index.get(frame))),
        weights: stacks.map((stack) => stack.samples),
      },
    ],
  });
}
