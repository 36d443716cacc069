import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { CLI, CORPUS, makeFolder, PATIENCE_MS } from './support.ts';

const { folder, put } = makeFolder();
let home = '';
let number = 0;
beforeEach(() => {
  home = join(folder, `${++number}`);
});
const environment = () => ({ ...process.env, NODE_DISABLE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: home });
const hello = (env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'run', join(CORPUS, 'x86/hello')], {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    env: { ...environment(), ...env },
  });
  return { status, stdout, stderr };
};
const saved = (): string[] =>
  readdirSync(join(home, 'wasmvisor'))
    .filter((name) => name.startsWith('code-'))
    .map((name) => join(home, 'wasmvisor', name));

describe('the code cache', () => {
  it('is made by the first start, for its user alone, anew by the second, which has saved translations, and used by the third', () => {
    const first = hello();
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const [file, ...others] = saved();
    expect(others).toEqual([]);
    expect(hello()).toEqual(first);
    const { mode, mtimeMs, ino } = statSync(file);
    expect(mode & 0o77).toBe(0);
    expect(hello()).toEqual(first);
    expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  });

  it.each<[string, (file: string) => void]>([
    ['shorter', (file) => truncateSync(file, statSync(file).size >> 1)],
    ['empty', (file) => truncateSync(file, 0)],
    ['something else', (file) => writeFileSync(file, 'something else')],
    ['all zeros', (file) => writeFileSync(file, new Uint8Array(statSync(file).size))],
    [
      'wrong in the middle of the code',
      (file) => {
        const bytes = readFileSync(file);
        for (let at = bytes.length >> 3; at < bytes.length >> 2; at += 997) bytes[at] ^= 0x55;
        writeFileSync(file, bytes);
      },
    ],
  ])('is made anew where it is %s', (_, damage) => {
    const first = hello();
    const [file] = saved();
    const { size } = statSync(file);
    damage(file);
    expect(hello()).toEqual(first);
    expect(saved()).toEqual([file]);
    expect(statSync(file).size).toBeGreaterThan(size / 2);
    expect(hello()).toEqual(first);
  });

  it('is not read where others may write', () => {
    const first = hello();
    const [file] = saved();
    writeFileSync(file, '');
    chmodSync(join(home, 'wasmvisor'), 0o777);
    expect(hello()).toEqual(first);
    expect(statSync(file).size).toBe(0);
  });

  it('keeps a few versions', () => {
    const first = hello();
    const [file] = saved();
    for (let i = 0; i < 20; i++) {
      writeFileSync(`${file}-${i}`, '');
      utimesSync(`${file}-${i}`, i, i);
    }
    truncateSync(file, 0);
    expect(hello()).toEqual(first);
    expect(saved()).toHaveLength(8);
    expect(saved()).toContain(file);
    expect(saved()).toContain(`${file}-19`);
  });

  it('is made by several starts at once', async () => {
    const starts = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [CLI, 'run', join(CORPUS, 'x86/hello')], { env: environment(), timeout: PATIENCE_MS }),
    );
    const outputs = (await Promise.all(starts)).map(({ stdout, stderr }) => ({ stdout, stderr }));
    expect(new Set(outputs.map((o) => JSON.stringify(o))).size).toBe(1);
    expect(saved()).toHaveLength(1);
    expect(hello()).toMatchObject({ status: 0, ...outputs[0] });
  });

  it('can be turned off, and is not missed', () => {
    expect(hello({ NODE_DISABLE_COMPILE_CACHE: '1' })).toMatchObject({ status: 0, stderr: '' });
    expect(saved()).toEqual([]);
    expect(hello({ XDG_CACHE_HOME: '/dev/null' })).toMatchObject({ status: 0, stderr: '' });
    const homeless = put('homeless.cjs', "require('node:os').homedir = () => { throw new Error('of no user'); };");
    expect(hello({ XDG_CACHE_HOME: '', NODE_OPTIONS: `--require ${homeless}` })).toMatchObject({ status: 0, stderr: '' });
  });
});
