import { Command } from 'commander';
import { expect, test } from 'vitest';
import { guestOptions } from '../../src/cli/guest-options.ts';
import { programOf, WITHOUT_VALUE } from '../../src/cli/reserve.ts';
import { runCommand } from '../../src/cli/run.ts';

test('the program of a command line is found as the command finds it', () => {
  const lines = [
    ['a', 'b'],
    ['--', '--stats'],
    ['--stats', '--memory', '64m', 'a', '--root', 'b'],
    ['--root', '/r', '--env', 'A=b', '/bin/a', 'b'],
    ['--root=/r', '--mount', 'x:/y', '/bin/a'],
    ['--check-sample', '1/9', '--no-cache', 'a'],
    ['--stats'],
    ['--root'],
  ];
  for (const line of lines) {
    let found: string | undefined;
    const command = guestOptions(new Command('run'))
      .option('--check-sample <n>')
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    command.action((program: string, _args, { root }: { readonly root?: string }) => {
      found = root === undefined ? program : `${root}${program}`;
    });
    try {
      command.parse(line, { from: 'user' });
    } catch {
      // there is none
    }
    expect({ line, found: programOf(line) }).toEqual({ line, found });
  }
});

test('it knows which options have no value', () => {
  const options = runCommand().options.filter((option) => !option.required);
  expect([...options.map(({ long }) => long), '--help', '-h'].sort()).toEqual([...WITHOUT_VALUE].sort());
});
