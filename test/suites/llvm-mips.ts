import { GPR_NAMES } from '../../translators/mips/row.ts';

const number = (text: string): string => String(Number(text) | 0);

/** Registers by number, numbers in decimal, no space after commas. */
export function canonical(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/, /g, ',')
    .replace(
      /\$(zero|at|v[01]|a[0-3]|t\d|s[0-8]|k[01]|gp|sp|fp|ra)\b/g,
      (_, name: string) => `$${GPR_NAMES.indexOf(name === 'fp' ? 's8' : name)}`,
    )
    .replace(/(?<![$\w.])-?(0x[0-9a-f]+|\d+)\b/g, number);
}

const REGISTER = new RegExp(`(?<=[ ,(])(${GPR_NAMES.join('|')})(?=[,()]|$)`, 'g');
const field = (word: number, at: number): number => (word >>> at) & 31;

/**
 * Our text of the word at address 0 as LLVM writes it: registers with a dollar sign, registers of coprocessors by number, which the
 * word tells.
 */
export function llvm(text: string, word: number): string {
  let out = text.replace(REGISTER, (name) => `$${GPR_NAMES.indexOf(name)}`);
  if (/^m[ft]c0 /.test(text)) out = `${text.slice(0, 4)} $${field(word, 16)},$${field(word, 11)},${word & 7}`;
  if (/^c[ft]c1 /.test(text)) out = `${text.slice(0, 4)} $${field(word, 16)},$${field(word, 11)}`;
  if (/^rdhwr /.test(text)) out = `rdhwr $${field(word, 16)},$${field(word, 11)}`;
  return canonical(out);
}
