import type { Code } from '../../src/isa/code.ts';
import type { Disassembly } from '../../src/isa/isa.ts';
import { Decoded, decode, newInsn, type OpcodeTable } from './decode.ts';

/** GNU objdump's Intel syntax. */
export function disassemble(table: OpcodeTable, code: Code, pc: number): Disassembly {
  const i = newInsn(table.rows[0]);
  if (decode(table, i, code, pc >>> 0) !== Decoded.Ok) return { text: '(bad)', length: 1 };
  return { text: i.operandSize === 2 ? i.row.mnemonic16 : i.row.mnemonic32, length: i.length };
}
