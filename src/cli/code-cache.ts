import fs from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';

/** Bytes of code compiled since the start that are worth saving it anew. */
const WORTH_SAVING = 64 << 10;

/** Files kept: one for each Node, its flags, and build of the command. */
const KEPT = 8;

const PREFIX = 'code-';

const compiledBytes = (): number => v8.getHeapCodeStatistics().bytecode_and_metadata_size;

/**
 * The exports of a CommonJS file, which finds import() as `__import` (code from the cache cannot use it by itself), relative
 * to this file. What V8 compiles of it is kept from start to start, in the user's cache folder: compiling takes as long as
 * all else that a short program needs. The file's name must tell its content, since V8 compares no more than the length.
 * NODE_DISABLE_COMPILE_CACHE=1 turns the cache off, as it does Node's own.
 */
export function loadCommand(file: string): unknown {
  const saved = process.env.NODE_DISABLE_COMPILE_CACHE ? undefined : cacheFile(file);
  const cachedData = saved && attempt(() => read(saved));
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

/** Where the code of this very file, compiled by this Node with these flags, is kept. */
function cacheFile(file: string): string | undefined {
  const folder = process.env.XDG_CACHE_HOME || attempt(() => path.join(homedir(), '.cache'));
  if (!folder || !path.isAbsolute(folder)) return undefined;
  const version = `${process.version}-${process.arch}-${v8.cachedDataVersionTag().toString(36)}`;
  return path.join(folder, 'wasmvisor', `${PREFIX}${path.parse(file).name}-${version}`);
}

/** Whether nobody else can have put files there: V8 runs what it reads. */
function isOurs(folder: string): boolean {
  const stats = attempt(() => fs.lstatSync(folder));
  return stats?.isDirectory() === true && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0;
}

/** The file holds the code twice: V8 does not check what it runs, and comparing is faster than any digest. */
function read(file: string): Buffer | undefined {
  if (!isOurs(path.dirname(file))) return undefined;
  const twice = fs.readFileSync(file);
  const code = twice.subarray(0, twice.length >> 1);
  return code.equals(twice.subarray(code.length)) ? code : undefined;
}

function save(file: string, script: vm.Script): void {
  // V8 takes code only under the flags that it was made with
  v8.setFlagsFromString('--opt');
  const folder = path.dirname(file);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!isOurs(folder)) return;
  const temporary = `${file}.${process.pid}`;
  const code = script.createCachedData();
  fs.writeFileSync(temporary, Buffer.concat([code, code]), { mode: 0o600 });
  fs.renameSync(temporary, file);
  const age = (name: string): number => fs.statSync(path.join(folder, name)).mtimeMs;
  const names = fs.readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  const byAge = names.map((name) => ({ name, time: age(name) })).sort((a, b) => b.time - a.time);
  for (const { name } of byAge.slice(KEPT)) fs.rmSync(path.join(folder, name), { force: true });
}

/** Nothing depends on the cache: what goes wrong with it is of no account. */
function attempt<T>(operation: () => T): T | undefined {
  try {
    return operation();
  } catch {
    return undefined;
  }
}
