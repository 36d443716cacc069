import { Code, FetchFault } from './isa/code.ts';
import type { Disassembly, Isa } from './isa/isa.ts';
import { ISAS, type IsaName } from './isas.ts';

/** Which instruction set some bytes are, and where they lie. */
export interface CodeOptions {
  /** `mips` with `endian: 'little'` is `mipsel`. */
  readonly isa: IsaName;
  /** Byte order of the guest; MIPS only, default that of `isa`. */
  readonly endian?: 'little' | 'big';
  /** x86: 16 for code of real mode, or of a segment whose D bit is clear; `disassemble` only. Default: 32. */
  readonly bits?: 16 | 32;
  /** Guest address of the first byte; default 0x10000. */
  readonly pc?: number;
}

export type PlacedDisassembly = Disassembly & { readonly pc: number };

const DEFAULT_PC = 0x10000;

/** The instructions in `bytes`, one after the other; one that is cut off at the end is left out. Throws RangeError as `translate` does. */
export function disassemble(bytes: Uint8Array, options: CodeOptions): PlacedDisassembly[] {
  const { isa, pc, code } = codeOf(bytes, options);
  return disassembleRange(isa, code, pc, pc + bytes.length, options.bits);
}

/** Checks the options. Throws RangeError on an address or ISA that does not exist. */
export function codeOf(bytes: Uint8Array, options: CodeOptions): { readonly isa: Isa; readonly pc: number; readonly code: Code } {
  const isa = isaOf(options);
  const pc = options.pc ?? DEFAULT_PC;
  if (!Number.isInteger(pc) || pc < 0 || pc + bytes.length > 2 ** 32)
    throw new RangeError(`pc ${pc} is not a 32-bit address with room for ${bytes.length} bytes`);
  return { isa, pc, code: Code.of(bytes, pc) };
}

function isaOf(options: CodeOptions): Isa {
  const name = options.isa === 'x86' || options.endian === undefined ? options.isa : options.endian === 'little' ? 'mipsel' : 'mips';
  const isa = Object.hasOwn(ISAS, name) ? ISAS[name] : undefined;
  if (!isa) throw new RangeError(`there is no ISA ${options.isa}: choose one of ${Object.keys(ISAS).join(', ')}`);
  return isa;
}

/** Instructions one after the other, from `start` up to `end`; what is cut off at the end is left out. */
export function disassembleRange(isa: Isa, code: Code, start: number, end: number, bits?: 16 | 32): PlacedDisassembly[] {
  const mode = bits === 16 ? isa.mode16 : undefined;
  const out: PlacedDisassembly[] = [];
  try {
    for (let pc = start; pc < end; ) {
      const instruction = isa.disassemble(code, pc, mode);
      out.push({ pc, ...instruction });
      pc += instruction.length;
    }
  } catch (error) {
    if (!(error instanceof FetchFault)) throw error;
  }
  return out;
}
