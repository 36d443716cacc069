// LZMA2 (.xz file format 5.3.1). The names are those of the LZMA specification; probabilities have eleven bits.
import { Layout } from '../shared/layout';
import { Unpacked, UnpackPlace } from '../shared/unpack';

const enum Control {
  End = 0,
  /** Bytes as they are, after a reset of the dictionary or without. */
  PlainReset = 1,
  Plain = 2,
  /** From these on with a reset of the state, with new properties, and with a reset of the dictionary as well. */
  Packed = 0x80,
  StateReset = 0xa0,
  Properties = 0xc0,
  DictionaryReset = 0xe0,
}
/** What must come with a chunk before there can be one without. */
const enum Need {
  State = 1,
  Properties = 2,
  Dictionary = 4,
}

/** Of one probability, and of the tables of a length. */
const SIZE: u32 = 2;
const LENGTH_SIZE: u32 = SIZE * (2 + 2 * 16 * 8 + 256);
const STATES: u32 = 12;
const IS_MATCH: u32 = Layout.UOPS + UnpackPlace.PROBABILITIES;
const IS_REP: u32 = IS_MATCH + SIZE * STATES * 16;
const IS_REP_G0: u32 = IS_REP + SIZE * STATES;
const IS_REP_G1: u32 = IS_REP_G0 + SIZE * STATES;
const IS_REP_G2: u32 = IS_REP_G1 + SIZE * STATES;
const IS_REP0_LONG: u32 = IS_REP_G2 + SIZE * STATES;
const POS_SLOT: u32 = IS_REP0_LONG + SIZE * STATES * 16;
const POS: u32 = POS_SLOT + SIZE * 4 * 64;
const ALIGN: u32 = POS + SIZE * 128;
const LENGTH: u32 = ALIGN + SIZE * 16;
const REP_LENGTH: u32 = LENGTH + LENGTH_SIZE;
const LITERAL: u32 = REP_LENGTH + LENGTH_SIZE;
const LITERAL_SIZE: u32 = SIZE * 0x300;

/** The decoder of ranges, and where it reads on. */
const TOP: u32 = 1 << 24;
let range: u32 = 0;
let code: u32 = 0;
let next: u32 = 0;

let packedEnd: u32 = 0;
/** Where the next byte comes out, where the last will, and where the dictionary begins. */
let out: u32 = 0;
let outEnd: u32 = 0;
let dictionary: u32 = 0;
/** Of the chunk that is unpacked. */
let chunkPackedEnd: u32 = 0;
let chunkOutEnd: u32 = 0;
let needs: u32 = 0;

let state: u32 = 0;
let rep0: u32 = 0;
let rep1: u32 = 0;
let rep2: u32 = 0;
let rep3: u32 = 0;
let lc: u32 = 0;
let lp: u32 = 0;
let pb: u32 = 0;

/** What is packed in `packed` … `packedTo` is to come out at `to` … `toEnd`, and fill that. */
export function lzma2_start(packed: u32, packedTo: u32, to: u32, toEnd: u32): void {
  next = packed;
  packedEnd = packedTo;
  out = to;
  outEnd = toEnd;
  chunkOutEnd = to;
  needs = Need.State | Need.Properties | Need.Dictionary;
}

/** Goes on for about so many bytes; gives an `Unpacked`. Short calls let the engine bring in what it has optimised meanwhile. */
export function lzma2_next(most: u32): u32 {
  return out < chunkOutEnd ? unpack(most) : chunk();
}

function bigEndian16(at: u32): u32 {
  return (u32(load<u8>(at)) << 8) | load<u8>(at, 1);
}

/** The head of a chunk, and all of one that is not packed. */
function chunk(): u32 {
  if (next >= packedEnd) return Unpacked.Damaged;
  const left = packedEnd - next;
  const room = outEnd - out;
  const control: i32 = load<u8>(next);
  if (control === Control.End) return left === 1 && room === 0 ? Unpacked.Done : Unpacked.Damaged;
  if (left < 4 || (control > Control.Plain && control < Control.Packed)) return Unpacked.Damaged;
  if (control === Control.PlainReset || control >= Control.DictionaryReset) {
    needs = Need.State | Need.Properties;
    dictionary = out;
  }
  if (needs & Need.Dictionary) return Unpacked.Damaged;
  const size = bigEndian16(next + 1) + 1;
  if (control >= Control.Packed) return packedChunk(control, size + ((control & 0x1f) << 16), left, room);
  if (size > left - 3 || size > room) return Unpacked.Damaged;
  memory.copy(out, next + 3, size);
  next += 3 + size;
  out += size;
  chunkOutEnd = out;
  return Unpacked.More;
}

