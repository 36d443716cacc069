import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { makeFolder } from '../host/make-folder.ts';
import { readTwice } from '../host/read-twice.ts';
import { cacheFolder } from './cache-folder.ts';

/** Files kept: for each Node, its flags and build, one of the command with nothing but `run`, and one of all of it. */
const KEPT = 8;

const PREFIX = 'code-';

/** What the file exports. */
interface Exports {
  readonly main: (argv: readonly string[], memory: WebAssembly.Memory | undefined) => Promise<void>;
  /** Names for the parts of it that this start has used: where one is new, the code compiled is worth saving anew. */
  readonly parts: ReadonlySet<string>;
  /** Sets V8's flags as they were at the start. */
  readonly flagsOfStart: () => void;
}

/**
 * The exports of a file that is a function of (exports, require, module, __filename, __dirname, __import), in ASCII; the last is import(), which
 * code from the cache cannot use by itself, relative to this file. What V8 compiles of it is kept from start to start, in the
 * user's cache folder: compiling takes as long as all else that a short program needs. The file's name must tell its content,
 * since V8 compares no more than the length. NODE_DISABLE_COMPILE_CACHE=1 turns the cache off, as it does Node's own.
 */
export function loadCommand(file: string, require: (name: string) => unknown): Exports {
  const saved = process.env.NODE_DISABLE_COMPILE_CACHE ? undefined : cacheFile(file);
  const cached = saved ? attempt(() => read(saved)) : undefined;
  const cachedData = cached?.code;
  const script = new vm.Script(fs.readFileSync(file, 'latin1'), { filename: file, ...(cachedData && { cachedData }) });
  const module = { exports: {} as Exports };
  if (saved)
    process.on('exit', () => {
      const known = cached && !script.cachedDataRejected ? cached.parts : [];
      const parts = new Set([...known, ...module.exports.parts]);
      if (parts.size > known.length) attempt(() => save(saved, script, [...parts], module.exports.flagsOfStart));
    });
  const run = script.runInThisContext() as (...values: unknown[]) => void;
  run(module.exports, require, module, file, path.dirname(file), (specifier: string) => import(specifier));
  return module.exports;
}

/** Where the code of this very file, compiled by this Node with these flags, is kept. */
function cacheFile(file: string): string | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? '']
    .join(' ')
    .replace(/[^\w=.-]+/g, '_')
    .slice(0, 180);
  const version = `${process.version}-${process.arch}-${flags}`;
  return path.join(folder, `${PREFIX}${path.parse(file).name}-${version}`);
}

/** Whether nobody else can have put files there: V8 runs what it reads. */
function isOurs(folder: string): boolean {
  const stats = attempt(() => fs.lstatSync(folder));
  return stats?.isDirectory() === true && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0;
}

interface Cached {
  readonly code: Buffer;
  /** What the starts that it was saved by had used. */
  readonly parts: readonly string[];
}

/** The file holds everything twice: V8 does not check what it runs. */
function read(file: string): Cached | undefined {
  if (!isOurs(path.dirname(file))) return undefined;
  const fd = fs.openSync(file, 'r');
  try {
    const length = fs.fstatSync(fd).size >> 1;
    const once = length < 4 ? undefined : readTwice(fd, 0, length, length);
    if (!once) return undefined;
    const end = length - 4;
    const code = once.subarray(0, once.readUInt32LE(end));
    return { code, parts: once.toString('utf8', code.length, end).split(' ') };
  } finally {
    fs.closeSync(fd);
  }
}

function save(file: string, script: vm.Script, parts: readonly string[], flagsOfStart: () => void): void {
  flagsOfStart();
  const folder = path.dirname(file);
  makeFolder(folder);
  if (!isOurs(folder)) return;
  const temporary = `${file}.${process.pid}`;
  const code = script.createCachedData();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(code.length);
  const once = Buffer.concat([code, Buffer.from(parts.join(' ')), length]);
  try {
    fs.writeFileSync(temporary, Buffer.concat([once, once]), { mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
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
