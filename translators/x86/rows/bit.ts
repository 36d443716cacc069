import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { setCarry, setZero } from '../flags.ts';
import { effectiveAddress, type Insn, inMemory, read, signExtend, write } from '../operands.ts';
import { group, Kind, type Meaning, type Row, row } from '../row.ts';
import { linear, segmentOf } from '../segmentation.ts';
import { X86 } from '../state.ts';

const CLZ = op('i32.clz');
const CTZ = op('i32.ctz');

/** A register's bit offset reaches beyond a memory operand, in both directions: moves the address to the word that holds the bit. */
function moveToBit(b: Builder, i: Insn, offset: Value): void {
  const size = i.operandSize;
  const words = b.shrS(signExtend(b, offset, size), b.i32(size === 4 ? 5 : 4));
  let at = b.add(effectiveAddress(b, i), b.shl(words, b.i32(size === 4 ? 2 : 1)));
  if (i.addressSize === 2) at = b.and(at, b.i32(0xffff));
  i.ea = linear(b, i, segmentOf(i), at, size);
}

/** CF is the bit; the other flags are undefined or unchanged, and stay. `f` gives the operand with the bit changed. */
const bitTest =
  (f?: (b: Builder, value: Value, mask: Value) => Value): Meaning =>
  (b, i) => {
    const size = i.operandSize;
    const offset = i.row.operands[1].kind === Kind.I ? b.i32(i.immediate) : read(b, i, 1);
    if (inMemory(i, 0) && i.row.operands[1].kind !== Kind.I) moveToBit(b, i, offset);
    const value = read(b, i, 0);
    const number = b.and(offset, b.i32(size * 8 - 1));
    if (f) write(b, i, 0, f(b, value, b.shl(b.i32(1), number)));
    setCarry(b, b.and(b.shrU(value, number), b.i32(1)));
  };
const bt = bitTest();
const bts = bitTest((b, value, mask) => b.or(value, mask));
const btr = bitTest((b, value, mask) => b.and(value, b.not(mask)));
const btc = bitTest((b, value, mask) => b.xor(value, mask));

/** ZF is set and the destination kept if the source is zero. The other flags are undefined and stay, as on AMD. */
const scan =
  (f: (b: Builder, value: Value) => Value): Meaning =>
  (b, i) => {
    const value = read(b, i, 1);
    write(b, i, 0, b.select(value, f(b, value), read(b, i, 0)), true);
    setZero(b, value);
  };
const bsf = scan((b, value) => b.emit(CTZ, value));
const bsr = scan((b, value) => b.sub(b.i32(31), b.emit(CLZ, value)));

/** Undefined for 16 bits: AMD Zen clears the register's low half. */
const bswap: Meaning = (b, i) => {
  if (i.operandSize === 2) return write(b, i, 0, b.i32(0), true);
  const value = b.get(Type.I32, X86.EAX + (i.opcode & 7) * 4);
  const odd = b.and(b.rotl(value, b.i32(8)), b.i32(0x00ff00ff));
  b.set(X86.EAX + (i.opcode & 7) * 4, b.or(odd, b.and(b.rotr(value, b.i32(8)), b.i32(0xff00ff00))));
};

export const bit = (): readonly Row[] =>
  group('bit', [
    row('0F A3 /r', 'BT Ev, Gv', bt),
    row('0F BA /4 ib', 'BT Ev, Ib', bt),
    row('0F AB /r', 'BTS Ev, Gv', bts),
    row('0F BA /5 ib', 'BTS Ev, Ib', bts),
    row('0F B3 /r', 'BTR Ev, Gv', btr),
    row('0F BA /6 ib', 'BTR Ev, Ib', btr),
    row('0F BB /r', 'BTC Ev, Gv', btc),
    row('0F BA /7 ib', 'BTC Ev, Ib', btc),
    row('0F BC /r', 'BSF Gv, Ev', bsf),
    row('0F BD /r', 'BSR Gv, Ev', bsr),
    row('0F C8+r', 'BSWAP Zv', bswap),
  ]);
