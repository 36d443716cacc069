import { loadProgram, type ProgramOptions } from '../../src/linux/program.ts';
import { runtimeModule } from './runtime.ts';

/** Runs a guest program to its end, or for less than a test may take, so that what it printed is told. What it prints comes as latin1, so that every byte is kept. */
export async function runProgram(elf: Uint8Array, options: Partial<ProgramOptions>) {
  let stdout = '';
  const program = await loadProgram(elf, {
    runtime: runtimeModule(),
    timeout: 240_000,
    stdout: {
      write(bytes) {
        stdout += Buffer.from(bytes).toString('latin1');
        return bytes.length;
      },
    },
    ...options,
  });
  const status = await program.run();
  return { stdout, status, stats: program.stats };
}
