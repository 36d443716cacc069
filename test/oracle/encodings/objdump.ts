import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An instruction as a disassembler shows it. */
export interface Shown {
  /** One space after the mnemonic; `(bad)` where it knows no instruction. */
  readonly text: string;
  readonly length: number;
}

/** Code to be disassembled at `pc`: how long it is believed to be, and what follows it. */
export interface Placed {
  readonly bytes: Uint8Array;
  readonly length: number;
  pc: number;
}

const NOP = 0x90;
/** No instruction that begins in a piece of code reaches over so many bytes after it. */
const GAP = 16;
/** objdump leaves out runs of zeros, but only whole words of them. */
const SKIPPED = 24;

/** Lays out pieces of code one after the other, with so much between them that each is met at its own start again. */
export function layOut(pieces: readonly Placed[], fixedLength: boolean): Uint8Array {
  const image = new Uint8Array(pieces.reduce((sum, p) => sum + SKIPPED + p.bytes.length + GAP, 0));
  let at = 0;
  for (const piece of pieces) {
    piece.pc = at;
    const taken = piece.length || piece.bytes.length;
    image.set(piece.bytes.subarray(0, taken), at);
    at += taken;
    if (fixedLength) continue;
    if (piece.length === 0) image.fill(NOP, at, at + GAP);
    at += piece.length > 0 ? SKIPPED : GAP;
  }
  return image.subarray(0, at);
}

/** Bytes are shown one by one, or as a word. */
const LINE = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} ?)+) *\t?(.*)$/;

/** The instructions of an image by address, as objdump shows them. */
export function objdump(command: string, options: readonly string[], image: Uint8Array): Map<number, Shown> {
  const folder = mkdtempSync(join(tmpdir(), 'objdump-'));
  try {
    const file = join(folder, 'code');
    writeFileSync(file, image);
    const args = ['-D', '-b', 'binary', '--insn-width=16', ...options, file];
    const { stdout, status, error, stderr } = spawnSync(command, args, { encoding: 'latin1', maxBuffer: 1 << 30 });
    if (error || status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
    const shown = new Map<number, Shown>();
    for (const line of stdout.split('\n')) {
      const found = LINE.exec(line);
      if (!found) continue;
      const [, address, bytes, text] = found;
      shown.set(Number.parseInt(address, 16), { text: tidy(text), length: bytes.replaceAll(' ', '').length / 2 });
    }
    return shown;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As it names itself, or undefined where it is not installed. */
export function toolVersion(command: string): string | undefined {
  const { stdout, error } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return error ? undefined : stdout.split('\n')[0];
}

const tidy = (text: string): string => text.trim().replace(/\s+/g, ' ');