function packedChunk(control: i32, size: u32, left: u32, room: u32): u32 {
  const packed = bigEndian16(next + 3) + 1;
  let head: u32 = 5;
  if (control >= Control.Properties) {
    if (!setProperties(load<u8>(next, 5))) return Unpacked.Damaged;
    needs &= ~Need.Properties;
    head++;
  }
  if (control >= Control.StateReset && !(needs & Need.Properties)) {
    resetState();
    needs &= ~Need.State;
  }
  // the first of five bytes for the decoder of ranges is zero
  if (needs !== 0 || packed < 5 || head + packed > left || size > room || load<u8>(next + head) !== 0) return Unpacked.Damaged;
  next += head;
  range = 0xffffffff;
  code = (bigEndian16(next + 1) << 16) | bigEndian16(next + 3);
  chunkPackedEnd = next + packed;
  chunkOutEnd = out + size;
  next += 5;
  return Unpacked.More;
}

function setProperties(properties: u32): bool {
  lc = properties % 9;
  lp = (properties / 9) % 5;
  pb = properties / 45;
  return pb < 5 && lc + lp <= 4;
}

function resetState(): void {
  state = 0;
  rep0 = 0;
  rep1 = 0;
  rep2 = 0;
  rep3 = 0;
  const end = LITERAL + (LITERAL_SIZE << (lc + lp));
  for (let at = IS_MATCH; at < end; at += SIZE) store<u16>(at, 0x400);
}

// @ts-ignore: decorator
@inline
function bit(probability: u32): bool {
  if (range < TOP) {
    range <<= 8;
    code = (code << 8) | load<u8>(next++);
  }
  const zeros: u32 = load<u16>(probability);
  const bound = (range >>> 11) * zeros;
  if (code < bound) {
    range = bound;
    store<u16>(probability, zeros + ((0x800 - zeros) >>> 5));
    return false;
  }
  range -= bound;
  code -= bound;
  store<u16>(probability, zeros - (zeros >>> 5));
  return true;
}

/**
 * As many bits as `limit` needs, each with the probability that those before it choose, after a first 1. They are hard to predict, so there is no
 * branch for them, and what is wanted at each step lies in locals.
 */
// @ts-ignore: decorator
@inline
function tree(probabilities: u32, limit: u32): u32 {
  let r = range;
  let c = code;
  let at = next;
  let symbol: u32 = 1;
  do {
    const probability = probabilities + SIZE * symbol;
    if (r < TOP) {
      r <<= 8;
      c = (c << 8) | load<u8>(at++);
    }
    const zeros: u32 = load<u16>(probability);
    const bound = (r >>> 11) * zeros;
    const one = u32(c >= bound);
    const mask = 0 - one;
    c -= bound & mask;
    r = bound + ((r - 2 * bound) & mask);
    store<u16>(probability, adapted(zeros, mask));
    symbol = (symbol << 1) | one;
  } while (symbol < limit);
  range = r;
  code = c;
  next = at;
  return symbol;
}

/** A probability after a 0 (`mask` 0), or a 1 (all ones). */
// @ts-ignore: decorator
@inline
function adapted(zeros: u32, mask: u32): u32 {
  // towards 2,048 it is rounded as it is towards 0
  return zeros - (i32(zeros - (2017 & ~mask)) >> 5);
}

/** A literal after a match: as long as its bits are those of the byte that the match would have gone on with, that byte chooses the probabilities, too. */
// @ts-ignore: decorator
@inline
function matchedLiteral(probabilities: u32, byte: u32): u32 {
  let r = range;
  let c = code;
  let at = next;
  let symbol: u32 = 1;
  let same: u32 = 0x100;
  let matched = byte;
  do {
    matched <<= 1;
    const chosen = matched & same;
    const probability = probabilities + SIZE * (same + chosen + symbol);
    if (r < TOP) {
      r <<= 8;
      c = (c << 8) | load<u8>(at++);
    }
    const zeros: u32 = load<u16>(probability);
    const bound = (r >>> 11) * zeros;
    const one = u32(c >= bound);
    const mask = 0 - one;
    c -= bound & mask;
    r = bound + ((r - 2 * bound) & mask);
    store<u16>(probability, adapted(zeros, mask));
    symbol = (symbol << 1) | one;
    same &= ~(chosen ^ mask);
  } while (symbol < 0x100);
  range = r;
  code = c;
  next = at;
  return symbol;
}

