const CALL_OPERAND: u32 = 4;
/** Bytes before an opcode whose operand could reach into that opcode's. */
const REACH: u32 = 3;

function isExtension(byte: u32): bool {
  return byte === 0x00 || byte === 0xff;
}

/** Where the first E8 or E9 from `from` on is, or `end`. Reads up to 15 bytes more. */
function opcode(from: u32, end: u32): u32 {
  const operations = i8x16.splat(<i8>0xe8);
  const all = i8x16.splat(<i8>0xfe);
  for (let at = from; at < end; at += 16) {
    const found: u32 = i8x16.bitmask(i8x16.eq(v128.and(v128.load(at), all), operations));
    if (found !== 0) return min(at + ctz(found), end);
  }
  return end;
}

/**
 * Undoes the x86 filter of the XZ format (ID 4) in place, for the bytes from `start` to `last`: the operands of CALL and JMP, which it had made
 * absolute, are relative again. Like the filter it takes E8 and E9 for such instructions wherever they stand if the operand's highest byte is 00 or
 * FF, and notes those that it left alone, since their operands may overlap the next one's.
 */
export function unfilter_x86(start: u32, last: u32): void {
  if (last - start <= CALL_OPERAND) return;
  const end = last - CALL_OPERAND;
  /** Bit n: there is an opcode n + 1 bytes before this one that was left alone. */
  let skipped: u32 = 0;
  let before = start - 1 - REACH;
  for (let at = opcode(start, end); at < end; at = opcode(at + 1, end)) {
    const distance = at - before;
    before = at;
    skipped = distance > REACH ? 0 : (skipped << (distance - 1)) & 7;
    // how far back the one before lies, if there is one alone
    const back = skipped === 0 ? 0 : 32 - clz(skipped);
    const several = (skipped & (skipped - 1)) !== 0;
    const overlapped = back > 0 && (several || isExtension(load<u8>(at + CALL_OPERAND - back)));
    if (overlapped || !isExtension(load<u8>(at + CALL_OPERAND))) {
      skipped = (skipped << 1) | 1;
      continue;
    }
    const next = at + 1 + CALL_OPERAND - start;
    let target = load<u32>(at + 1) - next;
    // the filter went on until the byte that the operand before ends with was none that it would have taken
    while (back > 0 && isExtension((target >>> (24 - 8 * back)) & 0xff)) target = (target ^ ((1 << (32 - 8 * back)) - 1)) - next;
    // 25 bits are kept, with their sign
    store<u32>(at + 1, (target & 0x1ffffff) | (0 - (target & 0x1000000)));
    at += CALL_OPERAND;
  }
}
