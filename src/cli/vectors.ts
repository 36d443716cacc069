import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { decodeSuite, type Suite } from '../conformance/vectors.ts';
import { CliError, ExitCode } from './errors.ts';

/** corpus/vectors lies beside dist/ in the package, and two levels above this file in the source tree. */
const folder = ['../corpus/vectors/', '../../corpus/vectors/']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

export interface VectorFile {
  readonly name: string;
  readonly file: string;
}

function filesIn(home: string): VectorFile[] {
  return readdirSync(home)
    .filter((name) => name.endsWith('.bin'))
    .sort()
    .map((name) => ({ name: name.slice(0, -4), file: join(home, name) }));
}

/** The recorded suites. */
export function vectorFiles(): readonly VectorFile[] {
  if (!folder) throw new CliError('the test vectors are not installed', ExitCode.Own);
  return filesIn(folder);
}

/** Vectors of these suites recorded now, in a temporary folder that goes with the process. Says on stderr which have no oracle here. */
export function freshVectors(seed: string, count: number, suites: readonly string[]): readonly VectorFile[] {
  if (!/^\d+$/.test(seed)) throw new CliError(`--seed ${seed}: not a number`, ExitCode.Usage);
  const script = folder && join(folder, 'record.mjs');
  if (!script || !existsSync(script)) throw new CliError('--seed needs the source tree: the package has recorded vectors only');
  const out = mkdtempSync(join(tmpdir(), 'wasmvisor-vectors-'));
  process.on('exit', () => rmSync(out, { recursive: true, force: true }));
  const args = [script, '--out', out, '--seed', seed, '--count', `${count}`, '--suite', suites.join(',')];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const files = filesIn(out);
  const missing = stderr.split('\n').filter((line) => line.includes(': not recorded: '));
  if (files.length === 0 || missing.length !== suites.length - files.length) throw new CliError(`no fresh vectors: ${stderr.trim()}`);
  if (status !== 0) for (const line of missing) process.stderr.write(`wasmvisor: ${line}\n`);
  return files;
}

/** SHA-256 of a file. */
export const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

export function readSuite(file: string): Suite {
  try {
    return decodeSuite(brotliDecompressSync(readFileSync(file)));
  } catch (error) {
    throw new CliError(`${file}: ${(error as Error).message}`);
  }
}
