#!/usr/bin/env -S node --stack-size=3900
import { fileURLToPath } from 'node:url';
import { loadCommand } from './code-cache.ts';

/** The file beside this one that has all of the command; its name tells its content. */
declare const MAIN_FILE: string;

const { main } = loadCommand(fileURLToPath(new URL(MAIN_FILE, import.meta.url))) as {
  readonly main: (argv: readonly string[]) => Promise<void>;
};
await main(process.argv);
