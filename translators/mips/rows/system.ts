import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { ExcCode } from '../abi.ts';
import { reserved } from '../exception.ts';
import { gpr, group, setGpr } from '../row.ts';
import { Mips } from '../state.ts';
import { hardwareEnabled, readCount } from '../system/count.ts';
import { address } from './memory.ts';

const trapIf = (b: Builder, condition: Value): void => b.exitIf(condition, ExitKind.Exception, ExcCode.Tr);

/** Bytes that one SYNCI makes coherent; RDHWR SYNCI_Step. */
const SYNCI_STEP = 32;
/** Cycles for each step of RDHWR CC. */
const CC_RESOLUTION = 1;

export const traps = group('trap', (row) => [
  row('000000 sssss ttttt wwwwwwwwww 110000', 'tge $s,$t$w', ({ s, t }, b) => trapIf(b, b.geS(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110001', 'tgeu $s,$t$w', ({ s, t }, b) => trapIf(b, b.geU(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110010', 'tlt $s,$t$w', ({ s, t }, b) => trapIf(b, b.ltS(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110011', 'tltu $s,$t$w', ({ s, t }, b) => trapIf(b, b.ltU(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110100', 'teq $s,$t$w', ({ s, t }, b) => trapIf(b, b.eq(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110110', 'tne $s,$t$w', ({ s, t }, b) => trapIf(b, b.ne(gpr(b, s), gpr(b, t)))),
  row('000001 sssss 01000 iiiiiiiiiiiiiiii', 'tgei $s,$i', ({ s }, b, site) => trapIf(b, b.geS(gpr(b, s), site.immediate(b)))),
  row('000001 sssss 01001 iiiiiiiiiiiiiiii', 'tgeiu $s,$i', ({ s }, b, site) => trapIf(b, b.geU(gpr(b, s), site.immediate(b)))),
  row('000001 sssss 01010 iiiiiiiiiiiiiiii', 'tlti $s,$i', ({ s }, b, site) => trapIf(b, b.ltS(gpr(b, s), site.immediate(b)))),
  row('000001 sssss 01011 iiiiiiiiiiiiiiii', 'tltiu $s,$i', ({ s }, b, site) => trapIf(b, b.ltU(gpr(b, s), site.immediate(b)))),
  row('000001 sssss 01100 iiiiiiiiiiiiiiii', 'teqi $s,$i', ({ s }, b, site) => trapIf(b, b.eq(gpr(b, s), site.immediate(b)))),
  row('000001 sssss 01110 iiiiiiiiiiiiiiii', 'tnei $s,$i', ({ s }, b, site) => trapIf(b, b.ne(gpr(b, s), site.immediate(b)))),
]);

/** The group whose rows end their block and are gone on after (Site.next). */
export const CONTINUED = 'system call and coherence';

export const continued = group(CONTINUED, (row) => [
  row('000000 kkkkkkkkkkkkkkkkkkkk 001100', 'syscall $k', (_, b, site) => b.exit(ExitKind.Syscall, site.next, site.pc)),
  row('000001 sssss 11111 iiiiiiiiiiiiiiii', 'synci $i($s)', ({ s }, b, site) => {
    // a store to code is noticed
    if (site.system) return;
    // it records the exit's arguments, which the exit then leaves alone
    b.helper('mips_synci', b.and(address(b, site, s), b.i32(-SYNCI_STEP)), b.i32(SYNCI_STEP));
    b.exit(ExitKind.CodeWritten, site.next);
  }),
  // it ends its block, so that what is left of the budget tells the instructions that were completed
  row(
    '011111 00000 ttttt 00010 00000 111011',
    'rdhwr $t,hwr_cc',
    ({ t }, b, site) => {
      if (site.system) readCount(b, site, t, 2);
      else {
        setGpr(b, t, b.helper('mips_cycles'));
        b.goto(site.next);
      }
    },
    { special: true },
  ),
]);

export const SYSTEM = 'system';
export const system = group(SYSTEM, (row) => [
  row('000000 cccccccccc qqqqqqqqqq 001101', 'break $c$q', ({ c, q }, b, site) => b.exit(ExitKind.Breakpoint, site.pc, (c << 10) | q)),
  row('011111 00000 ttttt rrrrr 00000 111011', 'rdhwr $t,$r', ({ t, r }, b, site) => {
    if (site.system && !hardwareEnabled(b, site, r)) return;
    switch (r) {
      case 0: // CPUNum
        return setGpr(b, t, b.i32(0));
      case 1:
        return setGpr(b, t, b.i32(SYNCI_STEP));
      case 3: // CCRes
        return setGpr(b, t, b.i32(CC_RESOLUTION));
      case 29:
        return setGpr(b, t, b.get(Type.I32, Mips.USER_LOCAL));
      default:
        return reserved(b, site);
    }
  }),
]);
