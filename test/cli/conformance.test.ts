import { readFileSync, writeFileSync } from 'node:fs';
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
    expect(readFileSync(files.html, 'utf8')).toContain('<td class="in">mmx</td>');
  }, 300_000);

  it('goes on where an earlier run stopped, and shows the results of public suites', async () => {
    const [journal, suites, html] = ['journal', 'suites.json', 'resumed.html'].map((name) => join(folder, name));
    const args = ['conformance', '--suite', 'x86-mmx', '--executor', 'interpret', '--filter', 'padd', '--resume', journal];
    expect((await wasmvisor(...args, '--jobs', '1')).stdout).toMatch(/\n1400 passed, 0 failed\n$/);
    const lines = readFileSync(journal, 'utf8').split('\n');
    expect(lines).toHaveLength(9);
    // one form is still to do, one was cut off while it was noted, one has another result
    const other = lines[1].replace('"passed":200,"failed":0', '"passed":199,"failed":1');
    writeFileSync(journal, [lines[0], other, ...lines.slice(2, 6), lines[6].slice(0, 20)].join('\n'));
    const flat = { suite: 'their checks', isa: 'x86', tool: 'them 1.0', cases: 9, passed: 7, failed: 1 };
    writeFileSync(suites, JSON.stringify([{ ...flat, skipped: [{ reason: 'too big', count: 1 }], failures: ['<case> 3'] }]));
    const { code, stdout } = await wasmvisor(...args, '--suites', suites, '--html', html);
    expect(stdout).toMatch(/public suite +isa +all +skipped +left out\ntheir checks +x86 +7\/8 +1\n/);
    expect(stdout).toMatch(/\n1399 passed, 1 failed\n$/);
    expect(code).toBe(1);
    expect(readFileSync(html, 'utf8')).toMatch(/&lt;case&gt; 3/);
    expect((await wasmvisor(...args, '--shard', '1/2')).stderr).toContain('it belongs to a run with other options or vectors');
    writeFileSync(journal, 'something else');
    expect((await wasmvisor(...args)).code).toBe(2);
    expect(readFileSync(journal, 'utf8')).toBe('something else');
  }, 300_000);

  it.each([
    ['--jobs', '0', 'wasmvisor: --jobs 0: not a positive number\n'],
    ['--suites', 'nowhere', 'wasmvisor: --suites nowhere: no such file or folder\n'],
    ['--isa', 'arm', 'wasmvisor: --isa arm: choose from x86, mips, mipsel\n'],
    ['--suite', 'x86-avx', /^wasmvisor: --suite x86-avx: choose from mips-fpu, mips-integer, /],
    ['--executor', 'guess', 'wasmvisor: --executor guess: choose from interpret, translate, retranslate\n'],
    ['--shard', '3/2', 'wasmvisor: --shard 3/2: not of the form i/n with 1 ≤ i ≤ n\n'],
    ['--seed', 'x', 'wasmvisor: --seed x: not a number\n'],
    ['--filter', 'no such form', 'wasmvisor: --filter no such form: no form contains this\n'],
  ])(
    'refuses %s %s',
    async (flag, value, message) => {
      expect(await wasmvisor('conformance', flag, value)).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    },
    300_000,
  );
});
