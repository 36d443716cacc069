import { BlockHeader, Link, Uop } from '../../../assembly/shared/uop.ts';

const at = (header: BlockHeader): number => header >>> 2;

/** The word before the table says where the terminator begins. */
const terminatorOf = (w: Int32Array, table: number): number => w[table - 1];
const isBranch = (number: number): boolean => number >= Uop.BRANCH_NZ && number <= Uop.BRANCH_LE_U;

/** A copy of the lowered block at `address` that can be put anywhere by `attach`: it has never run, and knows no other block and no JumpSite. */
export function detach(words: Int32Array, address: number): Int32Array {
  const start = address >>> 2;
  const w = words.slice(start, words[start + at(BlockHeader.END)] >>> 2);
  w[at(BlockHeader.HEAT)] = 0;
  w[at(BlockHeader.FLAGS)] = 0;
  w[at(BlockHeader.TABLE)] -= address;
  w[at(BlockHeader.END)] -= address;
  const table = w[at(BlockHeader.TABLE)] >>> 2;
  for (let i = table; i < w.length; i += 2) w[i] -= address;
  const terminator = terminatorOf(w, table);
  const number = w[terminator] & 0xffff;
  if (number === Uop.GOTO) w[terminator + 1 + (Link.BLOCK >>> 2)] = 0;
  else if (isBranch(number)) for (const link of [2, 2 + (Link.SIZE >>> 2)]) w[terminator + link + (Link.BLOCK >>> 2)] = 0;
  else if (number === Uop.JUMP_NOTED) w[terminator + 1] = 0;
  return w;
}

/**
 * Makes the block of this pc, whose words `detach` gave and which were put at `address`, one that can run there. `jumpSite` gives the place
 * where it notes targets, if it does. False if it cannot be such a block, or there is no place.
 */
export function attach(words: Int32Array, address: number, length: number, pc: number, jumpSite: () => number | undefined): boolean {
  const start = address >>> 2;
  const table = words[start + at(BlockHeader.TABLE)] >>> 2;
  const instructions = words[start + at(BlockHeader.INSTRUCTIONS)];
  if (words[start + at(BlockHeader.PC)] >>> 0 !== pc || words[start + at(BlockHeader.END)] !== 4 * length) return false;
  if (table <= at(BlockHeader.SIZE) || instructions <= 0 || table + 2 * instructions !== length) return false;
  const terminator = words[start + table - 1];
  if (terminator < at(BlockHeader.SIZE) || terminator >= table - 1) return false;
  for (let i = start + table; i < start + length; i += 2) words[i] += address;
  words[start + at(BlockHeader.TABLE)] += address;
  words[start + at(BlockHeader.END)] += address;
  if ((words[start + terminator] & 0xffff) === Uop.JUMP_NOTED) {
    const site = jumpSite();
    if (site === undefined) return false;
    words[start + terminator + 1] = site;
  }
  return true;
}
