#!/usr/bin/env -S node --stack-size=3900
import { loadCommand } from './code-cache.ts';

// all of the command, in one file beside this one
const { main } = loadCommand(new URL('./main.cjs', import.meta.url)) as { readonly main: (argv: readonly string[]) => Promise<void> };
await main(process.argv);
