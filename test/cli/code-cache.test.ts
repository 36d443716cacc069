import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CLI, CORPUS, makeFolder } from './support.ts';

const { folder } = makeFolder();
let home = '';
let number = 0;
beforeEach(() => {
  home = join(folder, `${++number}`);
});
const hello = (env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'run', join(CORPUS, 'x86/hello')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: home, ...env },
  });
  return { status, stdout, stderr };
};
const saved = (): string[] => readdirSync(join(home, 'wasmvisor')).map((name) => join(home, 'wasmvisor', name));

describe('the code cache', () => {
  it('is made by the first start, for its user alone, and used by the second', () => {
    const first = hello();
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const [file, ...others] = saved();
    expect(others).toEqual([]);
    const { mode, mtimeMs, ino } = statSync(file);
    expect(mode & 0o77).toBe(0);
    expect(hello()).toEqual(first);
    expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  });

  it('is made anew where V8 does not take it, and what is left of other versions goes', () => {
    const first = hello();
    const [file] = saved();
    const { size } = statSync(file);
    truncateSync(file, 1000);
    writeFileSync(`${file}-older`, '');
    expect(hello()).toEqual(first);
    expect(saved()).toEqual([file]);
    expect(statSync(file).size).toBeGreaterThan(size / 2);
    writeFileSync(file, 'something else');
    expect(hello()).toEqual(first);
    expect(statSync(file).size).toBeGreaterThan(size / 2);
  });

  it('can be turned off, and is not missed', () => {
    expect(hello({ NODE_DISABLE_COMPILE_CACHE: '1' })).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(home)).toBe(false);
    expect(hello({ XDG_CACHE_HOME: '/dev/null' })).toMatchObject({ status: 0, stderr: '' });
  });
});
