import { Command } from 'commander';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { guestOptions } from '../../src/cli/guest-options.ts';
import { plainRun } from '../../src/cli/plain-run.ts';
import { SEED } from '../support/fuzz.ts';

/** What the command makes of a line; undefined if it refuses it. */
function asTheCommand(line: readonly string[]): ReturnType<typeof plainRun> {
  let found: ReturnType<typeof plainRun>;
  const command = guestOptions(new Command('run'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.action((path, args, options) => {
    found = { path, args, options };
  });
  try {
    command.parse(line, { from: 'user' });
  } catch {}
  return found;
}

test('a plain command line means what the command takes it for', () => {
  const lines = [
    ['a'],
    ['a', 'b', '--', '--stats', ''],
    ['--', '--stats', '--', 'c'],
    ['--stats', '--strace', '--strict', '--interpret', '--translate', '--no-cache', 'a', '--root', 'b'],
    ['--root', '/r', '--env', 'A=b', '--env=C=', '--argv0', '-sh', '/bin/a', '-c'],
    ['--root=/r', '--root', '/s', '--mount', 'x:/y', '--mount=y:/z:ro', '--cwd', '/y', '/bin/a'],
  ];
  for (const line of lines) expect({ line, is: plainRun(line) }).toEqual({ line, is: asTheCommand(line) });
});

test('any line that is taken for a plain one means what the command takes it for', () => {
  const words =
    'a -- - -5 -h --help --root --root= --root=/r --env --env=A --env=A=b= --mount --mount=x:/y --argv0 --cwd --cwd=/ --cache --no-cache';
  const more =
    '--stats --stats=1 --strace --strict --interpret --translate --memory --memory=1m --x87 80 --x87=64 --= -= --toString --net=user';
  const word = fc.constantFrom('', ...words.split(' '), ...more.split(' '));
  let taken = 0;
  fc.assert(
    fc.property(fc.array(word, { maxLength: 7 }), (line) => {
      const plain = plainRun(line);
      if (!plain) return;
      taken++;
      expect(plain).toEqual(asTheCommand(line));
    }),
    { ...SEED, numRuns: 2000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test('what is not plain is left to the command', () => {
  for (const line of ['', '--', '--root', '-h', '-', '--stats=1 a', '--memory 1m a', '--net user a', '--rot /r a'].map((l) =>
    l.split(' ').filter(Boolean),
  ))
    expect({ line, is: plainRun(line) }).toEqual({ line, is: undefined });
});
