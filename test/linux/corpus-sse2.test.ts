import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadProgram } from '../../src/linux/program.ts';
import { runtimeModule } from '../support/runtime.ts';

interface Entry {
  readonly name: string;
  readonly file: string;
  readonly runs: readonly { readonly args: readonly string[]; readonly stdout: string }[];
}
const FOLDER = new URL('../../corpus/programs/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', FOLDER), 'utf8')) as { readonly programs: readonly Entry[] };
const entries = manifest.programs.filter((entry) => entry.file.startsWith('x86-sse2/'));

describe.each(entries)('$file prints what it does on the processor', ({ name, file, runs }) => {
  it.each(['interpret', 'translate'] as const)('with executor %s', async (executor) => {
    const [{ args, stdout }] = runs;
    let printed = '';
    const program = await loadProgram(new Uint8Array(readFileSync(new URL(file, FOLDER))), {
      runtime: runtimeModule(),
      executor,
      argv: [name, ...args],
      stdout: {
        write(chunk) {
          printed += new TextDecoder().decode(chunk);
          return chunk.length;
        },
      },
    });
    expect(await program.run()).toEqual({ code: 0 });
    expect(printed).toBe(stdout);
  }, 300_000);
});
