import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { privileged, reserved } from '../exception.ts';
import { gpr, group, type Meaning, type Site, setGpr } from '../row.ts';
import { Cp0, Mips } from '../state.ts';
import { CONSTANT, MASKED, PLAIN } from '../system/coprocessor0.ts';
import { goOn, readCount } from '../system/count.ts';
import { countSensitive, enters } from '../system/sensitive.ts';
import { usesCoprocessor0 } from '../system/usable.ts';

/** MIPS32 volume II, privileged instructions. In user mode of Linux they leave; in system mode they need coprocessor 0. */
export const PRIVILEGED = 'privileged';

const system =
  <P extends string>(name: string, meaning: Meaning<P>): Meaning<P> =>
  (fields, b, site) => {
    if (!site.system) privileged(b, site);
    else if (enters(b, name) && usesCoprocessor0(b, site)) {
      countSensitive(b, name);
      meaning(fields, b, site);
    }
  };

/** Code that runs must be left if the helper says so: another mode, another mapping, or an interrupt. */
const leaveIf = (b: Builder, condition: Value): void => b.exitIf(condition, ExitKind.Resume);

function mfc0(b: Builder, site: Site, t: number, register: number): void {
  const plain = PLAIN.get(register) ?? MASKED.get(register)?.offset;
  if (plain !== undefined) setGpr(b, t, b.get(Type.I32, plain));
  else if (register === Cp0.COUNT) readCount(b, site, t);
  else if (register === Cp0.RANDOM) setGpr(b, t, b.helper('mips_random'));
  // what is not implemented reads as zero
  else setGpr(b, t, b.i32(CONSTANT.get(register) ?? 0));
}

function mtc0(b: Builder, site: Site, t: number, register: number): void {
  const value = gpr(b, t);
  const masked = MASKED.get(register);
  if (masked) {
    const kept = b.and(b.get(Type.I32, masked.offset), b.i32(~masked.mask));
    b.set(masked.offset, b.or(kept, b.and(value, b.i32(masked.mask))));
    return;
  }
  switch (register) {
    case Cp0.COUNT:
    case Cp0.COMPARE:
    case Cp0.CAUSE:
      leaveIf(b, b.helper('mips_mtc0_time', value, b.i32(register), b.i32(site.next)));
      break;
    case Cp0.ENTRYHI:
    case Cp0.PAGEMASK:
    case Cp0.STATUS:
      leaveIf(b, b.helper('mips_mtc0', value, b.i32(register), b.i32(site.next)));
      break;
  }
}

function enable(b: Builder, site: Site, t: number, on: number): void {
  const status = b.get(Type.I32, Mips.STATUS);
  // the helper changes it, so the old value is taken before
  const leaves = b.helper('mips_enable', b.i32(on), b.i32(site.next));
  setGpr(b, t, status);
  leaveIf(b, leaves);
}

export const kernel = group(PRIVILEGED, (row) => [
  row(
    '010000 00000 ttttt zzzzz 00000000 eee',
    'mfc0 $t,$z$e',
    system('mfc0', ({ t, z, e }, b, site) => mfc0(b, site, t, z * 8 + e)),
  ),
  row(
    '010000 00100 ttttt zzzzz 00000000 eee',
    'mtc0 $t,$z$e',
    system('mtc0', ({ t, z, e }, b, site) => mtc0(b, site, t, z * 8 + e)),
  ),
  // SRSCtl.HSS = 0: the previous set is this one
  row(
    '010000 01010 ttttt ddddd 00000 000000',
    'rdpgpr $d,$t',
    system('rdpgpr', ({ t, d }, b) => setGpr(b, d, gpr(b, t))),
  ),
  row(
    '010000 01110 ttttt ddddd 00000 000000',
    'wrpgpr $d,$t',
    system('wrpgpr', ({ t, d }, b) => setGpr(b, d, gpr(b, t))),
  ),
  row(
    '010000 01011 ttttt 01100 00000 0 00 000',
    'di $t',
    system('di', ({ t }, b, site) => enable(b, site, t, 0)),
  ),
  row(
    '010000 01011 00000 01100 00000 0 00 000',
    'di',
    system('di', (_, b, site) => enable(b, site, 0, 0)),
    { special: true },
  ),
  row(
    '010000 01011 ttttt 01100 00000 1 00 000',
    'ei $t',
    system('ei', ({ t }, b, site) => enable(b, site, t, 1)),
  ),
  row(
    '010000 01011 00000 01100 00000 1 00 000',
    'ei',
    system('ei', (_, b, site) => enable(b, site, 0, 1)),
    { special: true },
  ),
  row(
    '010000 1 0000000000000000000 000001',
    'tlbr',
    system('tlbr', (_, b, site) => {
      // it changes EntryHi.ASID
      leaveIf(b, b.helper('mips_tlbr', b.i32(site.next)));
    }),
  ),
  row(
    '010000 1 0000000000000000000 000010',
    'tlbwi',
    system('tlbwi', (_, b, site) => leaveIf(b, b.helper('mips_tlbwi', b.i32(site.next)))),
  ),
  row(
    '010000 1 0000000000000000000 000110',
    'tlbwr',
    system('tlbwr', (_, b, site) => leaveIf(b, b.helper('mips_tlbwr', b.i32(site.next)))),
  ),
  row(
    '010000 1 0000000000000000000 001000',
    'tlbp',
    system('tlbp', (_, b) => void b.helper('mips_tlbp')),
  ),
  row(
    '010000 1 0000000000000000000 011000',
    'eret',
    system('eret', (_, b, site) => {
      b.helper('mips_eret');
      b.exit(ExitKind.Resume, site.pc);
    }),
  ),
  // without EJTAG there is no debug mode to return from
  row(
    '010000 1 0000000000000000000 011111',
    'deret',
    system('deret', (_, b, site) => reserved(b, site)),
  ),
  row(
    '010000 1 kkkkkkkkkkkkkkkkkkk 100000',
    'wait $k',
    system('wait', (_, b, site) => b.exit(ExitKind.Halt, site.next)),
  ),
  // MIPS virtualization module, MD00846
  row(
    '010000 1 0000 kkkkkkkkkk 00000 101000',
    'hypcall $k',
    system('hypcall', (_, b, site) => {
      b.exitIf(b.helper('mips_hypercall', b.i32(site.next)), ExitKind.Hypercall);
      goOn(b, site);
    }),
  ),
  // caches are coherent and cannot be seen
  row(
    '101111 sssss hhhhh iiiiiiiiiiiiiiii',
    'cache $h,$i($s)',
    system('cache', () => {}),
  ),
]);
