import * as shared from '../../../assembly/shared/uop.ts';
import { OPS } from '../../ir/ops.ts';

type Uops = Readonly<Record<string, number>>;
/** µop numbers by name. */
const UOPS = (shared as unknown as { readonly Uop: Uops }).Uop;

function uop(name: string): number {
  const number = UOPS[name];
  if (number === undefined) throw new Error(`there is no µop ${name}`);
  return number;
}
/** Name of a µop number. Where two names share a number, the operation's comes last in the enum and wins. */
export const nameOf = (number: number): string => (UOPS as unknown as Readonly<Record<number, string>>)[number] ?? `µop ${number}`;

const irName = (name: string): string => name.toUpperCase().replace('.', '_');

/** How an IR op becomes µops. */
export const enum Kind {
  /** number d a b */
  Plain,
  Const32,
  Const64,
  Const128,
  Get,
  Set,
  Load,
  Store,
  Select,
  ExtractLane,
  ReplaceLane,
  Shuffle,
  Helper,
  ExitIf,
  Insn,
}

/** Ops that another µop does as well. Slots are bits in memory, so a reinterpretation is a move. */
const SAME: Readonly<Record<string, string>> = {
  'i32.wrap_i64': 'MOVE32',
  'i32.reinterpret_f32': 'MOVE32',
  'f32.reinterpret_i32': 'MOVE32',
  'i64.reinterpret_f64': 'MOVE64',
  'f64.reinterpret_i64': 'MOVE64',
  'i64.extend32_s': 'I64_EXTEND_I32_S',
  'select.i32': 'SELECT32',
  'select.f32': 'SELECT32',
  'select.i64': 'SELECT64',
  'select.f64': 'SELECT64',
  'select.v128': 'SELECT128',
  'i32x4.extract_lane': 'MOVE32',
  'f32x4.extract_lane': 'MOVE32',
  'i64x2.extract_lane': 'MOVE64',
  'f64x2.extract_lane': 'MOVE64',
  'f32x4.replace_lane': 'I32X4_REPLACE_LANE',
  'f64x2.replace_lane': 'I64X2_REPLACE_LANE',
};

/** Comparisons that are others with the operands swapped. */
const SWAPPED = /^([if](?:32|64)\.)(gt|ge)(_[su])?$/;

function kindOf(name: string): Kind {
  if (/^(i32|f32)\.const$/.test(name)) return Kind.Const32;
  if (/^(i64|f64)\.const$/.test(name)) return Kind.Const64;
  if (name === 'v128.const') return Kind.Const128;
  if (name.startsWith('get.')) return Kind.Get;
  if (name.startsWith('set.')) return Kind.Set;
  if (name.startsWith('select.')) return Kind.Select;
  if (name.includes('.load')) return Kind.Load;
  if (name.includes('.store')) return Kind.Store;
  if (name.includes('.extract_lane')) return Kind.ExtractLane;
  if (name.includes('.replace_lane')) return Kind.ReplaceLane;
  if (name.includes('.shuffle')) return Kind.Shuffle;
  if (name === 'helper') return Kind.Helper;
  if (name === 'exit.if') return Kind.ExitIf;
  if (name === 'insn') return Kind.Insn;
  return Kind.Plain;
}

function memoryUop(name: string, bytes: number, bigEndian: boolean, checked: boolean): number {
  const what = name.includes('.load') ? 'LOAD' : 'STORE';
  const sign = /_([su])$/.exec(name)?.[1].toUpperCase();
  const order = bigEndian && bytes > 1 ? '_BE' : '';
  return uop(`${what}${bytes * 8}${sign ? `_${sign}` : ''}${order}${checked ? '_CHECKED' : ''}`);
}

/** By IR op number. */
export const KIND = Uint8Array.from(OPS, ({ name }) => kindOf(name));
export const SWAP = Uint8Array.from(OPS, ({ name }) => Number(SWAPPED.test(name)));
/** The µop, without loads, stores, constants and what becomes no µop. */
export const UOP = Uint16Array.from(OPS, ({ name }) => {
  switch (kindOf(name)) {
    case Kind.Plain:
    case Kind.Select:
    case Kind.ExtractLane:
    case Kind.ReplaceLane:
    case Kind.Shuffle:
      return uop(SAME[name] ?? irName(name.replace(SWAPPED, (_, type, what, sign = '') => `${type}${what === 'gt' ? 'lt' : 'le'}${sign}`)));
    default:
      return 0;
  }
});
/** The form with a 32-bit immediate as right operand, 0 if there is none. */
export const UOP_IMM = Uint16Array.from(OPS, ({ name }) => (/^i32\.[a-z]/.test(name) ? (UOPS[`${irName(name)}_IMM`] ?? 0) : 0));
/** The terminator that branches on this comparison (after SWAP), 0 if there is none. */
export const BRANCH = Uint16Array.from(OPS, ({ name }, number) => {
  if (name === 'i32.eqz') return uop('BRANCH_Z');
  if (!/^i32\.(eq|ne|[lg][te]_[su])$/.test(name)) return 0;
  const plain = Object.keys(UOPS).find((key) => UOPS[key] === UOP[number] && key.startsWith('I32_'));
  return uop(plain!.replace('I32_', 'BRANCH_'));
});
/** Loads and stores, by IR op number * 4 + big-endian * 2 + checked. */
export const MEMORY = Uint16Array.from(
  OPS.flatMap(({ name, bytes, memory }) =>
    [0, 1, 2, 3].map((variant) => (memory ? memoryUop(name, bytes, variant >= 2, (variant & 1) === 1) : 0)),
  ),
);
/** Bytes of an ExtractLane's lane that a move reads at its place in the slot; 0 if the µop takes the lane number. */
export const LANE_BYTES = Uint8Array.from(OPS, ({ name }) =>
  /^[if]32x4\.extract/.test(name) ? 4 : /^[if]64x2\.extract/.test(name) ? 8 : 0,
);
/** Moves by size of the type. */
export const MOVE = (bytes: number): number => uop(`MOVE${bytes * 8}`);
