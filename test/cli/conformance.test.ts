import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder, wasmvisor } from './support.ts';

const { folder } = makeFolder();

describe('conformance', () => {
  it('prints a matrix and writes JSON, JUnit XML and a page', async () => {
    const files = Object.fromEntries(['json', 'junit', 'html'].map((kind) => [kind, join(folder, kind)]));
    const { code, stdout } = await wasmvisor(
      ...['conformance', '--isa', 'x86,mips', '--suite', 'x86-mmx,mips-integer', '--filter', 'add', '--shard', '2/20'],
      ...Object.entries(files).flatMap(([kind, file]) => [`--${kind}`, file]),
    );
    expect(stdout).toMatch(/^group +forms +skipped +interpret +translate +retranslate\n/);
    expect(stdout).toMatch(/x86-mmx \(oracle: the processor\)\n {2}mmx +\d+ +(\d+) +\1 +\1\n/);
    expect(stdout).toMatch(/mips-integer \(oracle: qemu-mips\)\n {2}arithmetic +\d+ +(\d+) +\1 +\1\n/);
    expect(stdout).toMatch(/\n\d+ passed, 0 failed; .*\d+ vectors left out by --shard\n$/);
    expect(code).toBe(0);
    const json = JSON.parse(readFileSync(files.json, 'utf8'));
    expect(json.suites.map((s: { name: string }) => s.name)).toEqual(['mips-integer', 'x86-mmx']);
    expect(json.suites[1].executors[2]).toMatchObject({ executor: 'retranslate', failed: 0 });
    expect(readFileSync(files.junit, 'utf8')).toContain('<testcase classname="x86-mmx.translate.mmx" name="PADDB ');
    expect(readFileSync(files.html, 'utf8')).toContain('<td>mmx</td>');
  }, 60_000);

  it.each([
    ['--isa', 'arm', 'wasmvisor: --isa arm: choose from x86, mips, mipsel\n'],
    ['--suite', 'x86-avx', /^wasmvisor: --suite x86-avx: choose from mips-integer, /],
    ['--executor', 'guess', 'wasmvisor: --executor guess: choose from interpret, translate, retranslate\n'],
    ['--shard', '3/2', 'wasmvisor: --shard 3/2: not of the form i/n with 1 ≤ i ≤ n\n'],
    ['--seed', 'x', 'wasmvisor: --seed x: not a number\n'],
    ['--filter', 'no such form', 'wasmvisor: no vectors are chosen\n'],
  ])(
    'refuses %s %s',
    async (flag, value, message) => {
      expect(await wasmvisor('conformance', flag, value)).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    },
    30_000,
  );
});
