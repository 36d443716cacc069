import { BlockHeader } from '../../assembly/shared/uop.ts';

/**
 * Blocks as the interpreter has them (µops as `detach` of backend/interpret/relocate.ts gives them), with the guest's bytes that they
 * were lifted from.
 */
export interface SavedBlocks {
  /** Translator, ISA and options, which all must be the same. */
  readonly options: string;
  /** The pool that the µops refer to. */
  readonly constants: Int32Array;
  /** `SavedBlock.WORDS` for each block, by pc in ascending order; and once more after the last, where the rest ends. */
  readonly index: Uint32Array;
  readonly uops: Int32Array;
  readonly code: Uint8Array;
}

/** Words of an entry in `SavedBlocks.index`. */
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

export const blockCount = ({ index }: SavedBlocks): number => index.length / SavedBlock.WORDS - 1;

/** Number of the first saved block at this pc or after it. */
export function firstBlockFrom({ index }: SavedBlocks, pc: number): number {
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
const HEADER = 5;

export function encodeBlocks({ options, constants, index, uops, code }: SavedBlocks): Uint8Array {
  const text = new TextEncoder().encode(options);
  const words = new Uint32Array(HEADER + constants.length + index.length + uops.length);
  words.set([constants.length, index.length, uops.length, code.length, text.length]);
  words.set(constants, HEADER);
  words.set(index, HEADER + constants.length);
  words.set(uops, HEADER + constants.length + index.length);
  // the module part that may follow begins anywhere
  const out = new Uint8Array(4 * words.length + code.length + text.length);
  out.set(new Uint8Array(words.buffer));
  out.set(code, 4 * words.length);
  out.set(text, 4 * words.length + code.length);
  return out;
}

/** The blocks in the data, undefined if what says where they lie cannot be right. */
export function decodeBlocks(data: Uint8Array): SavedBlocks | undefined {
  if (data.length < 4 * HEADER) return undefined;
  const bytes = data.byteOffset % 4 === 0 ? data : data.slice();
  const [constants, index, uops, code, text] = new Uint32Array(bytes.buffer, bytes.byteOffset, HEADER);
  const words = HEADER + constants + index + uops;
  if (bytes.length !== 4 * words + code + text) return undefined;
  const at = (word: number): number => bytes.byteOffset + 4 * word;
  const blocks: SavedBlocks = {
    options: new TextDecoder().decode(bytes.subarray(4 * words + code)),
    constants: new Int32Array(bytes.buffer, at(HEADER), constants),
    index: new Uint32Array(bytes.buffer, at(HEADER + constants), index),
    uops: new Int32Array(bytes.buffer, at(HEADER + constants + index), uops),
    code: bytes.subarray(4 * words, 4 * words + code),
  };
  return isIndex(blocks) ? blocks : undefined;
}

/** Each block lies after the one before it, and all within the data. */
function isIndex({ index, uops, code }: SavedBlocks): boolean {
  if (index.length < SavedBlock.WORDS || index.length % SavedBlock.WORDS !== 0) return false;
  const last = index.length - SavedBlock.WORDS;
  for (let i = 0; i < last; i += SavedBlock.WORDS) {
    const next = i + SavedBlock.WORDS;
    const words = index[next + SavedBlock.UOPS] - index[i + SavedBlock.UOPS];
    if (index[i + SavedBlock.CODE] + index[i + SavedBlock.SIZE] !== index[next + SavedBlock.CODE]) return false;
    if (words < BlockHeader.SIZE / 4 || index[i + SavedBlock.SIZE] === 0) return false;
    if (next < last && index[i + SavedBlock.PC] > index[next + SavedBlock.PC]) return false;
    if (index[i + SavedBlock.MODE] > MOST_MODE) return false;
  }
  return index[last + SavedBlock.UOPS] === uops.length && index[last + SavedBlock.CODE] === code.length;
}
