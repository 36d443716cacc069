import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { corpusSource } from './corpus.ts';

// GCC takes the no-optimize-sibling-calls of some functions from their attributes
const FLAGS = (
  '--target=wasm32 -O2 -std=gnu11 -ffreestanding -fno-builtin -nostdlib -fno-math-errno -fno-optimize-sibling-calls -mbulk-memory ' +
  '-Wno-unknown-attributes -Wno-ignored-attributes -Wl,--no-entry -Wl,--export=start_c -Wl,-z,stack-size=65536'
).split(' ');

const PAGE = 65536;

class Exited extends Error {
  override name = 'Exited';
}

/** A corpus program's source compiled straight to WebAssembly: a function from its arguments to what it prints. Or why there is none. */
export function compileSource(name: string): ((args: readonly string[]) => string) | { readonly missing: string } {
  const source = corpusSource(name);
  if (!existsSync(source)) return { missing: `${source} is not there` };
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-bench-'));
  try {
    const file = join(folder, `${name}.wasm`);
    const { error, status, stderr } = spawnSync('clang', [...FLAGS, '-o', file, source], { encoding: 'utf8' });
    if (error) return { missing: 'clang is not installed' };
    if (status !== 0) return { missing: `clang does not make it: ${stderr.trim().split('\n')[0]}` };
    const module = optimised(readFileSync(file));
    return (args) => run(module, [name, ...args]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compiled by V8's optimising compiler at once: what a program that is hot runs at, since a loop that does not end is never replaced. */
function optimised(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  const flags = ['liftoff', 'wasm-lazy-compilation'];
  for (const flag of flags) setFlagsFromString(`--no-${flag}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    for (const flag of flags) setFlagsFromString(`--${flag}`);
  }
}

function run(module: WebAssembly.Module, argv: readonly string[]): string {
  let stdout = '';
  const host = {
    write(at: number, length: number) {
      stdout += Buffer.from(memory.buffer, at, length).toString('latin1');
      return length;
    },
    exit() {
      throw new Exited();
    },
  };
  const { exports } = new WebAssembly.Instance(module, { host });
  const memory = exports.memory as WebAssembly.Memory;
  // argc, argv and the strings, in a page of their own
  const page = memory.grow(1) * PAGE;
  const words = new Uint32Array(memory.buffer, page, 1 + argv.length);
  words[0] = argv.length;
  let at = page + words.byteLength;
  for (const [i, text] of argv.entries()) {
    words[1 + i] = at;
    at += Buffer.from(memory.buffer).write(`${text}\0`, at, 'latin1');
  }
  try {
    (exports.start_c as (stack: number) => void)(page);
  } catch (error) {
    if (!(error instanceof Exited)) throw error;
  }
  return stdout;
}
