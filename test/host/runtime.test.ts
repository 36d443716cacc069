import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRuntime } from '../../src/backend/runtime.ts';
import { compile } from '../../src/host/runtime.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { runtimeModule } from '../support/runtime.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wasmvisor-runtime-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DATA = [1, 2, 3, 4, 5];
const custom = (name: string): number[] => [0, 1 + name.length + DATA.length, name.length, ...Buffer.from(name), ...DATA];

it('the engine’s custom sections are read from its file when they are asked for, if that is still the same', () => {
  runtimeModule();
  const whole = Buffer.concat([readFileSync('build/runtime.wasm'), Buffer.from(custom('one')), Buffer.from(custom('two'))]);
  const file = join(folder, 'runtime.wasm');
  const sections = (): ((name: string) => number[] | undefined) => {
    const { section } = createRuntime(compile(pathToFileURL(file)), new GuestMemory(0x100000, 'little'));
    return (name) => {
      const bytes = section(name);
      return bytes && Array.from(new Uint8Array(bytes));
    };
  };
  writeFileSync(file, whole);
  const read = sections();
  expect(['one', 'two', 'three'].map(read)).toEqual([DATA, DATA, undefined]);
  writeFileSync(
    `${file}.new`,
    whole.map((byte, i) => (i < whole.length - 3 ? byte : 9)),
  );
  renameSync(`${file}.new`, file);
  expect(read('two')).toBeUndefined();
  rmSync(file);
  expect(read('two')).toBeUndefined();
  // cut off in the last
  writeFileSync(file, whole.subarray(0, -1));
  expect(['one', 'two'].map(sections())).toEqual([DATA, undefined]);
  writeFileSync(file, whole.subarray(0, 3));
  expect(sections).toThrow(WebAssembly.CompileError);
});
