import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Case, CODE, DATA, DATA_BYTES, type Executor, type Outcome, STACK, STACK_BYTES } from './case.ts';

const SOURCE = fileURLToPath(new URL('./runner.c', import.meta.url));
const BUILD = fileURLToPath(new URL('../../../build/oracle/', import.meta.url));
const FLAGS = '-O2 -ffreestanding -fno-stack-protector -fno-pic -no-pie -static -nostdlib -mgeneral-regs-only -mpreferred-stack-boundary=2';
const COMPILERS = ['gcc -m32', 'i686-linux-gnu-gcc', 'x86_64-linux-gnu-gcc -m32'];

/** Path of the runner, built if need be; or why there is none. */
export function runnerFile(): { readonly path: string } | { readonly missing: string } {
  const digest = createHash('sha256').update(readFileSync(SOURCE)).update(FLAGS).digest('hex').slice(0, 12);
  const path = `${BUILD}x86-runner-${digest}`;
  if (!existsSync(path)) {
    mkdirSync(BUILD, { recursive: true });
    const temporary = `${path}.${process.pid}`;
    const built = COMPILERS.some((compiler) => {
      const [command, ...first] = compiler.split(' ');
      return spawnSync(command, [...first, ...FLAGS.split(' '), '-o', temporary, SOURCE]).status === 0;
    });
    if (!built) return { missing: `no compiler for i386 among: ${COMPILERS.join(', ')}` };
    renameSync(temporary, path);
  }
  return { path };
}

const CASE_BYTES = 64 + 64 + DATA_BYTES + STACK_BYTES + 512;
const RESULT_WORDS = 21;
const RESULT_BYTES = RESULT_WORDS * 4 + 512;
const HAS_FPU = 1;
const HAS_FS = 2;
const MAX_CASES = 20_000;
const SIGVTALRM = 26;
/** Thread-local entry 12 of a 64-bit kernel's GDT, which is entry 6 elsewhere. */
const THREAD_SELECTORS: Readonly<Record<number, number>> = { 99: 0x33 };

/** Cases as the runner reads them. */
export function encodeCases(cases: readonly Case[]): Buffer {
  const out = Buffer.alloc(cases.length * CASE_BYTES);
  cases.forEach((c, n) => {
    if (c.eip < CODE || c.eip >= CODE + 4096 || c.code.length > 64) throw new RangeError('the case’s code does not lie in the code page');
    let at = n * CASE_BYTES;
    for (const [r, value] of c.regs.entries()) out.writeInt32LE(value, at + r * 4);
    const words = [c.eflags, c.eip, (c.fxsave ? HAS_FPU : 0) | (c.threadSegment ? HAS_FS : 0), c.code.length, c.dataOffset, c.stackOffset];
    for (const [w, value] of words.entries()) out.writeUInt32LE(value >>> 0, at + 32 + w * 4);
    at += 64;
    out.set(c.code, at);
    out.set(c.data, at + 64);
    out.set(c.stack, at + 64 + DATA_BYTES);
    if (c.fxsave) out.set(c.fxsave, at + 64 + DATA_BYTES + STACK_BYTES);
  });
  return out;
}

/** What the runner printed. */
export function decodeOutcomes(bytes: Buffer, count: number): Outcome[] {
  const out: Outcome[] = [];
  let at = 0;
  while (at < bytes.length) {
    const word = (n: number): number => bytes.readUInt32LE(at + n * 4);
    const signal = word(0);
    const vector = word(1);
    const regs = Int32Array.from({ length: 8 }, (_, r) => word(4 + r));
    const changes = new Map<number, number>();
    const start = at + RESULT_BYTES;
    for (let n = 0; n < word(20); n++) {
      const change = bytes.readUInt32LE(start + n * 4);
      const index = change >>> 8;
      changes.set(index < 4096 ? DATA + index : STACK + index - 4096, change & 0xff);
    }
    const breakpoint = vector === 3;
    const endless = signal === SIGVTALRM;
    out.push({
      end: { kind: endless ? 'endless' : breakpoint ? 'breakpoint' : 'exception', vector, address: vector === 14 ? word(3) : 0 },
      regs,
      eflags: word(12),
      eip: breakpoint ? word(13) - 1 : word(13),
      selectors: Array.from({ length: 6 }, (_, s) => word(14 + s)).map((s) => THREAD_SELECTORS[s] ?? s),
      changes,
      fxsave: Uint8Array.from(bytes.subarray(at + RESULT_WORDS * 4, at + RESULT_BYTES)),
    });
    at = start + word(20) * 4;
  }
  if (out.length !== count) throw new Error(`the native runner gave ${out.length} results for ${count} cases`);
  return out;
}

/** The processor that this runs on, or the reason why it cannot be asked. */
export function nativeExecutor(): Executor | { readonly missing: string } {
  if (process.platform !== 'linux' || !['x64', 'ia32'].includes(process.arch)) return { missing: 'not Linux on an x86 processor' };
  const built = runnerFile();
  if ('missing' in built) return built;
  if (spawnSync(built.path, { input: '' }).status !== 0) return { missing: 'this machine does not run i386 programs' };
  return {
    name: 'processor',
    run(cases) {
      const out: Outcome[] = [];
      for (let first = 0; first < cases.length; first += MAX_CASES) {
        const batch = cases.slice(first, first + MAX_CASES);
        const { status, signal, stdout } = spawnSync(built.path, { input: encodeCases(batch), maxBuffer: 1 << 30 });
        if (status !== 0) throw new Error(`the native runner ended with ${signal ?? `status ${status}`}`);
        out.push(...decodeOutcomes(stdout, batch.length));
      }
      return out;
    },
  };
}
