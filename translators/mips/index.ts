import { Exactness } from '../../assembly/shared/float-limit.ts';
import { Type } from '../../src/ir/ops.ts';
import type { Helper, Isa, Register } from '../../src/isa/isa.ts';
import { ABI } from './abi.ts';
import { floatHelpers } from './float.ts';
import { makeDisassemble, makeLift } from './lift.ts';
import { makeTemplates } from './open.ts';
import { GPR_NAMES } from './row.ts';
import { ROWS } from './rows.ts';
import { Mips, Mode } from './state.ts';
import { makeSystem, systemHelpers, systemRegisters } from './system/index.ts';

const word = (name: string, offset: number, visible = true): Register => ({ name, offset, type: Type.I32, local: true, visible });

const registers: readonly Register[] = [
  ...GPR_NAMES.slice(1).map((name, i) => word(name, Mips.GPR + 4 * (i + 1))),
  { name: 'hilo', offset: Mips.HILO, type: Type.I64, local: true, visible: true },
  word('userlocal', Mips.USER_LOCAL),
  { name: 'mode', offset: Mips.MODE, type: Type.I32, local: false, visible: false },
  word('llbit', Mips.LLBIT, false),
  word('lladdr', Mips.LLADDR, false),
  ...Array.from({ length: 8 }, (_, n) => word(`fcc${n}`, Mips.FCC + 4 * n)),
  word('last', Mips.LAST, false),
  ...[0, 1, 2].flatMap((n): Register[] => [
    { name: `last.s${n}`, offset: Mips.LAST_S + 4 * n, type: Type.F32, local: true, visible: false },
    { name: `last.d${n}`, offset: Mips.LAST_D + 8 * n, type: Type.F64, local: true, visible: false },
  ]),
  // accessed as words, singles and doubles
  ...Array.from({ length: 32 }, (_, i): Register[] => [
    { name: `f${i}`, offset: Mips.FPR + 8 * i, type: Type.I32, local: false, visible: true, mixed: true },
    { name: `f${i}.high`, offset: Mips.FPR + 8 * i + 4, type: Type.I32, local: false, visible: true },
  ]).flat(),
  ...systemRegisters,
];

const helpers: readonly Helper[] = [
  // (address, bytes): records what SYNCI declared changed
  { name: 'mips_synci', params: [Type.I32, Type.I32], result: Type.None, state: false, pure: false },
  // what RDHWR CC reads
  { name: 'mips_cycles', params: [], result: Type.I32, state: true, pure: false },
  ...floatHelpers,
  ...systemHelpers,
];

const makeIsa = (name: string, endian: 'big' | 'little'): Isa => ({
  name,
  endian,
  registers,
  stateSize: Mips.SIZE,
  helpers,
  stackPointer: ABI.stackPointer,
  coherentCode: false,
  alignedAccess: true,
  mode: Mips.MODE,
  bounded: [[Mips.MODE, Mode.FR | Mode.NAN2008 | Mode.ALIGNED]],
  lift: makeLift(endian === 'big'),
  templates: makeTemplates(endian === 'big'),
  disassemble: makeDisassemble(endian === 'big'),
  reset(state) {
    for (let offset = 0; offset < Mips.SIZE; offset += 4) state.setInt32(offset, 0, true);
    state.setInt32(Mips.EXACT, Exactness.FLAG, true);
  },
  system: makeSystem(endian === 'big', registers),
});

/** MIPS32 release 2, big-endian. */
export const mips: Isa = makeIsa('mips', 'big');
/** MIPS32 release 2, little-endian. */
export const mipsel: Isa = makeIsa('mipsel', 'little');

/** The implemented instructions, in the order of the rows: assembly text and group. */
export const instructions: readonly { readonly text: string; readonly group: string }[] = ROWS.map(({ text, group }) => ({ text, group }));
