import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { sectionsApart } from '../backend/runtime.ts';

const compiled = new Map<string, WebAssembly.Module>();

function load(name: string): WebAssembly.Module {
  let module = compiled.get(name);
  if (!module) {
    const url = [`./${name}`, `../../build/${name}`].map((path) => new URL(path, import.meta.url)).find((place) => existsSync(place));
    if (!url) throw new Error(`${name} is missing: build the project (npm run build) or install the package again`);
    module = compile(url);
    compiled.set(name, module);
  }
  return module;
}

/** Bytes of a module's magic number and version. */
const PREAMBLE = 8;
/** Bytes that a section's id and length take at most. */
const HEAD = 6;
const CUSTOM = 0;

/** What comes from the first custom section on, templates most of all, is most of the file: it is read when a section is asked for. */
function compile(url: URL): WebAssembly.Module {
  const { code, end } = readCode(url);
  const module = new WebAssembly.Module(code);
  sectionsApart(module, () => {
    const file = readFileSync(url);
    file.copy(file, end - PREAMBLE, 0, PREAMBLE);
    return new WebAssembly.Module(file.subarray(end - PREAMBLE));
  });
  return module;
}

/** A module's bytes up to its first custom section, and where they end. */
function readCode(url: URL): { readonly code: Uint8Array<ArrayBuffer>; readonly end: number } {
  const fd = openSync(url, 'r');
  try {
    const { size } = fstatSync(fd);
    const head = new Uint8Array(HEAD);
    let end = PREAMBLE;
    while (end < size) {
      readSync(fd, head, 0, HEAD, end);
      const last = head.findIndex((byte, i) => i > 0 && byte < 0x80);
      if (head[0] === CUSTOM || last < 0) break;
      const length = head.subarray(1, last + 1).reduceRight((sum, byte) => sum * 0x80 + (byte & 0x7f), 0);
      end += 1 + last + length;
    }
    const code = new Uint8Array(end);
    readSync(fd, code, 0, end, 0);
    return { code, end };
  } finally {
    closeSync(fd);
  }
}

/** The engine's own WebAssembly (runtime.wasm), for `ProgramOptions.runtime`: beside this file in the package, in build/ in the source tree. */
export const nodeRuntime = (): WebAssembly.Module => load('runtime.wasm');

/** The same for whole machines (system.wasm). */
export const nodeSystemRuntime = (): WebAssembly.Module => load('system.wasm');
