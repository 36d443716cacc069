import { encode } from '../../src/isa/bits.ts';
import { FIELDS, GPR_NAMES, type MipsRow } from '../../translators/mips/row.ts';
import { ROWS } from '../../translators/mips/rows.ts';

/** Operands that the text leaves out where they are zero (or ra), with their commas. */
const OPTIONAL: { readonly [letter: string]: string } = {
  ...Object.fromEntries([...'nl'].map((letter) => [letter, '((?:[^ ,]+,)?)'])),
  ...Object.fromEntries([...'wqe'].map((letter) => [letter, '((?:,[^ ,]+)?)'])),
  ...Object.fromEntries([...'ck'].map((letter) => [letter, '([^ ,]*)'])),
  C: '([a-z]+)',
};
const literal = (text: string): string => text.replaceAll(/[.()]/g, '\\$&').replace(' ', ' ?');

/** The value of an operand that its field's text gives back. */
function parse(row: MipsRow, letter: string, operand: string, pc: number): number {
  const number = Number(operand.replaceAll(',', ''));
  switch (letter) {
    case 'o':
      return (number - pc - 4) >> 2;
    case 'j':
      return (number & 0x0fffffff) >>> 2;
    case 'm':
      return number - 1;
    default: {
      const { width } = row.fields.find((field) => field.letter === letter)!;
      if (GPR_NAMES.includes(operand) && 'std'.includes(letter)) return GPR_NAMES.indexOf(operand);
      for (let value = 0; value < Math.min(2 ** width, 32); value++) if (FIELDS[letter].text(value, pc, 0) === operand) return value;
      return operand.startsWith('$') ? Number(operand.slice(1)) : number;
    }
  }
}

/** Assembles text as the disassembler writes it, and `nop`, one instruction a line; `.+n` is n bytes from the instruction. */
export function assemble(text: string, pc: number): number[] {
  return text
    .trim()
    .split('\n')
    .map((line, i) => {
      const at = pc + 4 * i;
      const source = line.trim().replace(/\.([+-]\d+)$/, (_, n: string) => `0x${(at + Number(n)).toString(16)}`);
      if (source === 'nop') return 0;
      for (const row of ROWS) {
        const letters: string[] = [];
        const pattern = row.text
          .split(/(\$[a-zA-Z])/)
          .map((piece) => {
            if (!piece.startsWith('$')) return literal(piece);
            letters.push(piece[1]);
            return OPTIONAL[piece[1]] ?? '([^ ,()]+)';
          })
          .join('');
        const found = new RegExp(`^${pattern.trimEnd()}$`).exec(source);
        if (!found) continue;
        const values: { [letter: string]: number } = {};
        for (const { letter } of row.fields) values[letter] = 0;
        if ('l' in values) values.l = 31;
        letters.forEach((letter, k) => {
          if (found[k + 1] !== '') values[letter] = parse(row, letter, found[k + 1], at);
        });
        if ('x' in values) values.x = values.a + Number(found[letters.indexOf('x') + 1]) - 1;
        if (/^cl[oz]/.test(row.text)) values.t = values.d;
        return encode(row, values);
      }
      throw new Error(`cannot assemble: ${line}`);
    });
}
