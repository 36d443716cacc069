import { nodeRuntime } from '../host/runtime.ts';
import { exitCode, loadProgram, type ProgramStats } from '../linux/program.ts';
import type { Executor } from '../vcpu/vcpu.ts';
import { CliError } from './errors.ts';
import { stackBytes } from './stack.ts';

export interface QuietRun {
  readonly stdout: string;
  /** Milliseconds from the ELF file in memory to the program's end. */
  readonly ms: number;
  readonly stats: ProgramStats;
}

/** Runs a program that needs nothing but its arguments, and keeps what it prints. CliError if it does not exit with 0. */
export async function runQuietly(elf: Uint8Array, argv: readonly string[], executor: Executor): Promise<QuietRun> {
  const start = performance.now();
  let stdout = '';
  const decoder = new TextDecoder();
  const program = await loadProgram(elf, {
    runtime: nodeRuntime(),
    argv,
    executor,
    stackBytes: stackBytes(),
    stdout: {
      write(bytes) {
        stdout += decoder.decode(bytes, { stream: true });
        return bytes.length;
      },
    },
  });
  const status = await program.run();
  const ms = performance.now() - start;
  if (exitCode(status) !== 0)
    throw new CliError(`${argv[0]} ended with ${exitCode(status)}${'report' in status && status.report ? `: ${status.report.text}` : ''}`);
  return { stdout, ms, stats: program.stats };
}
