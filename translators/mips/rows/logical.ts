import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { reserved } from '../exception.ts';
import { gpr, group, setGpr } from '../row.ts';

export const logical = group('logical', (row) => [
  row('000000 sssss ttttt ddddd 00000 100100', 'and $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.and(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt ddddd 00000 100101', 'or $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.or(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt ddddd 00000 100110', 'xor $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.xor(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt ddddd 00000 100111', 'nor $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.not(b.or(gpr(b, s), gpr(b, t))))),
  row('001100 sssss ttttt uuuuuuuuuuuuuuuu', 'andi $t,$s,$u', ({ s, t }, b, site) => setGpr(b, t, b.and(gpr(b, s), site.unsigned(b)))),
  row('001101 sssss ttttt uuuuuuuuuuuuuuuu', 'ori $t,$s,$u', ({ s, t }, b, site) => setGpr(b, t, b.or(gpr(b, s), site.unsigned(b)))),
  row('001110 sssss ttttt uuuuuuuuuuuuuuuu', 'xori $t,$s,$u', ({ s, t }, b, site) => setGpr(b, t, b.xor(gpr(b, s), site.unsigned(b)))),
  row('001111 00000 ttttt uuuuuuuuuuuuuuuu', 'lui $t,$u', ({ t }, b, site) => setGpr(b, t, site.upper(b))),
]);

export const shift = group('shift', (row) => [
  // NOP, SSNOP, EHB and PAUSE are SLL of r0
  row('000000 00000 ttttt ddddd aaaaa 000000', 'sll $d,$t,$a', ({ t, d, a }, b) => setGpr(b, d, b.shl(gpr(b, t), b.i32(a)))),
  row('000000 00000 ttttt ddddd aaaaa 000010', 'srl $d,$t,$a', ({ t, d, a }, b) => setGpr(b, d, b.shrU(gpr(b, t), b.i32(a)))),
  row('000000 00001 ttttt ddddd aaaaa 000010', 'ror $d,$t,$a', ({ t, d, a }, b) => setGpr(b, d, b.rotr(gpr(b, t), b.i32(a)))),
  row('000000 00000 ttttt ddddd aaaaa 000011', 'sra $d,$t,$a', ({ t, d, a }, b) => setGpr(b, d, b.shrS(gpr(b, t), b.i32(a)))),
  row('000000 sssss ttttt ddddd 00000 000100', 'sllv $d,$t,$s', ({ s, t, d }, b) => setGpr(b, d, b.shl(gpr(b, t), gpr(b, s)))),
  row('000000 sssss ttttt ddddd 00000 000110', 'srlv $d,$t,$s', ({ s, t, d }, b) => setGpr(b, d, b.shrU(gpr(b, t), gpr(b, s)))),
  row('000000 sssss ttttt ddddd 00001 000110', 'rorv $d,$t,$s', ({ s, t, d }, b) => setGpr(b, d, b.rotr(gpr(b, t), gpr(b, s)))),
  row('000000 sssss ttttt ddddd 00000 000111', 'srav $d,$t,$s', ({ s, t, d }, b) => setGpr(b, d, b.shrS(gpr(b, t), gpr(b, s)))),
]);

const ones = (size: number): number => (size === 32 ? -1 : (1 << size) - 1);

function insert(b: Builder, into: Value, value: Value, position: number, size: number): Value {
  const mask = ones(size) << position;
  return b.or(b.and(into, b.i32(~mask)), b.and(b.shl(value, b.i32(position)), b.i32(mask)));
}

export const field = group('insert, extract and move', (row) => [
  row('011111 sssss ttttt mmmmm aaaaa 000000', 'ext $t,$s,$a,$m', ({ s, t, m, a }, b, site) => {
    if (a + m > 31) return reserved(b, site);
    setGpr(b, t, b.and(b.shrU(gpr(b, s), b.i32(a)), b.i32(ones(m + 1))));
  }),
  row('011111 sssss ttttt xxxxx aaaaa 000100', 'ins $t,$s,$a,$x', ({ s, t, x, a }, b, site) => {
    if (x < a) return reserved(b, site);
    setGpr(b, t, insert(b, gpr(b, t), gpr(b, s), a, x - a + 1));
  }),
  row('011111 00000 ttttt ddddd 00010 100000', 'wsbh $d,$t', ({ t, d }, b) => {
    const x = gpr(b, t);
    const low = b.i32(0x00ff00ff);
    setGpr(b, d, b.or(b.and(b.shrU(x, b.i32(8)), low), b.shl(b.and(x, low), b.i32(8))));
  }),
  row('000000 sssss ttttt ddddd 00000 001010', 'movz $d,$s,$t', ({ s, t, d }, b) =>
    setGpr(b, d, b.select(gpr(b, t), gpr(b, d), gpr(b, s))),
  ),
  row('000000 sssss ttttt ddddd 00000 001011', 'movn $d,$s,$t', ({ s, t, d }, b) =>
    setGpr(b, d, b.select(gpr(b, t), gpr(b, s), gpr(b, d))),
  ),
]);
