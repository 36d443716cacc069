// Which instructions programs have in common, for common.txt and common-system.txt of a translator:
//   node src/build/common.mjs record <file> run --interpret --no-cache …   what any of wasmvisor's commands executes, into a file
//   node src/build/common.mjs merge <file>… > list                         what is in two of them at least, or in the only one
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Beside build/runtime.wasm, which comes without templates. */
const outfile = 'build/record.mjs';
const RECORDER = `
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TemplateImage } from '../backend/interpret/template-image.ts';
import { digitOf } from '../ir/template.ts';
globalThis.require = createRequire(import.meta.url);
export { main } from '../cli/main.ts';

const found = new Map();
/** The instruction's bytes with nothing in them but what decides; -1 where nothing does. */
function decisive({ key, length }, byteAt) {
  const out = Array(length).fill(-1);
  for (const digit of key)
    for (let i = 0; i < digit.bytes; i++) {
      const at = digit.offset + i;
      const bits = ((digitOf(digit, byteAt) << digit.shift) >>> (8 * (digit.bigEndian ? digit.bytes - 1 - i : i))) & 255;
      out[at] = Math.max(0, out[at]) | bits;
    }
  return out;
}
const { root, add } = TemplateImage.prototype;
TemplateImage.prototype.root = function (mode) {
  const at = root.call(this, mode);
  if (!found.has(at)) found.set(at, { mode, lines: new Set() });
  return at;
};
TemplateImage.prototype.add = function (at, made, byteAt) {
  found.get(at).lines.add(Array.from(decisive(made, byteAt), (byte) => (byte < 0 ? '..' : byte.toString(16).padStart(2, '0'))).join(''));
  return add.call(this, at, made, byteAt);
};
export function save(file) {
  const text = [...found.values()].filter(({ lines }) => lines.size > 0).map(({ mode, lines }) => ['mode ' + mode.toString(16), ...lines].join('\\n'));
  writeFileSync(file, text.join('\\n') + '\\n');
}
`;

async function record(file, args) {
  await build({
    stdin: { contents: RECORDER, resolveDir: 'src/build' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    define: { BUILD_DIGEST: '"record"' },
    outfile,
    logLevel: 'warning',
  });
  const { main, save } = await import(pathToFileURL(outfile).href);
  process.on('exit', () => save(file));
  await main(['node', 'wasmvisor', ...args]);
}

function merge(files) {
  const counts = new Map();
  for (const file of files) {
    let mode = '';
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      if (line.startsWith('mode ')) mode = line;
      else {
        if (!counts.has(mode)) counts.set(mode, new Map());
        counts.get(mode).set(line, (counts.get(mode).get(line) ?? 0) + 1);
      }
    }
  }
  const least = Math.min(2, files.length);
  for (const [mode, lines] of counts) {
    const common = [...lines].filter(([, count]) => count >= least).map(([line]) => line);
    if (common.length > 0) process.stdout.write(`${[mode, ...common.sort()].join('\n')}\n`);
  }
}

const [verb, ...rest] = process.argv.slice(2);
if (verb === 'record' && rest.length > 1) await record(rest[0], rest.slice(1));
else if (verb === 'merge' && rest.length > 0) merge(rest);
else {
  process.stderr.write('usage: node src/build/common.mjs record <file> <command of wasmvisor…> | merge <file>…\n');
  process.exitCode = 2;
}
