import { Code } from '../../../src/isa/code.ts';
import type { Isa } from '../../../src/isa/isa.ts';
import { layOut, objdump, type Placed, type Shown } from './objdump.ts';

/** One encoding, as it is shown here and by the other disassembler. */
export interface Compared {
  readonly bytes: Uint8Array;
  readonly pc: number;
  readonly here: Shown;
  readonly there: Shown;
  /** As Sweep.bits. */
  readonly bits?: 16 | 32 | undefined;
}

/** Why texts differ although nothing is wrong here. */
export interface Cause {
  readonly reason: string;
  /** Whether it is the whole difference: the text that it leads to must be the other's, letter by letter. */
  explains(c: Compared): boolean;
}

/** What the suites of this folder report, too. */
export interface SuiteResult {
  readonly suite: string;
  readonly isa: string;
  readonly tool: string;
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly reason: string; readonly count: number }[];
  readonly failures: readonly string[];
}

export interface Sweep {
  readonly isa: Isa;
  /** x86: as Isa.disassemble has it. */
  readonly bits?: 16 | 32;
  readonly tool: string;
  readonly command: string;
  readonly options: readonly string[];
  readonly causes: readonly Cause[];
  /** The n-th encoding. */
  readonly encoding: (n: number) => Uint8Array;
  readonly isBad: (text: string) => boolean;
  /** All instructions are so long: they need nothing between them. */
  readonly fixedLength?: boolean;
}

const BATCH = 50_000;
const SHOWN_FAILURES = 20;

/** The bytes of an encoding, and what may be read beyond its end. */
export function disassembleHere(isa: Isa, bytes: Uint8Array, pc: number, bits?: 16 | 32): Shown {
  const padded = new Uint8Array(bytes.length + 16).fill(0x90);
  padded.set(bytes);
  return isa.disassemble(Code.of(padded, pc), pc, bits === 16 ? isa.mode16 : undefined);
}

/** Compares encodings number `from` to `to`: length, validity and text. */
export function sweep(s: Sweep, from: number, to: number): SuiteResult {
  const reasons = new Map<string, number>();
  const failures: string[] = [];
  let passed = 0;
  let failed = 0;
  const judge = (c: Compared): void => {
    const bad = s.isBad(c.here.text);
    if (bad ? s.isBad(c.there.text) : c.here.text === c.there.text && c.here.length === c.there.length) {
      passed++;
      return;
    }
    const cause = s.causes.find((one) => one.explains(c));
    if (cause) reasons.set(cause.reason, (reasons.get(cause.reason) ?? 0) + 1);
    else {
      failed++;
      const shown = ({ text, length }: Shown): string => `${text} (${length})`;
      if (failures.length < SHOWN_FAILURES)
        failures.push(`${Buffer.from(c.bytes).toString('hex')}: here ${shown(c.here)}, there ${shown(c.there)}`);
    }
  };
  for (let first = from; first < to; first += BATCH) {
    let rest: Placed[] = Array.from({ length: Math.min(BATCH, to - first) }, (_, i) => {
      const bytes = s.encoding(first + i);
      const { text, length } = disassembleHere(s.isa, bytes, 0, s.bits);
      return { bytes, length: s.isBad(text) && !s.fixedLength ? 0 : length, pc: 0 };
    });
    // those that the tool did not meet at their start, since zeros around them are left out, are tried again without zeros
    for (let again = 0; rest.length > 0 && again < 2; again++) {
      const pieces = again ? rest.map((p) => ({ ...p, length: 0 })) : rest;
      const image = layOut(pieces, s.fixedLength === true);
      const there = objdump(s.command, again || s.fixedLength ? ['-z', ...s.options] : s.options, image);
      const code = Code.of(image, 0);
      const lost: Placed[] = [];
      for (const piece of pieces) {
        const shown = there.get(piece.pc);
        if (shown) {
          const bytes = image.slice(piece.pc, piece.pc + piece.bytes.length);
          judge({
            bytes,
            pc: piece.pc,
            here: s.isa.disassemble(code, piece.pc, s.bits === 16 ? s.isa.mode16 : undefined),
            there: shown,
            bits: s.bits,
          });
        } else lost.push(piece);
      }
      rest = lost;
    }
    failed += rest.length;
    for (const { bytes } of rest.slice(0, 3)) failures.push(`${Buffer.from(bytes).toString('hex')}: not met by the tool`);
  }
  const skipped = [...reasons].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count);
  return {
    suite: 'encodings',
    isa: s.bits === 16 ? `${s.isa.name}, 16-bit code` : s.isa.name,
    tool: s.tool,
    cases: to - from,
    passed,
    failed,
    skipped,
    failures,
  };
}
