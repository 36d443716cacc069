import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { OPS, op, Type } from '../../../src/ir/ops.ts';
import { checkAligned, gpr, group, type MipsRow, type Site, setGpr } from '../row.ts';
import { Mips } from '../state.ts';

const LOAD = op('i32.load');
const BYTE = op('i32.load8_u');
const STORE = op('i32.store');

export const address = (b: Builder, site: Site, base: number): Value => b.add(gpr(b, base), site.immediate(b));

/** The aligned word that an unaligned access touches, and by how many bits its bytes are displaced in a register. */
interface Part {
  readonly at: Value;
  readonly word: Value;
  /** From the register's most significant end (LWL, SWL) or least significant end (LWR, SWR). */
  readonly bits: Value;
}

function part(b: Builder, site: Site, base: number, left: boolean): Part {
  const unaligned = address(b, site, base);
  // a fault is on that byte (MIPS32 volume II, LWL: LoadMemory of a BYTE)
  if (b.preciseMemory) b.load(BYTE, unaligned, site.bigEndian);
  const at = b.and(unaligned, b.i32(-4));
  const byte = b.and(unaligned, b.i32(3));
  const distance = left === site.bigEndian ? byte : b.xor(byte, b.i32(3));
  return { at, word: b.load(LOAD, at, site.bigEndian), bits: b.shl(distance, b.i32(3)) };
}

/** System mode: a store that also loads must fault as a store. `bytes`: natural alignment that is asked for, 1 for none. */
function checkStore(b: Builder, site: Site, at: Value, bytes: number): void {
  if (site.system) b.exitIf(b.helper('mips_check_store', at, b.i32(bytes)), ExitKind.MemoryFault);
}

export const memory = group('load, store and memory control', (row) => {
  const loads: readonly [opcode: string, name: string, load: string][] = [
    ['100000', 'lb', 'i32.load8_s'],
    ['100001', 'lh', 'i32.load16_s'],
    ['100011', 'lw', 'i32.load'],
    ['100100', 'lbu', 'i32.load8_u'],
    ['100101', 'lhu', 'i32.load16_u'],
  ];
  const stores: readonly [opcode: string, name: string, store: string][] = [
    ['101000', 'sb', 'i32.store8'],
    ['101001', 'sh', 'i32.store16'],
    ['101011', 'sw', 'i32.store'],
  ];
  const plain: MipsRow[] = [
    ...loads.map(([opcode, name, load]) => {
      const number = op(load);
      return row(`${opcode} sssss ttttt iiiiiiiiiiiiiiii`, `${name} $t,$i($s)`, ({ s, t }, b, site) => {
        const at = address(b, site, s);
        checkAligned(b, site, at, OPS[number].bytes, false);
        setGpr(b, t, b.load(number, at, site.bigEndian));
      });
    }),
    ...stores.map(([opcode, name, store]) => {
      const number = op(store);
      return row(`${opcode} sssss ttttt iiiiiiiiiiiiiiii`, `${name} $t,$i($s)`, ({ s, t }, b, site) => {
        const at = address(b, site, s);
        checkAligned(b, site, at, OPS[number].bytes, true);
        b.store(number, at, gpr(b, t), site.bigEndian);
      });
    }),
  ];
  return [
    ...plain,
    row('100010 sssss ttttt iiiiiiiiiiiiiiii', 'lwl $t,$i($s)', ({ s, t }, b, site) => {
      const { word, bits } = part(b, site, s, true);
      const keep = b.not(b.shl(b.i32(-1), bits));
      setGpr(b, t, b.or(b.shl(word, bits), b.and(gpr(b, t), keep)));
    }),
    row('100110 sssss ttttt iiiiiiiiiiiiiiii', 'lwr $t,$i($s)', ({ s, t }, b, site) => {
      const { word, bits } = part(b, site, s, false);
      const keep = b.not(b.shrU(b.i32(-1), bits));
      setGpr(b, t, b.or(b.shrU(word, bits), b.and(gpr(b, t), keep)));
    }),
    row('101010 sssss ttttt iiiiiiiiiiiiiiii', 'swl $t,$i($s)', ({ s, t }, b, site) => {
      checkStore(b, site, address(b, site, s), 1);
      const { at, word, bits } = part(b, site, s, true);
      const keep = b.not(b.shrU(b.i32(-1), bits));
      b.store(STORE, at, b.or(b.and(word, keep), b.shrU(gpr(b, t), bits)), site.bigEndian);
    }),
    row('101110 sssss ttttt iiiiiiiiiiiiiiii', 'swr $t,$i($s)', ({ s, t }, b, site) => {
      checkStore(b, site, address(b, site, s), 1);
      const { at, word, bits } = part(b, site, s, false);
      const keep = b.not(b.shl(b.i32(-1), bits));
      b.store(STORE, at, b.or(b.and(word, keep), b.shl(gpr(b, t), bits)), site.bigEndian);
    }),
    row('110000 sssss ttttt iiiiiiiiiiiiiiii', 'll $t,$i($s)', ({ s, t }, b, site) => {
      const at = address(b, site, s);
      // no operating system makes this good
      checkAligned(b, { aligned: !site.system }, at, 4, false);
      const word = b.load(LOAD, at, site.bigEndian);
      b.set(Mips.LLADDR, at);
      b.set(Mips.LLBIT, b.i32(1));
      setGpr(b, t, word);
    }),
    row('111000 sssss ttttt iiiiiiiiiiiiiiii', 'sc $t,$i($s)', ({ s, t }, b, site) => {
      const at = address(b, site, s);
      checkAligned(b, { aligned: !site.system }, at, 4, true);
      checkStore(b, site, at, 4);
      const holds = b.and(b.get(Type.I32, Mips.LLBIT), b.eq(b.get(Type.I32, Mips.LLADDR), at));
      // if the reservation is lost, the word is written with itself: one vCPU, so nobody can see it
      b.store(STORE, at, b.select(holds, gpr(b, t), b.load(LOAD, at, site.bigEndian)), site.bigEndian);
      b.set(Mips.LLBIT, b.i32(0));
      setGpr(b, t, holds);
    }),
    // one vCPU that executes in order: nothing to wait for, nothing to prefetch
    row('000000 00000 00000 00000 kkkkk 001111', 'sync $k', () => {}),
    row('110011 sssss hhhhh iiiiiiiiiiiiiiii', 'pref $h,$i($s)', () => {}),
    row('010011 sssss ttttt hhhhh 00000 001111', 'prefx $h,$t($s)', () => {}),
  ];
});
