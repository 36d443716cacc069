import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { ExcCode } from '../abi.ts';
import { reserved } from '../exception.ts';
import { DOUBLE, FORMATS, fpr, highWord, longOnly, pairs, SINGLE, setFpr, setWord, wide, word } from '../float.ts';
import { checkAligned, gpr, group, type Site, setGpr } from '../row.ts';
import { condition } from './branch.ts';
import { address } from './memory.ts';

/** FIR, FCCR, FEXR, FENR and FCSR. */
const CONTROL_REGISTERS = [0, 25, 26, 28, 31];

const F32_LOAD = op('f32.load');
const F64_LOAD = op('f64.load');
const F32_STORE = op('f32.store');
const F64_STORE = op('f64.store');

export const floatMove = group('floating-point load, store and move', (row) => {
  const indexed = (b: Builder, base: number, index: number): Value => b.add(gpr(b, base), gpr(b, index));
  /** LUXC1, SUXC1 ignore the address's low three bits. */
  const aligned = (b: Builder, base: number, index: number): Value => b.and(indexed(b, base, index), b.i32(-8));
  const load32 = (b: Builder, site: Site, register: number, at: Value): void => {
    checkAligned(b, site, at, 4, false);
    setFpr(b, site, SINGLE, register, b.load(F32_LOAD, at, site.bigEndian));
  };
  const load64 = (b: Builder, site: Site, register: number, at: Value): void => {
    checkAligned(b, site, at, 8, false);
    setFpr(b, site, DOUBLE, register, b.load(F64_LOAD, at, site.bigEndian));
  };
  const store32 = (b: Builder, site: Site, register: number, at: Value): void => {
    checkAligned(b, site, at, 4, true);
    b.store(F32_STORE, at, fpr(b, site, SINGLE, register), site.bigEndian);
  };
  const store64 = (b: Builder, site: Site, register: number, at: Value): void => {
    checkAligned(b, site, at, 8, true);
    b.store(F64_STORE, at, fpr(b, site, DOUBLE, register), site.bigEndian);
  };
  return [
    row('010001 00000 ttttt SSSSS 00000 000000', 'mfc1 $t,$S', ({ t, S }, b, site) => setGpr(b, t, word(b, site, S))),
    row('010001 00100 ttttt SSSSS 00000 000000', 'mtc1 $t,$S', ({ t, S }, b, site) => setWord(b, site, S, gpr(b, t))),
    row('010001 00011 ttttt SSSSS 00000 000000', 'mfhc1 $t,$S', ({ t, S }, b, site) => setGpr(b, t, b.get(Type.I32, highWord(site, S)))),
    row('010001 00111 ttttt SSSSS 00000 000000', 'mthc1 $t,$S', ({ t, S }, b, site) => b.set(highWord(site, S), gpr(b, t))),
    row('010001 00010 ttttt fffff 00000 000000', 'cfc1 $t,$f', ({ t, f }, b, site) => {
      if (!CONTROL_REGISTERS.includes(f)) return reserved(b, site);
      setGpr(b, t, b.helper('mips_cfc1', b.i32(f)));
    }),
    row('010001 00110 ttttt fffff 00000 000000', 'ctc1 $t,$f', ({ t, f }, b, site) => {
      if (!CONTROL_REGISTERS.includes(f)) return reserved(b, site);
      b.exitIf(b.helper('mips_ctc1', b.i32(f), gpr(b, t)), ExitKind.Exception, ExcCode.FPE);
    }),

    row('110001 sssss TTTTT iiiiiiiiiiiiiiii', 'lwc1 $T,$i($s)', ({ s, T }, b, site) => load32(b, site, T, address(b, site, s))),
    row('111001 sssss TTTTT iiiiiiiiiiiiiiii', 'swc1 $T,$i($s)', ({ s, T }, b, site) => store32(b, site, T, address(b, site, s))),
    row(
      '110101 sssss TTTTT iiiiiiiiiiiiiiii',
      'ldc1 $T,$i($s)',
      pairs('T', ({ s, T }, b, site) => load64(b, site, T, address(b, site, s))),
    ),
    row(
      '111101 sssss TTTTT iiiiiiiiiiiiiiii',
      'sdc1 $T,$i($s)',
      pairs('T', ({ s, T }, b, site) => store64(b, site, T, address(b, site, s))),
    ),
    row('010011 sssss ttttt 00000 DDDDD 000000', 'lwxc1 $D,$t($s)', ({ s, t, D }, b, site) => load32(b, site, D, indexed(b, s, t))),
    row(
      '010011 sssss ttttt 00000 DDDDD 000001',
      'ldxc1 $D,$t($s)',
      pairs('D', ({ s, t, D }, b, site) => load64(b, site, D, indexed(b, s, t))),
    ),
    row(
      '010011 sssss ttttt 00000 DDDDD 000101',
      'luxc1 $D,$t($s)',
      longOnly(({ s, t, D }, b, site) => load64(b, site, D, aligned(b, s, t))),
    ),
    row('010011 sssss ttttt SSSSS 00000 001000', 'swxc1 $S,$t($s)', ({ s, t, S }, b, site) => store32(b, site, S, indexed(b, s, t))),
    row(
      '010011 sssss ttttt SSSSS 00000 001001',
      'sdxc1 $S,$t($s)',
      pairs('S', ({ s, t, S }, b, site) => store64(b, site, S, indexed(b, s, t))),
    ),
    row(
      '010011 sssss ttttt SSSSS 00000 001101',
      'suxc1 $S,$t($s)',
      longOnly(({ s, t, S }, b, site) => store64(b, site, S, aligned(b, s, t))),
    ),

    row('000000 sssss NNN 00 ddddd 00000 000001', 'movf $d,$s,$N', ({ s, N, d }, b) =>
      setGpr(b, d, b.select(condition(b, N), gpr(b, d), gpr(b, s))),
    ),
    row('000000 sssss NNN 01 ddddd 00000 000001', 'movt $d,$s,$N', ({ s, N, d }, b) =>
      setGpr(b, d, b.select(condition(b, N), gpr(b, s), gpr(b, d))),
    ),
    ...FORMATS.flatMap((format) => {
      const { fmt, suffix } = format;
      const get = (b: Builder, site: Site, register: number): Value => fpr(b, site, format, register);
      const set = (b: Builder, site: Site, register: number, value: Value): void => setFpr(b, site, format, register, value);
      return [
        row(
          `010001 ${fmt} 00000 SSSSS DDDDD 000110`,
          `mov.${suffix} $D,$S`,
          pairs(wide(format, 'SD'), ({ S, D }, b, site) => set(b, site, D, get(b, site, S))),
        ),
        row(
          `010001 ${fmt} NNN 00 SSSSS DDDDD 010001`,
          `movf.${suffix} $D,$S,$N`,
          pairs(wide(format, 'SD'), ({ S, D, N }, b, site) => set(b, site, D, b.select(condition(b, N), get(b, site, D), get(b, site, S)))),
        ),
        row(
          `010001 ${fmt} NNN 01 SSSSS DDDDD 010001`,
          `movt.${suffix} $D,$S,$N`,
          pairs(wide(format, 'SD'), ({ S, D, N }, b, site) => set(b, site, D, b.select(condition(b, N), get(b, site, S), get(b, site, D)))),
        ),
        row(
          `010001 ${fmt} ttttt SSSSS DDDDD 010010`,
          `movz.${suffix} $D,$S,$t`,
          pairs(wide(format, 'SD'), ({ S, D, t }, b, site) => set(b, site, D, b.select(gpr(b, t), get(b, site, D), get(b, site, S)))),
        ),
        row(
          `010001 ${fmt} ttttt SSSSS DDDDD 010011`,
          `movn.${suffix} $D,$S,$t`,
          pairs(wide(format, 'SD'), ({ S, D, t }, b, site) => set(b, site, D, b.select(gpr(b, t), get(b, site, S), get(b, site, D)))),
        ),
      ];
    }),
  ];
});
