// The binaryen package keeps its WebAssembly in a string of its one JavaScript file, which takes an engine half a second to
// parse and decode at each start. This writes both apart: <folder>/binaryen.js, which reads <folder>/binaryen.wasm.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';

const LOAD =
  "await(globalThis.process?.versions?.node?process.getBuiltinModule('node:fs').readFileSync(new URL('./binaryen.wasm',import.meta.url))" +
  ":fetch(new URL('./binaryen.wasm',import.meta.url)).then(async(r)=>new Uint8Array(await r.arrayBuffer())))";

/** What it asks Node for; bundlers for browsers would look for it. */
const ASKS = 'await import("node:module")';
const ASKS_WHERE_THERE = 'process.getBuiltinModule("node:module")';

/** What it has called of its function table: an array that grew from a high index would be a hash table, asked for each call back into the WebAssembly. */
const CALLED = /([\w$]+)=\[\],([\w$]+=([\w$]+)=>\{var [\w$]+=\1\[\3\];)/;
const TABLE_SIZE = 1 << 14;

/** Throws if the package is not built as it is expected to be. */
export function splitBinaryen(folder) {
  const source = readFileSync(createRequire(import.meta.url).resolve('binaryen'), 'utf8');
  const call = /\b[\w$]+\(`\\0asm/.exec(source);
  if (!call) throw new Error('binaryen no longer embeds its WebAssembly in a template string');
  const start = source.indexOf('`', call.index);
  let end = start + 1;
  while (source[end] !== '`') end += source[end] === '\\' ? 2 : 1;
  if (source[end + 1] !== ')') throw new Error('binaryen no longer decodes its WebAssembly in a call of one argument');
  // a character is a byte, or above 0xff stands for 0
  const text = runInNewContext(source.slice(start, end + 1));
  const wasm = Uint8Array.from(text, (c) => {
    const code = c.charCodeAt(0);
    return (~code >> 8) & code;
  });
  if (!WebAssembly.validate(wasm)) throw new Error('what binaryen embeds is not WebAssembly as it is decoded here');
  writeFileSync(join(folder, 'binaryen.wasm'), wasm);
  if (!source.includes(ASKS)) throw new Error('binaryen no longer asks Node for createRequire as is expected');
  const code = source.slice(0, call.index) + LOAD + source.slice(end + 2);
  if (!CALLED.test(code)) throw new Error('binaryen no longer keeps functions of its table as is expected');
  writeFileSync(join(folder, 'binaryen.js'), code.replaceAll(ASKS, ASKS_WHERE_THERE).replace(CALLED, `$1=Array(${TABLE_SIZE}),$2`));
}