/** A tree's bits, the lowest first. */
function reverseTree(probabilities: u32, bits: u32): u32 {
  const symbol = tree(probabilities, 1 << bits);
  let value: u32 = 0;
  for (let i: u32 = 0; i < bits; i++) value |= ((symbol >>> i) & 1) << (bits - 1 - i);
  return value;
}

function directBits(bits: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < bits; i++) {
    if (range < TOP) {
      range <<= 8;
      code = (code << 8) | load<u8>(next++);
    }
    range >>>= 1;
    const one = u32(code >= range);
    code -= range & (0 - one);
    value = (value << 1) | one;
  }
  return value;
}

// @ts-ignore: decorator
@inline
function matchLength(probabilities: u32, posState: u32): u32 {
  const low = probabilities + SIZE * (2 + 8 * posState);
  if (!bit(probabilities)) return tree(low, 8) - 8 + 2;
  if (!bit(probabilities + SIZE)) return tree(low + SIZE * 128, 8) - 8 + 10;
  return tree(probabilities + SIZE * (2 + 256), 256) - 256 + 18;
}

// @ts-ignore: decorator
@inline
function distance(length: u32): u32 {
  const slot = tree(POS_SLOT + SIZE * 64 * min(length - 2, 3), 64) - 64;
  if (slot < 4) return slot;
  const bits = (slot >>> 1) - 1;
  const start = (2 | (slot & 1)) << bits;
  if (slot < 14) return start + reverseTree(POS + SIZE * (start - slot), bits);
  return start + (directBits(bits - 4) << 4) + reverseTree(ALIGN, 4);
}

/** Goes on with a chunk for about so many bytes. */
function unpack(most: u32): u32 {
  const stop = min(out + most, chunkOutEnd);
  const posMask: u32 = (1 << pb) - 1;
  const literalMask: u32 = (1 << lp) - 1;
  let to = out;
  let byte: u32 = to > dictionary ? load<u8>(to - 1) : 0;
  let now = state;
  while (to < stop) {
    // a symbol takes some 20 bytes at most; those that follow are no harm to read
    if (next > chunkPackedEnd) return Unpacked.Damaged;
    const done = to - dictionary;
    const posState = done & posMask;
    if (!bit(IS_MATCH + SIZE * (16 * now + posState))) {
      const literal = LITERAL + LITERAL_SIZE * (((done & literalMask) << lc) + (byte >>> (8 - lc)));
      byte = (now < 7 ? tree(literal, 0x100) : matchedLiteral(literal, load<u8>(to - rep0 - 1))) & 0xff;
      store<u8>(to++, byte);
      now = now < 4 ? 0 : now < 10 ? now - 3 : now - 6;
      continue;
    }
    let length: u32;
    if (!bit(IS_REP + SIZE * now)) {
      length = matchLength(LENGTH, posState);
      rep3 = rep2;
      rep2 = rep1;
      rep1 = rep0;
      rep0 = distance(length);
      now = now < 7 ? 7 : 10;
    } else {
      const long = bit(IS_REP_G0 + SIZE * now) ? earlier(now) : bit(IS_REP0_LONG + SIZE * (16 * now + posState));
      length = long ? matchLength(REP_LENGTH, posState) : 1;
      now = now < 7 ? (long ? 8 : 9) : 11;
    }
    if (rep0 >= done || length > chunkOutEnd - to) return Unpacked.Damaged;
    copy(to, length);
    to += length;
    byte = load<u8>(to - 1);
  }
  out = to;
  state = now;
  return to < chunkOutEnd || atEnd() ? Unpacked.More : Unpacked.Damaged;
}

/** Makes rep1, rep2 or rep3 the latest distance. */
function earlier(now: u32): bool {
  let chosen = rep1;
  if (bit(IS_REP_G1 + SIZE * now)) {
    chosen = rep2;
    if (bit(IS_REP_G2 + SIZE * now)) {
      chosen = rep3;
      rep3 = rep2;
    }
    rep2 = rep1;
  }
  rep1 = rep0;
  rep0 = chosen;
  return true;
}

/** Copies from `rep0` + 1 bytes before `to`; may write more, into what comes after. */
// @ts-ignore: decorator
@inline
function copy(to: u32, length: u32): void {
  const end = to + length;
  let from = to - rep0 - 1;
  let at = to;
  if (rep0 >= 7)
    do {
      store<u64>(at, load<u64>(from));
      at += 8;
      from += 8;
    } while (at < end);
  else
    do {
      store<u8>(at++, load<u8>(from++));
    } while (at < end);
}

/** Whether a chunk has ended as it should. */
function atEnd(): bool {
  if (range < TOP) code = (code << 8) | load<u8>(next++);
  return next === chunkPackedEnd && code === 0;
}
