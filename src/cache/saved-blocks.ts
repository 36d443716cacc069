import { BlockHeader } from '../../assembly/shared/uop.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { type Part, type Parts, partOf } from './parts.ts';

/** Blocks as the interpreter has them. */
export interface SavedBlocks {
  /** Translator, ISA and options, which all must be the same. */
  readonly options: string;
  /** The pool that the µops refer to. */
  readonly constants: Int32Array;
  /** By the pc that a page begins at: the blocks that begin in it. */
  readonly pages: Parts<SavedPage>;
}

/** Blocks of a page: µops as `detach` of backend/interpret/relocate.ts gives them, with the guest's bytes that they were lifted from. */
export interface SavedPage {
  /** `SavedBlock.WORDS` for each block, by pc in ascending order; and once more after the last, where the rest ends. */
  readonly index: Uint32Array;
  readonly uops: Int32Array;
  readonly code: Uint8Array;
}

/** Words of an entry in `SavedPage.index`. */
export const enum SavedBlock {
  PC = 0,
  /** Bytes of guest code. */
  SIZE = 1,
  /** Where its words in `uops` begin. */
  UOPS = 2,
  /** Where its bytes in `code` begin. */
  CODE = 3,
  /** Memory model paged: Layout.MODE; there may be several of the same pc and mode, of other code. Else 0. */
  MODE = 4,
  WORDS = 5,
}

export const blockCount = ({ index }: SavedPage): number => index.length / SavedBlock.WORDS - 1;

/** Number of the first saved block at this pc or after it. */
export function firstBlockFrom({ index }: SavedPage, pc: number): number {
  let low = 0;
  let high = index.length / SavedBlock.WORDS - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (index[middle * SavedBlock.WORDS + SavedBlock.PC] < pc) low = middle + 1;
    else high = middle;
  }
  return low;
}

const MOST_MODE = 0xffff;

/** Words before the arrays: how long they are. */
const HEADER = 3;

export function encodePage({ index, uops, code }: SavedPage): Uint8Array {
  const words = HEADER + index.length + uops.length;
  const out = new Uint8Array(4 * words + Math.ceil(code.length / 4) * 4);
  new Uint32Array(out.buffer, 0, HEADER).set([index.length, uops.length, code.length]);
  new Uint32Array(out.buffer, 4 * HEADER, index.length).set(index);
  new Int32Array(out.buffer, 4 * (HEADER + index.length), uops.length).set(uops);
  out.set(code, 4 * words);
  return out;
}

/** The blocks in the data, which begins at a multiple of four; undefined if it has another length. */
export function decodePage(data: Uint8Array): SavedPage | undefined {
  if (data.length < 4 * HEADER) return undefined;
  const { buffer, byteOffset } = data;
  const [index, uops, code] = new Uint32Array(buffer, byteOffset, HEADER);
  const words = HEADER + index + uops;
  if (data.length !== 4 * words + Math.ceil(code / 4) * 4) return undefined;
  if (index < SavedBlock.WORDS || index % SavedBlock.WORDS !== 0) return undefined;
  return {
    index: new Uint32Array(buffer, byteOffset + 4 * HEADER, index),
    uops: new Int32Array(buffer, byteOffset + 4 * (HEADER + index), uops),
    code: data.subarray(4 * words, 4 * words + code),
  };
}

/** Whether a block can lie where the index says. That of a whole page is not looked at: it has many more than are needed. */
export function isBlock({ index, uops, code }: SavedPage, n: number): boolean {
  const i = n * SavedBlock.WORDS;
  const from = index[i + SavedBlock.UOPS];
  const to = index[i + SavedBlock.WORDS + SavedBlock.UOPS];
  const size = index[i + SavedBlock.SIZE];
  return (
    size > 0 &&
    index[i + SavedBlock.CODE] + size <= code.length &&
    to - from >= BlockHeader.SIZE / 4 &&
    to <= uops.length &&
    index[i + SavedBlock.MODE] <= MOST_MODE
  );
}

/** The pc that its page begins at. */
export const pageOf = (pc: number): number => pc - (pc % PAGE_SIZE);

export const pagePart = (page: SavedPage): Part<SavedPage> => partOf(page, encodePage);
