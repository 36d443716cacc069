import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((m) => m[1]);

/** What each example prints, in the order of the README. */
const PRINTS = [
  /^sha256 2: d5da5817\w+ d5da5817\nended with 0\ntrue\n$/,
  /^\[ 'lea eax,\[edi\+esi\*1\]', 'ret' \]\nblock 0x8048000 \(2 instructions, 4 bytes\)\n[\s\S]*\ntrue true\n$/,
  /^fib 12: 00000030\nexit 0 after 5 calls\n$/,
  /^the host says hello\n$/,
  /^the guest says !\n\{ reason: 'power-off', code: 1 \}\nthe guest says !\ntrue\nout dx,al would send 33\n2\n$/,
  /^hello from the guest\n\d\d hypercalls\n$/,
];

describe('the examples of the README', () => {
  test('are all known', () => expect(examples).toHaveLength(PRINTS.length));

  test.each(PRINTS.map((output, i) => ({ i, output })))('example $i runs and prints what it should', ({ i, output }) => {
    // inside the package, so that it is found by its own name
    mkdirSync(join(ROOT, 'build'), { recursive: true });
    const folder = mkdtempSync(join(ROOT, 'build/readme-'));
    const file = join(folder, `example-${i}.mjs`);
    try {
      writeFileSync(file, examples[i]);
      expect(execFileSync(process.execPath, [file], { cwd: ROOT, encoding: 'utf8', timeout: 240_000 })).toMatch(output);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 300_000);
});
