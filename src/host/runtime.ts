import { existsSync, readFileSync } from 'node:fs';

let compiled: WebAssembly.Module | undefined;

/** The engine's own WebAssembly (runtime.wasm), for `ProgramOptions.runtime`: beside this file in the package, in build/ in the source tree. */
export function nodeRuntime(): WebAssembly.Module {
  if (!compiled) {
    const url = ['./runtime.wasm', '../../build/runtime.wasm']
      .map((path) => new URL(path, import.meta.url))
      .find((place) => existsSync(place));
    if (!url) throw new Error('runtime.wasm is missing: build the project (npm run build) or install the package again');
    compiled = new WebAssembly.Module(readFileSync(url));
  }
  return compiled;
}
