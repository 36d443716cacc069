import { existsSync, readFileSync } from 'node:fs';

const compiled = new Map<string, WebAssembly.Module>();

function load(name: string): WebAssembly.Module {
  let module = compiled.get(name);
  if (!module) {
    const url = [`./${name}`, `../../build/${name}`].map((path) => new URL(path, import.meta.url)).find((place) => existsSync(place));
    if (!url) throw new Error(`${name} is missing: build the project (npm run build) or install the package again`);
    module = new WebAssembly.Module(readFileSync(url));
    compiled.set(name, module);
  }
  return module;
}

/** The engine's own WebAssembly (runtime.wasm), for `ProgramOptions.runtime`: beside this file in the package, in build/ in the source tree. */
export const nodeRuntime = (): WebAssembly.Module => load('runtime.wasm');

/** The same for whole machines (system.wasm). */
export const nodeSystemRuntime = (): WebAssembly.Module => load('system.wasm');
