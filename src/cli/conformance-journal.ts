import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { FormCounts } from './conformance-pool.ts';
import { CliError, ExitCode } from './errors.ts';

/** One form of one suite on one executor. */
export interface JournalEntry {
  readonly suite: string;
  readonly executor: string;
  readonly form: number;
  readonly counts: FormCounts;
}

export interface Journal {
  /** What an earlier run noted. */
  readonly entries: readonly JournalEntry[];
  note(entries: readonly JournalEntry[]): void;
}

/**
 * A file with a line for each form that is done, so that a run that was interrupted goes on where it stopped. Its first line is
 * `run`: what the results depend on.
 */
export function openJournal(file: string, run: string): Journal {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  // what follows the last line feed was cut off
  const [first, ...rest] = text.split('\n').slice(0, -1);
  if (text !== '' && first !== run)
    throw new CliError(`--resume ${file}: it belongs to a run with other options or vectors`, ExitCode.Usage);
  let entries: JournalEntry[];
  try {
    entries = rest.map((line) => JSON.parse(line) as JournalEntry);
  } catch {
    throw new CliError(`--resume ${file}: not written by this command`, ExitCode.Usage);
  }
  writeFileSync(file, `${[run, ...rest].join('\n')}\n`);
  return {
    entries,
    note: (more) => appendFileSync(file, more.map((entry) => `${JSON.stringify(entry)}\n`).join('')),
  };
}
