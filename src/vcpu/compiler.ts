import type { Access, CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';

/** The Wasm back end, loaded when it is first needed. */
export interface Compiler {
  readonly compileRegions: (regions: readonly Region[], options: CompileOptions) => Uint8Array<ArrayBuffer>;
  readonly compileGroups: (
    groups: readonly { readonly regions: readonly Region[]; readonly options: CompileOptions }[],
  ) => Uint8Array<ArrayBuffer>;
  readonly accessAtOffset: (regions: readonly Region[], options: CompileOptions, offset: number) => Access | undefined;
  readonly accessMap: (regions: readonly Region[], options: CompileOptions) => number[];
}

/** The Wasm back end on a thread of its own. */
export interface BackgroundCompiler {
  /** `done` is called in a later turn of the event loop, without a module if none could be made. */
  compile(regions: readonly Region[], options: CompileOptions, name: string, done: (compiled: Compiled | undefined) => void): void;
  /** See accessAtOffset in src/backend/wasm/compile.ts. Waits for the answer. */
  accessAtOffset(regions: readonly Region[], options: CompileOptions, offset: number): Access | undefined;
  close(): void;
}

export interface Compiled {
  readonly module: WebAssembly.Module;
  /** Bytes of its binary form. */
  readonly size: number;
  /** What it took, in milliseconds. */
  readonly time: number;
}

/** The module with a name section that says its name, which engines show in stack traces. */
export function namedModule(bytes: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const section = [4, 0x6e, 0x61, 0x6d, 0x65, 0, text.length + 1, text.length, ...text];
  const out = new Uint8Array(bytes.length + 2 + section.length);
  out.set(bytes);
  out.set([0, section.length, ...section], bytes.length);
  return out;
}
