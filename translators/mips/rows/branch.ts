import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { Register } from '../abi.ts';
import { BRANCH, gpr, group, type Site, setGpr } from '../row.ts';
import { Mips } from '../state.ts';

/** FPU condition code n, 0 or 1. */
export const condition = (b: Builder, n: number): Value => b.get(Type.I32, Mips.FCC + 4 * n);

const ltz = (b: Builder, s: number): Value => b.ltS(gpr(b, s), b.i32(0));
const gez = (b: Builder, s: number): Value => b.geS(gpr(b, s), b.i32(0));
const lez = (b: Builder, s: number): Value => b.leS(gpr(b, s), b.i32(0));
const gtz = (b: Builder, s: number): Value => b.gtS(gpr(b, s), b.i32(0));
const equal = (b: Builder, s: number, t: number): Value => (s === t ? b.i32(1) : b.eq(gpr(b, s), gpr(b, t)));
const unequal = (b: Builder, s: number, t: number): Value => (s === t ? b.i32(0) : b.ne(gpr(b, s), gpr(b, t)));

const link = (b: Builder, site: Site, register: number): void => setGpr(b, register, site.place(b, 8));

/** The link register is written whether or not the branch is taken, before the delay slot. */
function branchAndLink(b: Builder, site: Site, condition: Value): void {
  link(b, site, Register.RA);
  if (b.constantOf(condition) !== 1) {
    site.branch(b, condition);
    return;
  }
  const target = site.branchTarget(b);
  const next = site.afterPair;
  // BAL to the next instruction only reads the pc
  site.afterSlot(b, () => (b.constantOf(target) === (next | 0) ? b.goto(next) : b.callIndirect(target, next)), b.constantOf(target));
}

function branchLikelyAndLink(b: Builder, site: Site, condition: Value): void {
  link(b, site, Register.RA);
  site.branchLikely(b, condition);
}

function jump(b: Builder, site: Site, s: number): void {
  const target = gpr(b, s);
  site.afterSlot(b, () => (s === Register.RA ? b.return(target) : b.jump(target)), undefined, target);
}

function jumpAndLink(b: Builder, site: Site, s: number, d: number): void {
  if (d === 0) {
    jump(b, site, s);
    return;
  }
  const target = gpr(b, s);
  link(b, site, d);
  site.afterSlot(b, () => (d === Register.RA ? b.callIndirect(target, site.afterPair) : b.jump(target)), undefined, target);
}

export const branches = group(BRANCH, (row) => [
  row('000010 jjjjjjjjjjjjjjjjjjjjjjjjjj', 'j $j', (_, b, site) => {
    const target = site.jumpTarget(b);
    site.afterSlot(b, () => b.jump(target), b.constantOf(target));
  }),
  row('000011 jjjjjjjjjjjjjjjjjjjjjjjjjj', 'jal $j', (_, b, site) => {
    const target = site.jumpTarget(b);
    link(b, site, Register.RA);
    site.afterSlot(b, () => b.callIndirect(target, site.afterPair), b.constantOf(target));
  }),
  row('000000 sssss 00000 00000 00000 001000', 'jr $s', ({ s }, b, site) => jump(b, site, s)),
  row('000000 sssss 00000 00000 10000 001000', 'jr.hb $s', ({ s }, b, site) => jump(b, site, s)),
  row('000000 sssss 00000 lllll 00000 001001', 'jalr $l$s', ({ s, l }, b, site) => jumpAndLink(b, site, s, l)),
  row('000000 sssss 00000 lllll 10000 001001', 'jalr.hb $l$s', ({ s, l }, b, site) => jumpAndLink(b, site, s, l)),

  row('000100 sssss ttttt oooooooooooooooo', 'beq $s,$t,$o', ({ s, t }, b, site) => site.branch(b, equal(b, s, t))),
  row('000101 sssss ttttt oooooooooooooooo', 'bne $s,$t,$o', ({ s, t }, b, site) => site.branch(b, unequal(b, s, t))),
  row('000110 sssss 00000 oooooooooooooooo', 'blez $s,$o', ({ s }, b, site) => site.branch(b, lez(b, s))),
  row('000111 sssss 00000 oooooooooooooooo', 'bgtz $s,$o', ({ s }, b, site) => site.branch(b, gtz(b, s))),
  row('000001 sssss 00000 oooooooooooooooo', 'bltz $s,$o', ({ s }, b, site) => site.branch(b, ltz(b, s))),
  row('000001 sssss 00001 oooooooooooooooo', 'bgez $s,$o', ({ s }, b, site) => site.branch(b, gez(b, s))),
  row('000001 sssss 10000 oooooooooooooooo', 'bltzal $s,$o', ({ s }, b, site) => branchAndLink(b, site, ltz(b, s))),
  row('000001 sssss 10001 oooooooooooooooo', 'bgezal $s,$o', ({ s }, b, site) => branchAndLink(b, site, gez(b, s))),
  row('010001 01000 nnn 00 oooooooooooooooo', 'bc1f $n$o', ({ n }, b, site) => site.branch(b, b.eqz(condition(b, n)))),
  row('010001 01000 nnn 01 oooooooooooooooo', 'bc1t $n$o', ({ n }, b, site) => site.branch(b, condition(b, n))),

  row('010100 sssss ttttt oooooooooooooooo', 'beql $s,$t,$o', ({ s, t }, b, site) => site.branchLikely(b, equal(b, s, t))),
  row('010101 sssss ttttt oooooooooooooooo', 'bnel $s,$t,$o', ({ s, t }, b, site) => site.branchLikely(b, unequal(b, s, t))),
  row('010110 sssss 00000 oooooooooooooooo', 'blezl $s,$o', ({ s }, b, site) => site.branchLikely(b, lez(b, s))),
  row('010111 sssss 00000 oooooooooooooooo', 'bgtzl $s,$o', ({ s }, b, site) => site.branchLikely(b, gtz(b, s))),
  row('000001 sssss 00010 oooooooooooooooo', 'bltzl $s,$o', ({ s }, b, site) => site.branchLikely(b, ltz(b, s))),
  row('000001 sssss 00011 oooooooooooooooo', 'bgezl $s,$o', ({ s }, b, site) => site.branchLikely(b, gez(b, s))),
  row('000001 sssss 10010 oooooooooooooooo', 'bltzall $s,$o', ({ s }, b, site) => branchLikelyAndLink(b, site, ltz(b, s))),
  row('000001 sssss 10011 oooooooooooooooo', 'bgezall $s,$o', ({ s }, b, site) => branchLikelyAndLink(b, site, gez(b, s))),
  row('010001 01000 nnn 10 oooooooooooooooo', 'bc1fl $n$o', ({ n }, b, site) => site.branchLikely(b, b.eqz(condition(b, n)))),
  row('010001 01000 nnn 11 oooooooooooooooo', 'bc1tl $n$o', ({ n }, b, site) => site.branchLikely(b, condition(b, n))),
]);
