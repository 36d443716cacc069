import { Layout } from '../../../assembly/shared/layout.ts';
import { BlockHeader, Link, LinkFlag, Slot, Uop } from '../../../assembly/shared/uop.ts';
import { nameOf } from './table.ts';

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

/** Bytes of a µop whose number is below SCALAR and that is not `number d a b`. */
function hotBytes(number: number): number {
  if (number >= Uop.I32_ADD_IMM && number <= Uop.I32_LT_U_IMM) return 12;
  if (number >= Uop.SELECT32 && number < Uop.STORE32_IMM) return 12;
  switch (number) {
    case Uop.CONST64:
    case Uop.POP32:
    case Uop.PUSH32:
      return 12;
    case Uop.CONST128:
      return 20;
    case Uop.STORE32_IMM:
    case Uop.PUSH32_IMM:
    case Uop.EXIT_IF:
      return 16;
    default:
      return 8;
  }
}

/**
 * The µops of the block at `address`, one a line: number's name, the slots (registers by name or offset, `t` temporaries,
 * `k` constants), then words in hexadecimal.
 */
export function printUops(words: Int32Array, address: number, register: (offset: number) => string | undefined = () => undefined): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const u16 = (at: number): number => bytes[at] | (bytes[at + 1] << 8);
  const word = (at: number): number => words[at >>> 2];
  const slot = (at: number): string => {
    const place = u16(at);
    if (place < Slot.ZERO) return register(place - Layout.STATE) ?? `+${place - Layout.STATE}`;
    if (place === Slot.ZERO) return '0';
    if (place === Slot.DISCARD) return '_';
    return place < Slot.TEMPS ? `k${word(place)}` : `t${(place - Slot.TEMPS) >>> 2}`;
  };
  const link = (at: number): string => `${hex(word(at + Link.PC))}${word(at + Link.FLAGS) & LinkFlag.COUNTS ? ' hot' : ''}`;
  const lines = [`block ${hex(word(address + BlockHeader.PC))} (${word(address + BlockHeader.INSTRUCTIONS)} instructions)`];
  const add = (...parts: (string | number)[]): void => {
    lines.push(`  ${parts.join(' ')}`);
  };
  let ip = address + BlockHeader.SIZE;
  for (;;) {
    const number = u16(ip);
    const name = nameOf(number).toLowerCase();
    if (number === Uop.GOTO) {
      add(name, link(ip + 4));
      break;
    }
    if (number >= Uop.BRANCH_NZ && number <= Uop.BRANCH_LE_U) {
      const slots = number <= Uop.BRANCH_Z ? [slot(ip + 2)] : [slot(ip + 2), slot(ip + 4)];
      add(name, ...slots, link(ip + 8), link(ip + 8 + Link.SIZE));
      break;
    }
    if (number === Uop.JUMP) {
      add(name, slot(ip + 2));
      break;
    }
    if (number === Uop.EXIT) {
      const args = Array.from({ length: bytes[ip + 3] }, (_, i) => hex(word(ip + 8 + 4 * i)));
      add(name, bytes[ip + 2], hex(word(ip + 4)), ...args);
      break;
    }
    if (number === Uop.CHECK_STACK) {
      add(name, slot(ip + 2));
      ip += 4;
      continue;
    }
    if (number === Uop.VERIFY) {
      add(name, u16(ip + 2));
      ip += 4 + ((u16(ip + 2) + 3) & ~3);
    } else if (number === Uop.EXIT_IF) {
      add(name, slot(ip + 2), u16(ip + 4), hex(word(ip + 8)), hex(word(ip + 12)));
      ip += 16;
    } else if (number >= Uop.SLOW32 && number <= Uop.SLOW128) {
      add(name, slot(ip + 2), slot(ip + 4), slot(ip + 6), `#${word(ip + 8)}`, hex(word(ip + 16)));
      ip += 20;
    } else if (number >= Uop.CONST32 && number <= Uop.CONST128) {
      const size = hotBytes(number);
      add(name, slot(ip + 2), ...Array.from({ length: (size - 4) / 4 }, (_, i) => hex(word(ip + 4 + 4 * i))));
      ip += size;
    } else if (number === Uop.STORE32_IMM || number === Uop.PUSH32_IMM) {
      add(name, slot(ip + 4), hex(word(ip + 8)), hex(word(ip + 12)));
      ip += 16;
    } else if (number >= Uop.SELECT32 && number <= Uop.SELECT128) {
      add(name, slot(ip + 2), slot(ip + 4), slot(ip + 6), slot(ip + 8));
      ip += 12;
    } else if (number >= Uop.HELPER && number < Uop.SIMD) {
      const counts = Math.floor((number - Uop.HELPER) / 3);
      const parameters = counts > 3 ? counts - 3 : counts;
      const slots = [4, 6, 8].slice(0, parameters).map((at) => slot(ip + at));
      add('helper', `#${word(ip + 12)}`, slot(ip + 2), ...slots);
      ip += 16;
    } else if ((number >= Uop.LOAD8_S && number < Uop.STORE32_IMM) || (number >= Uop.MEMORY && number < Uop.HELPER)) {
      add(name, slot(ip + 2), slot(ip + 4), hex(word(ip + 8)));
      ip += 12;
    } else if (number < Uop.SCALAR && hotBytes(number) === 12) {
      add(name, slot(ip + 2), slot(ip + 4), hex(word(ip + 8)));
      ip += 12;
    } else {
      const second = u16(ip + 6) === 0 ? [] : [slot(ip + 6)];
      add(name, slot(ip + 2), slot(ip + 4), ...second);
      ip += number === Uop.I8X16_SHUFFLE ? 24 : number >= Uop.I8X16_EXTRACT_LANE_U ? 12 : 8;
    }
  }
  return `${lines.join('\n')}\n`;
}
