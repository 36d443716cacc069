import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { ExcCode } from '../abi.ts';
import { privileged, reserved } from '../exception.ts';
import { gpr, group, setGpr } from '../row.ts';
import { Mips } from '../state.ts';
import { address } from './memory.ts';

const trapIf = (b: Builder, condition: Value): void => b.exitIf(condition, ExitKind.Exception, ExcCode.Tr);

/** Bytes that one SYNCI makes coherent; RDHWR SYNCI_Step. */
export const SYNCI_STEP = 32;
/** Cycles for each step of RDHWR CC. */
const CC_RESOLUTION = 1;

export const traps = group('trap', (row) => [
  row('000000 sssss ttttt wwwwwwwwww 110000', 'tge $s,$t$w', ({ s, t }, b) => trapIf(b, b.geS(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110001', 'tgeu $s,$t$w', ({ s, t }, b) => trapIf(b, b.geU(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110010', 'tlt $s,$t$w', ({ s, t }, b) => trapIf(b, b.ltS(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110011', 'tltu $s,$t$w', ({ s, t }, b) => trapIf(b, b.ltU(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110100', 'teq $s,$t$w', ({ s, t }, b) => trapIf(b, b.eq(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt wwwwwwwwww 110110', 'tne $s,$t$w', ({ s, t }, b) => trapIf(b, b.ne(gpr(b, s), gpr(b, t)))),
  row('000001 sssss 01000 iiiiiiiiiiiiiiii', 'tgei $s,$i', ({ s, i }, b) => trapIf(b, b.geS(gpr(b, s), b.i32(i)))),
  row('000001 sssss 01001 iiiiiiiiiiiiiiii', 'tgeiu $s,$i', ({ s, i }, b) => trapIf(b, b.geU(gpr(b, s), b.i32(i)))),
  row('000001 sssss 01010 iiiiiiiiiiiiiiii', 'tlti $s,$i', ({ s, i }, b) => trapIf(b, b.ltS(gpr(b, s), b.i32(i)))),
  row('000001 sssss 01011 iiiiiiiiiiiiiiii', 'tltiu $s,$i', ({ s, i }, b) => trapIf(b, b.ltU(gpr(b, s), b.i32(i)))),
  row('000001 sssss 01100 iiiiiiiiiiiiiiii', 'teqi $s,$i', ({ s, i }, b) => trapIf(b, b.eq(gpr(b, s), b.i32(i)))),
  row('000001 sssss 01110 iiiiiiiiiiiiiiii', 'tnei $s,$i', ({ s, i }, b) => trapIf(b, b.ne(gpr(b, s), b.i32(i)))),
]);

/** The group whose rows end their block and are gone on after (Site.next). */
export const CONTINUED = 'system call and coherence';

export const continued = group(CONTINUED, (row) => [
  row('000000 kkkkkkkkkkkkkkkkkkkk 001100', 'syscall $k', (_, b, site) => b.exit(ExitKind.Syscall, site.next, site.pc)),
  row('000001 sssss 11111 iiiiiiiiiiiiiiii', 'synci $i($s)', ({ s, i }, b, site) => {
    // it records the exit's arguments, which the exit then leaves alone
    b.helper('mips_synci', b.and(address(b, s, i), b.i32(-SYNCI_STEP)), b.i32(SYNCI_STEP));
    b.exit(ExitKind.CodeWritten, site.next);
  }),
  // it ends its block, so that what is left of the budget tells the instructions that were completed
  row(
    '011111 00000 ttttt 00010 00000 111011',
    'rdhwr $t,hwr_cc',
    ({ t }, b, site) => {
      setGpr(b, t, b.helper('mips_cycles'));
      b.goto(site.next);
    },
    { special: true },
  ),
]);

export const system = group('system', (row) => [
  row('000000 cccccccccc qqqqqqqqqq 001101', 'break $c$q', ({ c, q }, b, site) => b.exit(ExitKind.Breakpoint, site.pc, (c << 10) | q)),
  row('011111 00000 ttttt rrrrr 00000 111011', 'rdhwr $t,$r', ({ t, r }, b, site) => {
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

const leave = (_: unknown, b: Builder, site: Parameters<typeof privileged>[1]): void => privileged(b, site);

export const kernel = group('privileged', (row) => [
  row('010000 00000 ttttt zzzzz 00000000 eee', 'mfc0 $t,$z$e', leave),
  row('010000 00100 ttttt zzzzz 00000000 eee', 'mtc0 $t,$z$e', leave),
  row('010000 01010 ttttt ddddd 00000 000000', 'rdpgpr $d,$t', leave),
  row('010000 01110 ttttt ddddd 00000 000000', 'wrpgpr $d,$t', leave),
  row('010000 01011 ttttt 01100 00000 0 00 000', 'di $t', leave),
  row('010000 01011 00000 01100 00000 0 00 000', 'di', leave, { special: true }),
  row('010000 01011 ttttt 01100 00000 1 00 000', 'ei $t', leave),
  row('010000 01011 00000 01100 00000 1 00 000', 'ei', leave, { special: true }),
  row('010000 1 0000000000000000000 000001', 'tlbr', leave),
  row('010000 1 0000000000000000000 000010', 'tlbwi', leave),
  row('010000 1 0000000000000000000 000110', 'tlbwr', leave),
  row('010000 1 0000000000000000000 001000', 'tlbp', leave),
  row('010000 1 0000000000000000000 011000', 'eret', leave),
  row('010000 1 0000000000000000000 011111', 'deret', leave),
  row('010000 1 kkkkkkkkkkkkkkkkkkk 100000', 'wait $k', leave),
  row('101111 sssss hhhhh iiiiiiiiiiiiiiii', 'cache $h,$i($s)', leave),
]);
