import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { untilItEnds } from '../../support/elsewhere.ts';

/** As in runner.c. */
export const CODE = 0x10000000;
export const DATA = 0x20000000;
export const CODE_WORDS = 16;
export const DATA_BYTES = 64;

/** What runs, and the state before or after. All words unsigned. */
export interface Record {
  readonly text: string;
  readonly code: readonly number[];
  readonly gpr: Uint32Array;
  /** 32 registers of two words, low word first; with FR = 0 only the even ones are there. */
  readonly fpr: Uint32Array;
  readonly data: Uint8Array;
  hi: number;
  lo: number;
  fcsr: number;
  /** Linux number of the signal that ended it, or 0. */
  signal: number;
  /** What RDHWR $29 reads; 0 without it. */
  readonly userLocal?: number;
  /** Accesses that are not aligned are address errors. */
  readonly aligned?: boolean;
  /** Where its code lies, in units of CODE_WORDS words from CODE on; without it, where the record stands among the others. */
  readonly slot?: number;
  /** After a signal: the instruction, and the address that could not be accessed. */
  readonly pc?: number;
  readonly address?: number;
}

const WORDS = 32 + 4 + 64 + 12 + 2 + CODE_WORDS;
export const SIZE = 4 * WORDS + DATA_BYTES;

export function pack(records: readonly Record[], little: boolean): Uint8Array {
  const bytes = new Uint8Array(4 + records.length * SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, records.length, little);
  records.forEach((record, k) => {
    const words = [
      ...record.gpr,
      ...[record.hi, record.lo, record.fcsr, record.userLocal ?? 0],
      ...record.fpr,
      ...new Array<number>(12).fill(0),
      ...[record.slot ?? k, 0],
      ...Array.from({ length: CODE_WORDS }, (_, i) => record.code[i] ?? 0),
    ];
    const at = 4 + k * SIZE;
    words.forEach((word, i) => {
      view.setUint32(at + 4 * i, word, little);
    });
    bytes.set(record.data, at + 4 * WORDS);
  });
  return bytes;
}

export function unpack(records: readonly Record[], bytes: Uint8Array, little: boolean): Record[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return records.map(({ text, code }, k) => {
    const at = k * SIZE;
    const word = (i: number): number => view.getUint32(at + 4 * i, little);
    return {
      text,
      code,
      gpr: Uint32Array.from({ length: 32 }, (_, i) => word(i)),
      hi: word(32),
      lo: word(33),
      fcsr: word(34),
      signal: word(35),
      fpr: Uint32Array.from({ length: 64 }, (_, i) => word(36 + i)),
      address: word(112),
      pc: word(113),
      data: bytes.slice(at + 4 * WORDS, at + SIZE),
    };
  });
}

/** Which FPU the records run on: Status.FR, and the NaNs of FCSR.NAN2008 or legacy ones. */
export interface Fpu {
  readonly wide: boolean;
  readonly nan2008: boolean;
}
export const FPUS: readonly (Fpu & { readonly name: string })[] = [
  { name: 'FR=0', wide: false, nan2008: false },
  { name: 'FR=1', wide: true, nan2008: false },
  { name: 'FR=1, NAN2008', wide: true, nan2008: true },
];

const E_FLAGS = 36;
const EF_MIPS_NAN2008 = 0x400;

const built = new Map<string, string | { readonly missing: string }>();

/** The runner for one byte order and FPU, compiled once; or why there is none. */
export function runner(isa: 'mips' | 'mipsel', fpu: Fpu): string | { readonly missing: string } {
  const key = `${isa} ${fpu.wide} ${fpu.nan2008}`;
  const known = built.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'mips-oracle-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'runner');
  const source = fileURLToPath(new URL('./runner.c', import.meta.url));
  const flags = `-O1 -static -no-pie -fno-pic -mno-abicalls -mfp${fpu.wide ? 64 : 32} -mips32r2`.split(' ');
  const { error, status, stderr } = spawnSync(`${isa}-linux-gnu-gcc`, [...flags, '-o', program, source], { encoding: 'utf8' });
  const result = error || status !== 0 ? { missing: `${isa}-linux-gnu-gcc: ${error?.message ?? stderr}` } : program;
  if (result === program && fpu.nan2008) {
    // there is no C library for it; the runner computes with no NaN itself
    const elf = readFileSync(program);
    const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
    const little = isa === 'mipsel';
    view.setUint32(E_FLAGS, view.getUint32(E_FLAGS, little) | EF_MIPS_NAN2008, little);
    writeFileSync(program, elf);
  }
  built.set(key, result);
  return result;
}

/** Runs the records under qemu-user; a string says why that is not possible here. */
export function runInQemu(isa: 'mips' | 'mipsel', records: readonly Record[], fpu: Fpu): Record[] | string {
  const program = runner(isa, fpu);
  if (typeof program !== 'string') return program.missing;
  const little = isa === 'mipsel';
  const input = pack(records, little);
  const ran = untilItEnds((limit) => spawnSync(`qemu-${isa}`, [program], { input, maxBuffer: 1 << 28, ...limit }));
  if ((ran.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') throw ran.error;
  if (ran.error) return `qemu-${isa}: ${ran.error.message}`;
  if (ran.status !== 0 || ran.stdout.length !== records.length * SIZE)
    throw new Error(`qemu-${isa} ended with ${ran.status ?? ran.signal} after ${ran.stdout.length} bytes: ${ran.stderr}`);
  return unpack(records, ran.stdout, little);
}

/** FCSR's fields (MIPS32 volume I). Exceptions as in Flags, Enables and Cause. */
export const FCSR = {
  I: 1,
  U: 2,
  O: 4,
  Z: 8,
  V: 16,
  FLAGS: 0x7c,
  ENABLES: 0xf80,
  ENABLES_SHIFT: 7,
  CAUSE: 0x3f000,
  CAUSE_SHIFT: 12,
  FS: 0x01000000,
} as const;

/** Of either sign; `high` is all of a single-precision number. */
export const isLeastNormal = (high: number, low: number, wide: boolean): boolean =>
  (high & 0x7fffffff) === (wide ? 0x00100000 : 0x00800000) && low === 0;

export const isNanBits = (single: number): boolean => (single & 0x7fffffff) > 0x7f800000;

/** Index in Record.fpr of the word that a single-precision operand is. */
export const wordIndex = (register: number, wide: boolean): number => (wide ? 2 * register : 2 * (register & ~1) + (register & 1));
