import { codeByte } from '../paged';

/** 26 2E 36 3E 64 65 66 67 F0 F2 F3. */
function isPrefix(byte: u32): bool {
  return (byte & 0xe7) === 0x26 || (byte >= 0x64 && byte <= 0x67) || byte === 0xf0 || byte === 0xf2 || byte === 0xf3;
}

/**
 * Whether the instruction at `pc` reads and writes its operand in memory (SDM volume 2, appendix A): what its load may not touch is refused as to
 * its store. The same as `memoryOperand` says.
 */
export function x86_modifies(pc: u32): u32 {
  let at = pc;
  let opcode = codeByte(at++);
  while (isPrefix(opcode) && at - pc < 15) opcode = codeByte(at++);
  const isLong = opcode === 0x0f;
  if (isLong) opcode = codeByte(at++);
  const reg = (codeByte(at) >>> 3) & 7;
  return u32(isLong ? longModifies(opcode, reg) : modifies(opcode, reg));
}

function modifies(opcode: u32, reg: u32): bool {
  // ADD, OR, ADC, SBB, AND, SUB, XOR
  if (opcode < 0x38) return (opcode & 6) === 0;
  switch (opcode & 0xfe) {
    case 0x80:
    case 0x82:
      // not CMP
      return reg !== 7;
    case 0x86: // XCHG
    case 0xc0: // shifts and rotations
    case 0xd0:
    case 0xd2:
      return true;
    case 0xf6:
      // NOT, NEG
      return reg === 2 || reg === 3;
    case 0xfe:
      // INC, DEC
      return reg < 2;
    default:
      return false;
  }
}

function longModifies(opcode: u32, reg: u32): bool {
  switch (opcode) {
    case 0xa4: // SHLD
    case 0xa5:
    case 0xac: // SHRD
    case 0xad:
    case 0xab: // BTS
    case 0xb3: // BTR
    case 0xbb: // BTC
    case 0xb0: // CMPXCHG
    case 0xb1:
    case 0xc0: // XADD
    case 0xc1:
      return true;
    case 0xba:
      return reg >= 5;
    case 0xc7:
      // CMPXCHG8B
      return reg === 1;
    default:
      return false;
  }
}
