import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';
import { type ExitStatus, exitCode, loadProgram, type ProgramOptions } from '../../src/linux/program.ts';
import { runReference } from '../support/elsewhere.ts';
import { runProgram } from '../support/run-program.ts';
import { runtimeModule } from '../support/runtime.ts';

/** A C compiler, and what runs its programs independently of us: the processor itself where it can. */
export interface Target {
  readonly name: 'mips' | 'mipsel' | 'i386';
  readonly compiler: string;
  readonly flags: readonly string[];
  readonly runner: readonly string[];
}

const MIPS = ['-march=mips32r2', '-mno-abicalls', '-G0'];
const FREESTANDING = '-ffreestanding -fno-builtin -nostdlib -static -fno-pic -no-pie -fno-stack-protector'.split(' ');

const runs = (command: string, ...args: string[]): boolean => !spawnSync(command, args, { stdio: 'ignore' }).error;

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-compiled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export const TARGETS: readonly Target[] = [
  { name: 'mips', compiler: 'mips-linux-gnu-gcc', flags: MIPS, runner: ['qemu-mips'] },
  { name: 'mipsel', compiler: 'mipsel-linux-gnu-gcc', flags: MIPS, runner: ['qemu-mipsel'] },
  { name: 'i386', compiler: 'i686-linux-gnu-gcc', flags: ['-march=pentium4', '-mno-sse'], runner: [] },
];

/** Whether compiler and runner are installed; what is missing, for the title of a test that is skipped. */
export function lacks({ compiler, runner }: Target): string {
  const missing = [compiler, ...runner].filter((command) => !runs(command, '--version'));
  return missing.length === 0 ? '' : ` (skipped: needs ${missing.join(' and ')})`;
}

/** Compiles a file of programs/, once, without a C library unless `hosted`. Gives the program's path. */
export function compile(target: Target, name: string, hosted = false, more: readonly string[] = []): string {
  const source = fileURLToPath(new URL(`./programs/${name}.c`, import.meta.url));
  const file = join(folder, `${name}-${target.name}`);
  if (existsSync(file)) return file;
  const flags = hosted ? ['-static', ...more] : [...FREESTANDING, ...target.flags];
  execFileSync(target.compiler, ['-O1', '-w', '-o', file, source, ...flags], { stdio: 'pipe' });
  return file;
}

/** What binutils has at an address of a compiled program: function and mnemonic; undefined where there is no code. */
export function placeIn(target: Target, file: string, pc: number): { readonly symbol: string; readonly mnemonic: string } | undefined {
  if (target.name !== 'i386' && pc % 4 !== 0) return undefined;
  const objdump = target.compiler.replace('gcc', 'objdump');
  const syntax = target.name === 'i386' ? ['-M', 'intel'] : [];
  const options = ['-d', ...syntax, `--start-address=${pc}`, `--stop-address=${pc + 15}`, file];
  const text = execFileSync(objdump, options, { encoding: 'latin1' });
  const symbol = /^[0-9a-f]+ <([^>+]+)(?:\+0x[0-9a-f]+)?>:$/m.exec(text)?.[1];
  const mnemonic = new RegExp(`^ *${pc.toString(16)}:\\t[0-9a-f ]+\\t(\\S+)`, 'm').exec(text)?.[1];
  return symbol === undefined || mnemonic === undefined ? undefined : { symbol, mnemonic };
}

export interface Ended {
  readonly stdout: string;
  /** As a shell sees it: 128 + signal for one that was killed. */
  readonly code: number;
}

/** The program on the processor or under qemu-user. */
export function runElsewhere(target: Target, file: string, ...args: string[]): Ended {
  const [command, ...before] = [...target.runner, file];
  const { stdout, status, signal } = runReference(command, [...before, ...args], folder);
  return { stdout, code: status ?? 128 + constants.signals[signal!] };
}

/** The program here. */
export async function runHere(file: string, options: Partial<ProgramOptions>): Promise<Ended & { readonly status: ExitStatus }> {
  const { stdout, status } = await runProgram(new Uint8Array(readFileSync(file)), { host: nodeHost, ...options });
  return { stdout, code: exitCode(status), status };
}

/** Stops a program that waits for itself: a moment after it has said so, however long its start takes. It ends by a timeout if it says something else. */
export async function stopWhenAllWait(file: string, options: Partial<ProgramOptions>): Promise<ExitStatus> {
  let said = '';
  const program = await loadProgram(new Uint8Array(readFileSync(file)), {
    host: nodeHost,
    runtime: runtimeModule(),
    timeout: 240_000,
    ...options,
    stdout: {
      write(bytes) {
        said += Buffer.from(bytes).toString('latin1');
        if (said === 'all wait\n') setTimeout(() => program.stop('SIGKILL'), 500);
        return bytes.length;
      },
    },
  });
  return program.run();
}
