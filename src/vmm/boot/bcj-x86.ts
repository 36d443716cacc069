const CALL_OPERAND = 4;
/** Bytes before an opcode whose operand could reach into that opcode's. */
const REACH = 3;

const isExtension = (byte: number): boolean => byte === 0x00 || byte === 0xff;

/**
 * Undoes the x86 filter of the XZ format (ID 4) in place: the operands of CALL and JMP, which it had made absolute, are relative again.
 * Like the filter it takes E8 and E9 for such instructions wherever they stand if the operand's highest byte is 00 or FF, and
 * notes those that it left alone, since their operands may overlap the next one's.
 */
export function undoX86Filter(bytes: Uint8Array): void {
  const end = bytes.length - CALL_OPERAND;
  /** Bit n: there is an opcode n + 1 bytes before this one that was left alone. */
  let skipped = 0;
  let last = -1 - REACH;
  for (let at = 0; at < end; at++) {
    if ((bytes[at] & 0xfe) !== 0xe8) continue;
    const distance = at - last;
    last = at;
    skipped = distance > REACH ? 0 : (skipped << (distance - 1)) & 7;
    // how far back the one before lies, if there is one alone
    const back = skipped === 0 ? 0 : 32 - Math.clz32(skipped);
    const several = (skipped & (skipped - 1)) !== 0;
    const overlapped = back > 0 && (several || isExtension(bytes[at + CALL_OPERAND - back]));
    if (overlapped || !isExtension(bytes[at + CALL_OPERAND])) {
      skipped = (skipped << 1) | 1;
      continue;
    }
    const next = at + 1 + CALL_OPERAND;
    let operand = bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16) | (bytes[at + 4] << 24);
    let target = (operand - next) | 0;
    // the filter went on until the byte that the operand before ends with was none that it would have taken
    while (back > 0 && isExtension((target >>> (24 - 8 * back)) & 0xff)) {
      operand = target ^ ((1 << (32 - 8 * back)) - 1);
      target = (operand - next) | 0;
    }
    bytes[at + 1] = target;
    bytes[at + 2] = target >> 8;
    bytes[at + 3] = target >> 16;
    // 25 bits are kept, with their sign
    bytes[at + 4] = target & 0x1000000 ? 0xff : 0;
    at += CALL_OPERAND;
  }
}
