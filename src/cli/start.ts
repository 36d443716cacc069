#!/usr/bin/env -S node --stack-size=3900 --min-semi-space-size=8 --no-opt --wasm-tiering-budget=2000000000
import path from 'node:path';
import { loadCommand } from './code-cache.ts';
import { reserveMemory } from './reserve.ts';

/** The file beside this one that has all of the command; its name tells its content. */
declare const MAIN_FILE: string;

const memory = reserveMemory(process.argv);
void loadCommand(path.join(__dirname, MAIN_FILE), require).main(process.argv, memory);
