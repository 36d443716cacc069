import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { corpusPath, corpusPrograms } from '../../../src/cli/corpus.ts';
import { readSuite, vectorFiles } from '../../../src/cli/vectors.ts';
import type { Suite } from '../../../src/conformance/vectors.ts';
import { runnerFile } from './native.ts';
import { inputOf, type Recorded } from './replay.ts';

// What shows that user mode inside a machine is user mode: our programs, and the vectors with the runner that recorded them.

export const x86Suites = (): readonly Suite[] =>
  vectorFiles()
    .filter(({ name }) => name.startsWith('x86-'))
    .map(({ file }) => readSuite(file));

export interface ProgramRun {
  readonly command: string;
  readonly prints: string;
}

/** The x86 programs of the corpus below a guest's folder, with what they print. */
export const programRuns = (folder: string, length: 'short' | 'long'): readonly ProgramRun[] =>
  corpusPrograms()
    .filter(({ isa }) => isa === 'x86')
    .map(({ file, runs: [short, long] }) => {
      const { args, stdout } = length === 'short' ? short : long;
      return { command: [`${folder}/${file}`, ...args].join(' '), prints: stdout };
    });

/** Puts those programs and the runner into a host folder; says what is missing. */
export function fillFolder(folder: string): string | undefined {
  const runner = runnerFile();
  if ('missing' in runner) return runner.missing;
  for (const program of corpusPrograms().filter(({ isa }) => isa === 'x86')) {
    const path = join(folder, program.file);
    mkdirSync(join(path, '..'), { recursive: true });
    copyFileSync(corpusPath(program), path);
  }
  copyFileSync(runner.path, join(folder, 'runner'));
  return undefined;
}

export const writeCases = (folder: string, vectors: readonly Recorded[]): void => writeFileSync(join(folder, 'cases'), inputOf(vectors));
/** Runs them in that folder, where a guest sees it; the outcomes go to a file there, and the exit status is printed. */
export const runCases = (folder: string): string => `(cd ${folder}; cat cases | ./runner > outcomes; echo $?)`;
