import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { carryFlag, lowFlags, setCarry, setLowFlags, setZero } from '../flags.ts';
import { address, checkWritable, read, register, setRegister, write } from '../operands.ts';
import { group, inSystemMode, type Meaning, type Row, row, sensitive } from '../row.ts';
import { exitOnFault } from '../segmentation.ts';
import { X86 } from '../state.ts';
import { in_, out } from '../system/io.ts';
import { protectedOnly } from '../system/privilege.ts';
import { cli, hlt, pause, sti } from '../system/registers.ts';

const I = Type.I32;
/** See assembly/x86/writes.ts. */
export const writeHelpers: readonly Helper[] = [
  { name: 'x86_store16_if', params: [I, I, I], result: I, state: false, pure: false },
  { name: 'x86_probe_write', params: [I, I], result: I, state: false, pure: false },
];

const AL = 0;
const AH = 4;

const nop: Meaning = () => undefined;
/** Not allowed at CPL 3 with IOPL 0 (#GP). */
const privileged: Meaning = (b, i) => b.exit(ExitKind.Privileged, i.pc);

/** Raises the RPL of the destination, a selector, to that of the source; ZF tells whether it did. */
const arpl: Meaning = (b, i) => {
  const selector = read(b, i, 0);
  const rpl = b.and(read(b, i, 1), b.i32(3));
  const lower = b.ltU(b.and(selector, b.i32(3)), rpl);
  const raised = b.or(b.and(selector, b.i32(~3)), rpl);
  if (i.mod === 3) write(b, i, 0, b.select(lower, raised, selector), true);
  else {
    checkWritable(b, i, lower);
    exitOnFault(b, b.helper('x86_store16_if', address(b, i), raised, lower));
  }
  setZero(b, b.eqz(lower));
};

export const misc = (): readonly Row[] =>
  group('misc', [
    inSystemMode(pause, row('F3 90', 'PAUSE', nop)),
    row('0F 1F /r', 'NOP Ev', nop),
    // NOP's reserved encodings, in which later processors have hints
    row('0F 18 /r r', 'NOP Ev', nop),
    row('0F 18 /0 m', 'PREFETCHNTA Mb', nop),
    row('0F 18 /1 m', 'PREFETCHT0 Mb', nop),
    row('0F 18 /2 m', 'PREFETCHT1 Mb', nop),
    row('0F 18 /3 m', 'PREFETCHT2 Mb', nop),
    row('0F 18 /4 m', 'NOP Ev', nop),
    row('0F 18 /5 m', 'NOP Ev', nop),
    row('0F 18 /6 m', 'NOP Ev', nop),
    row('0F 18 /7 m', 'NOP Ev', nop),
    row('0F 19 /r', 'NOP Ev', nop),
    row('0F 1A /r', 'NOP Ev', nop),
    row('0F 1B /r', 'NOP Ev', nop),
    row('0F 1C /r', 'NOP Ev', nop),
    row('0F 1D /r', 'NOP Ev', nop),
    row('0F 1E /r', 'NOP Ev', nop),
    row('F3 0F 1E FA', 'ENDBR64', nop),
    row('F3 0F 1E FB', 'ENDBR32', nop),
    row('0F 0D /0 m', 'PREFETCH Mb', nop),
    row('0F 0D /1 m', 'PREFETCHW Mb', nop),
    row('F8', 'CLC', (b) => setCarry(b, b.i32(0))),
    row('F9', 'STC', (b) => setCarry(b, b.i32(1))),
    row('F5', 'CMC', (b) => setCarry(b, b.xor(carryFlag(b), b.i32(1)))),
    row('FC', 'CLD', (b) => b.set(X86.DF, b.i32(0))),
    row('FD', 'STD', (b) => b.set(X86.DF, b.i32(1))),
    row('9F', 'LAHF', (b) => setRegister(b, AH, 1, lowFlags(b), true)),
    row('9E', 'SAHF', (b) => setLowFlags(b, register(b, AH, 1))),
    // not in the SDM: AL becomes CF, all bits
    row('D6', 'SALC', (b) => setRegister(b, AL, 1, b.neg(carryFlag(b)))),
    sensitive('behaviour-sensitive', protectedOnly(arpl), row('63 /r', 'ARPL Ew, Gw', arpl)),
    sensitive('privileged', hlt, row('F4', 'HLT', privileged)),
    sensitive('privileged', cli, row('FA', 'CLI', privileged)),
    sensitive('privileged', sti, row('FB', 'STI', privileged)),
    sensitive('privileged', in_, row('E4 ib', 'IN AL, Ib', privileged)),
    sensitive('privileged', in_, row('E5 ib', 'IN eAX, Ib', privileged)),
    sensitive('privileged', in_, row('EC', 'IN AL, DX', privileged)),
    sensitive('privileged', in_, row('ED', 'IN eAX, DX', privileged)),
    sensitive('privileged', out, row('E6 ib', 'OUT Ib, AL', privileged)),
    sensitive('privileged', out, row('E7 ib', 'OUT Ib, eAX', privileged)),
    sensitive('privileged', out, row('EE', 'OUT DX, AL', privileged)),
    sensitive('privileged', out, row('EF', 'OUT DX, eAX', privileged)),
  ]);
