#!/usr/bin/env -S node --stack-size=3900 --min-semi-space-size=8 --v8-pool-size=0 --no-opt --wasm-tiering-budget=2000000000
import path from 'node:path';
import { loadCommand } from './code-cache.ts';
import { reserveMemory } from './reserve.ts';

/** Files beside this one: the command with nothing but `run`, and all of it. Their names tell their content. */
declare const RUN_FILE: string;
declare const MAIN_FILE: string;

const memory = reserveMemory(process.argv);
void loadCommand(path.join(__dirname, process.argv[2] === 'run' ? RUN_FILE : MAIN_FILE), require).main(process.argv, memory);
