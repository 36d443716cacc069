import fs from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';

/** Bytes of code compiled since the start that are worth saving it anew. */
const WORTH_SAVING = 64 << 10;

const compiledBytes = (): number => v8.getHeapCodeStatistics().bytecode_and_metadata_size;

/**
 * The exports of a CommonJS file, which finds import() as `__import` (code from the cache cannot use it by itself), relative
 * to this file. What V8 compiles of it is kept from start to start, in the user's cache folder: compiling
 * takes as long as all else that a short program needs. NODE_DISABLE_COMPILE_CACHE=1 turns that off, as it does Node's own.
 */
export function loadCommand(url: URL): unknown {
  const file = fileURLToPath(url);
  const saved = process.env.NODE_DISABLE_COMPILE_CACHE ? undefined : cacheFile(file);
  const cachedData = saved && attempt(() => fs.readFileSync(saved));
  const source = `(function (exports, require, module, __filename, __dirname, __import) {${fs.readFileSync(file, 'utf8')}\n})`;
  const script = new vm.Script(source, { filename: file, ...(cachedData && { cachedData }) });
  const known = cachedData && !script.cachedDataRejected ? compiledBytes() : Number.NEGATIVE_INFINITY;
  if (saved)
    process.on('exit', () => {
      if (compiledBytes() - known > WORTH_SAVING) attempt(() => save(saved, script));
    });
  const module = { exports: {} };
  const run = script.runInThisContext() as (...values: unknown[]) => void;
  run(module.exports, createRequire(file), module, file, path.dirname(file), (specifier: string) => import(specifier));
  return module.exports;
}

/** Where the code of this very file, compiled by this Node, is kept. */
function cacheFile(file: string): string | undefined {
  const folder = process.env.XDG_CACHE_HOME || attempt(() => path.join(homedir(), '.cache'));
  const stats = attempt(() => fs.statSync(file));
  if (!folder || !path.isAbsolute(folder) || !stats) return undefined;
  return path.join(folder, 'wasmvisor', `${process.version}-${process.arch}-${stats.size}-${Math.round(stats.mtimeMs)}`);
}

function save(file: string, script: vm.Script): void {
  // V8 takes code only under the flags that it was made with
  v8.setFlagsFromString('--opt');
  const folder = path.dirname(file);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const old = fs.readdirSync(folder);
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
  fs.renameSync(temporary, file);
  for (const name of old) if (name !== path.basename(file)) fs.rmSync(path.join(folder, name), { force: true });
}

/** Nothing depends on the cache: what goes wrong with it is of no account. */
function attempt<T>(operation: () => T): T | undefined {
  try {
    return operation();
  } catch {
    return undefined;
  }
}
