import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem, nodeHost } from '../../src/host/node.ts';
import { exitCode, loadProgram, type ProgramOptions } from '../../src/linux/program.ts';
import { type Saved, SnapshotError, snapshotBody, snapshotFile } from '../../src/snapshot/file.ts';
import { X86 } from '../../translators/x86/state.ts';
import { runtimeModule } from '../support/runtime.ts';
import { compile, lacks, runElsewhere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

const KIND = { magic: 'WASMVPRG', version: 2, of: 'a program' };
type Fields = Record<string, Saved>;

describe.each(TARGETS)('a saved program on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  const build = (of = target): string => compile(of, 'saved', true, ['-lm']);

  /** `type` ends what it reads; `waits` resolves when it waits for that. */
  async function load(args: readonly string[], more: Partial<ProgramOptions> = {}) {
    const path = '/run/saved';
    let type = (_text: string): void => {};
    let waits = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      waits = resolve;
    });
    const output = { text: '' };
    const program = await loadProgram(new Uint8Array(readFileSync(build())), {
      runtime: runtimeModule(),
      host: nodeHost,
      mounts: [{ path, fileSystem: nodeFileSystem(build(), { readOnly: true }) }],
      path,
      argv: [path, ...args],
      timeout: 240_000,
      stdin: {
        read: () => {
          waits();
          return new Promise((resolve) => {
            type = (text) => resolve(new TextEncoder().encode(text));
          });
        },
      },
      stdout: {
        write(bytes) {
          output.text += new TextDecoder().decode(bytes);
          return bytes.length;
        },
      },
      ...more,
    });
    // one that ends waits for nothing: what is expected of it then fails
    const run = () => program.run().finally(waits);
    return { program, run, output, waiting, type: (text: string) => type(text) };
  }

  it.skipIf(missing !== '')(`goes on as if nothing had been${missing}`, { timeout: 300_000 }, async () => {
    const first = await load([]);
    const ended = first.run();
    await first.waiting;
    const kept = await first.program.snapshot();
    const last = await first.program.snapshot(() => false);
    expect(await ended).toMatchObject({ name: 'SIGKILL' });
    expect(first.output.text).toBe('ready\n');

    for (const [restore, executor] of [
      [kept, 'interpret'],
      [last, 'tiered'],
    ] as const) {
      const second = await load([], { restore, executor });
      const end = second.run();
      await second.waiting;
      second.type('x');
      expect(exitCode(await end)).toBe(7);
      expect(first.output.text + second.output.text).toBe(runElsewhere(processor, build(processor)).stdout);
    }
  });

  it.skipIf(missing !== '')(`is refused where somebody has made it up${missing}`, { timeout: 300_000 }, async () => {
    const { program, run, waiting } = await load([]);
    const end = run();
    await waiting;
    const snapshot = await program.snapshot(() => false);
    await end;
    const first = (list: Saved): Fields => (list as Fields[])[0];
    for (const change of [
      (body: Fields) => (first(body.descriptors).fd = 0.5),
      (body: Fields) => (first(body.descriptors).fd = 2 ** 30),
      (body: Fields) => ((body.limits as Record<string, Fields>).nproc.soft = Number.NaN),
      (body: Fields) => ((body.group as Fields).pgid = 'all'),
      (body: Fields) => (first(body.areas).end = 2 ** 40),
      (body: Fields) => Object.assign(first(body.areas), { file: 99, offset: 0 }),
      (body: Fields) => Object.assign(first(body.areas), { file: 0, offset: -4096 }),
      (body: Fields) => ((body.signals as Fields).pending = [{ signal: 1000, info: {} }]),
      (body: Fields) => ((body.registers as Fields).state = new Uint8Array(8)),
      (body: Fields) => ((body.registers as Fields).mode = -1),
      // the top of the x87's stack
      ...(target === processor ? [(body: Fields) => ((body.registers as Record<string, Uint8Array>).state[X86.FTOP] = 9)] : []),
      (body: Fields) => (body.table = new Uint8Array(1 << 20)),
      (body: Fields) => (body.process = null),
      (body: Fields) => (body.identity = null),
      (body: Fields) => (body.monotonic = 'noon'),
      // it names a file
      (body: Fields) => (body.key = '/../../../key'),
    ]) {
      const body = (await snapshotBody(KIND, snapshot)) as Fields;
      change(body);
      const restore = await snapshotFile(KIND, body);
      await expect(load([], { restore }), `${change}`).rejects.toThrow(SnapshotError);
    }
  });

  it.skipIf(missing !== '')(`only if all of it can be restored${missing}`, { timeout: 300_000 }, async () => {
    for (const [what, why] of [
      ['pipe', /descriptor 3 is pipe:/],
      ['timer', /it has a timer/],
    ] as const) {
      const { program, run, waiting, type } = await load([what]);
      const end = run();
      await waiting;
      await expect(program.snapshot()).rejects.toThrow(why);
      type('x');
      expect(exitCode(await end)).toBe(3);
      await expect(program.snapshot()).rejects.toThrow(SnapshotError);
    }
  });
});
