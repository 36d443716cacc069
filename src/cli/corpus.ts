import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { IsaName } from '../isas.ts';
import { CliError, ExitCode } from './errors.ts';

/** One of our own guest programs, as corpus/programs/manifest.json describes it. */
export interface CorpusProgram {
  readonly name: string;
  readonly isa: IsaName;
  /** Path below corpus/programs. */
  readonly file: string;
  /** Computes in double precision. */
  readonly double: boolean;
  /** A short run, then the default one. */
  readonly runs: readonly CorpusRun[];
  /** A longer one, for measuring. */
  readonly bench: CorpusRun;
}

/** What a program is called with, and what it then prints on real hardware or under qemu. */
export interface CorpusRun {
  readonly args: readonly string[];
  readonly stdout: string;
}

/** corpus/programs lies beside dist/ in the package, and two levels above this file in the source tree. */
const folder = ['../corpus/programs/', '../../corpus/programs/']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url));

export function corpusPrograms(): readonly CorpusProgram[] {
  if (!folder) throw new CliError('the corpus programs are not installed', ExitCode.Own);
  return (JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as { programs: CorpusProgram[] }).programs;
}

/** Host path of a program's ELF file. */
export const corpusPath = (program: CorpusProgram): string => fileURLToPath(new URL(program.file, folder));

/** Host path of a program's source. */
export const corpusSource = (name: string): string => fileURLToPath(new URL(`source/${name}.c`, folder));
