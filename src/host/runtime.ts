import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
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
/** Bytes that are read of a section at first: its id, its length, and a custom one's name. */
const HEAD = 32;
const CUSTOM = 0;

interface Section {
  /** Of a custom one. */
  readonly name: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** The custom sections at the end, templates most of all, are most of the file: they are read when they are asked for. */
export function compile(url: URL): WebAssembly.Module {
  const [code, sections, version] = withFile(url, (fd) => {
    const sections = [...sectionsOf(fd)];
    return [readAt(fd, 0, sections.findLast(({ name }) => name === undefined)?.end ?? PREAMBLE), sections, versionOf(fd)] as const;
  });
  const module = new WebAssembly.Module(code);
  sectionsApart(module, (name) => {
    const section = sections.find((each) => each.name === name);
    if (!section || !existsSync(url)) return undefined;
    return withFile(url, (fd) => (versionOf(fd) === version ? readAt(fd, section.start, section.end).buffer : undefined));
  });
  return module;
}

/** Tells a file from one that has come in its place, as when the package is installed again meanwhile. */
function versionOf(fd: number): string {
  const { ino, size, mtimeMs } = fstatSync(fd);
  return `${ino} ${size} ${mtimeMs}`;
}

function withFile<T>(url: URL, use: (fd: number) => T): T {
  const fd = openSync(url, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, start: number, end: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  readSync(fd, bytes, 0, bytes.length, start);
  return bytes;
}

/** The sections of a module's file, as far as they can be told. */
function* sectionsOf(fd: number): Generator<Section> {
  const { size } = fstatSync(fd);
  for (let head = PREAMBLE; head < size; ) {
    const bytes = readAt(fd, head, Math.min(head + HEAD, size));
    const [length, body] = unsigned(bytes, 1);
    const start = head + body;
    const end = start + length;
    if (Number.isNaN(length) || end > size) return;
    if (bytes[0] === CUSTOM) {
      const [letters, text] = unsigned(bytes, body);
      const name = String.fromCharCode(...bytes.subarray(text, text + letters));
      yield { name, start: head + text + letters, end };
    } else yield { name: undefined, start, end };
    head = end;
  }
}

/** LEB128: the number at `at`, and where it ends. */
function unsigned(bytes: Uint8Array, at: number): readonly [number: number, end: number] {
  const last = bytes.findIndex((byte, i) => i >= at && byte < 0x80);
  if (last < 0) return [Number.NaN, at];
  return [bytes.subarray(at, last + 1).reduceRight((sum, byte) => sum * 0x80 + (byte & 0x7f), 0), last + 1];
}

/** The engine's own WebAssembly (runtime.wasm), for `ProgramOptions.runtime`: beside this file in the package, in build/ in the source tree. */
export const nodeRuntime = (): WebAssembly.Module => load('runtime.wasm');

/** The same for whole machines (system.wasm). */
export const nodeSystemRuntime = (): WebAssembly.Module => load('system.wasm');
