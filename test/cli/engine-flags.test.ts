import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FIRST_LINE, USUAL_BUDGET } from '../../src/cli/engine-flags.ts';

it('the flags of the first line are taken back to what V8 has by itself', () => {
  const [line] = readFileSync(new URL('../../src/cli/start.ts', import.meta.url), 'utf8').split('\n');
  expect(line.split(' ')).toEqual(expect.arrayContaining([...FIRST_LINE]));
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const defaults = [...stdout.matchAll(/default: (--\S+)/g)].map(([, flag]) => flag);
  expect(defaults).toEqual(expect.arrayContaining([USUAL_BUDGET, '--opt']));
});
