/** Runs in the browser: `runGuest` for one of our guests in one executor, `watOf` for some code. The test calls them and compares. */
import { exitCode, loadProgram, translate } from '../../src/index.ts';
import type { Executor } from '../../src/vcpu/vcpu.ts';

export interface GuestResult {
  readonly stdout: string;
  readonly code: number;
  readonly instructions: number;
  readonly regions: number;
}

const bytesOf = async (path: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await (await fetch(path)).arrayBuffer());

let runtime: Promise<WebAssembly.Module> | undefined;

export async function runGuest(file: string, args: readonly string[], executor: Executor): Promise<GuestResult> {
  runtime ??= WebAssembly.compileStreaming(fetch('/runtime.wasm'));
  let stdout = '';
  const decoder = new TextDecoder();
  const program = await loadProgram(await bytesOf(`/guests/${file}`), {
    runtime: await runtime,
    argv: [file, ...args],
    executor,
    stdout: {
      write(bytes) {
        stdout += decoder.decode(bytes, { stream: true });
        return bytes.length;
      },
    },
  });
  const status = await program.run();
  return { stdout, code: exitCode(status), instructions: program.stats.instructions, regions: program.stats.regions };
}

export const watOf = async (code: readonly number[]): Promise<string> =>
  (await translate(Uint8Array.from(code), { isa: 'x86', pc: 0x8048000 })).wat;

Object.assign(globalThis, { runGuest, watOf });
