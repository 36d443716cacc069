import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  readonly fpr: Uint32Array;
  readonly data: Uint8Array;
  hi: number;
  lo: number;
  fcsr: number;
  /** Linux number of the signal that ended it, or 0. */
  signal: number;
}

const WORDS = 32 + 4 + 32 + 12 + 1 + CODE_WORDS;
const SIZE = 4 * WORDS + DATA_BYTES;

function pack(records: readonly Record[], little: boolean): Uint8Array {
  const bytes = new Uint8Array(4 + records.length * SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, records.length, little);
  records.forEach((record, k) => {
    const words = [
      ...record.gpr,
      ...[record.hi, record.lo, record.fcsr, 0],
      ...record.fpr,
      ...new Array<number>(13).fill(0),
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

function unpack(records: readonly Record[], bytes: Uint8Array, little: boolean): Record[] {
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
      fpr: Uint32Array.from({ length: 32 }, (_, i) => word(36 + i)),
      data: bytes.slice(at + 4 * WORDS, at + SIZE),
    };
  });
}

const built = new Map<string, string | { readonly missing: string }>();

/** The runner for one byte order, compiled once; or why there is none. */
function runner(isa: 'mips' | 'mipsel'): string | { readonly missing: string } {
  const known = built.get(isa);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'mips-oracle-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'runner');
  const source = fileURLToPath(new URL('./runner.c', import.meta.url));
  const flags = '-O1 -static -no-pie -fno-pic -mno-abicalls -mfp32 -mips32r2'.split(' ');
  const { error, status, stderr } = spawnSync(`${isa}-linux-gnu-gcc`, [...flags, '-o', program, source], { encoding: 'utf8' });
  const result = error || status !== 0 ? { missing: `${isa}-linux-gnu-gcc: ${error?.message ?? stderr}` } : program;
  built.set(isa, result);
  return result;
}

/** Runs the records under qemu-user; a string says why that is not possible here. */
export function runInQemu(isa: 'mips' | 'mipsel', records: readonly Record[]): Record[] | string {
  const program = runner(isa);
  if (typeof program !== 'string') return program.missing;
  const little = isa === 'mipsel';
  const ran = spawnSync(`qemu-${isa}`, [program], { input: pack(records, little), maxBuffer: 1 << 28 });
  if (ran.error) return `qemu-${isa}: ${ran.error.message}`;
  if (ran.status !== 0 || ran.stdout.length !== records.length * SIZE)
    throw new Error(`qemu-${isa} ended with ${ran.status ?? ran.signal} after ${ran.stdout.length} bytes: ${ran.stderr}`);
  return unpack(records, ran.stdout, little);
}
