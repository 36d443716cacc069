import { BlockHeader, Link, Uop } from '../../../assembly/shared/uop.ts';

const at = (header: BlockHeader): number => header >>> 2;

/** The word before the table says where the terminator begins. */
const terminatorOf = (w: Int32Array, table: number): number => w[table - 1];
const isBranch = (number: number): boolean => number >= Uop.BRANCH_NZ && number <= Uop.BRANCH_LE_U;

/** A copy of the lowered block at `address`, as it would be at address 0: it has never run, and knows no other block and no JumpSite. */
export function detach(words: Int32Array, address: number): Int32Array {
  const start = address >>> 2;
  const w = words.slice(start, words[start + at(BlockHeader.END)] >>> 2);
  w[at(BlockHeader.HEAT)] = 0;
  w[at(BlockHeader.FLAGS)] = 0;
  move(w, 0, w.length, address, 0);
  const table = w[at(BlockHeader.TABLE)] >>> 2;
  const terminator = terminatorOf(w, table);
  const number = w[terminator] & 0xffff;
  if (number === Uop.GOTO) w[terminator + 1 + (Link.BLOCK >>> 2)] = 0;
  else if (isBranch(number)) for (const link of [2, 2 + (Link.SIZE >>> 2)]) w[terminator + link + (Link.BLOCK >>> 2)] = 0;
  else if (number === Uop.JUMP_NOTED || number === Uop.CALL) w[terminator + 1] = 0;
  return w;
}

/** Where the call at the end of the lowered block at `address` went last, if it is indirect and did. */
export function lastCallee(words: Int32Array, address: number): number | undefined {
  const start = address >>> 2;
  const terminator = start + terminatorOf(words, words[start + at(BlockHeader.TABLE)] >>> 2);
  return (words[terminator] & 0xffff) === Uop.CALL ? words[terminator + 1] >>> 0 || undefined : undefined;
}

/** Makes the block in `words`, from `start` on and so long, which is as it would be at the address `from`, as it would be at the address `to`. */
export function move(words: Int32Array, start: number, length: number, from: number, to: number): void {
  const table = start + ((words[start + at(BlockHeader.TABLE)] - from) >>> 2);
  words[start + at(BlockHeader.TABLE)] += to - from;
  words[start + at(BlockHeader.END)] += to - from;
  for (let i = table; i < start + length; i += 2) words[i] += to - from;
}

/**
 * Makes the block of this pc, whose words `detach` and `move` gave and which were put at `address`, one that can run there. They are as they would
 * be at `from`. `jumpSite` gives the place where it notes targets, if it does. False if it cannot be such a block, or there is no place.
 */
export function attach(
  words: Int32Array,
  address: number,
  length: number,
  pc: number,
  from: number,
  jumpSite: () => number | undefined,
): boolean {
  const start = address >>> 2;
  const table = (words[start + at(BlockHeader.TABLE)] - from) >>> 2;
  const instructions = words[start + at(BlockHeader.INSTRUCTIONS)];
  if (words[start + at(BlockHeader.PC)] >>> 0 !== pc || words[start + at(BlockHeader.END)] !== from + 4 * length) return false;
  if (table <= at(BlockHeader.SIZE) || instructions <= 0 || table + 2 * instructions !== length) return false;
  const terminator = words[start + table - 1];
  if (terminator < at(BlockHeader.SIZE) || terminator >= table - 1) return false;
  if (from !== address) move(words, start, length, from, address);
  if ((words[start + terminator] & 0xffff) === Uop.JUMP_NOTED) {
    const site = jumpSite();
    if (site === undefined) return false;
    words[start + terminator + 1] = site;
  }
  return true;
}
