import { Kind, OpRow } from '../../../assembly/shared/lowering.ts';
import * as shared from '../../../assembly/shared/uop.ts';
import { OPS, TYPE_SIZES, VALUE_MASKS } from '../../ir/ops.ts';

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
const SWAPPED: Readonly<Record<string, string>> = { gt: 'lt', gt_s: 'lt_s', gt_u: 'lt_u', ge: 'le', ge_s: 'le_s', ge_u: 'le_u' };
const COMPARISONS = new Set(['eq', 'ne', 'lt_s', 'lt_u', 'le_s', 'le_u']);

/** Type and operation of an op's name; both are the name where it has no dot. */
const parts = (name: string): readonly [type: string, what: string] => {
  const dot = name.indexOf('.');
  return dot < 0 ? [name, name] : [name.slice(0, dot), name.slice(dot + 1)];
};
const isScalar = (type: string): boolean => type === 'i32' || type === 'i64' || type === 'f32' || type === 'f64';

function kindOf(type: string, what: string): Kind {
  switch (type) {
    case 'get':
      return Kind.Get;
    case 'set':
      return Kind.Set;
    case 'select':
      return Kind.Select;
    case 'helper':
      return Kind.Helper;
    case 'exit':
      return Kind.ExitIf;
    case 'slow':
      return Kind.Slow;
    case 'insn':
      return Kind.Insn;
  }
  if (what === 'const') return type === 'v128' ? Kind.Const128 : type === 'i64' || type === 'f64' ? Kind.Const64 : Kind.Const32;
  if (what === 'shuffle') return Kind.Shuffle;
  if (what.startsWith('load')) return Kind.Load;
  if (what.startsWith('store')) return Kind.Store;
  if (what.startsWith('extract_lane')) return Kind.ExtractLane;
  if (what.startsWith('replace_lane')) return Kind.ReplaceLane;
  return Kind.Plain;
}

function memoryUop(what: string, bytes: number, bigEndian: boolean, checked: boolean): number {
  const sign = what.endsWith('_s') ? '_S' : what.endsWith('_u') ? '_U' : '';
  const order = bigEndian && bytes > 1 ? '_BE' : '';
  return uop(`${what.startsWith('load') ? 'LOAD' : 'STORE'}${bytes * 8}${sign}${order}${checked ? '_CHECKED' : ''}`);
}

/** The rows of Ir.OPS, by IR op number. */
export function opRows(): Uint8Array {
  const rows = new Uint8Array(OPS.length * OpRow.SIZE);
  const view = new DataView(rows.buffer);
  OPS.forEach(({ name, bytes, operands, pure, result }, n) => {
    const row = n * OpRow.SIZE;
    const put = (field: OpRow, number: number): void => view.setUint16(row + field, number, true);
    const [type, what] = parts(name);
    const kind = kindOf(type, what);
    rows[row + OpRow.KIND] = kind;
    rows[row + OpRow.OPERANDS] = operands.length;
    rows[row + OpRow.VALUES] = VALUE_MASKS[n];
    rows[row + OpRow.PURE] = Number(pure);
    rows[row + OpRow.BYTES] = TYPE_SIZES[result];
    switch (kind) {
      case Kind.Load:
      case Kind.Store:
        for (let variant = 0; variant < 4; variant++)
          put(OpRow.MEMORY + 2 * variant, memoryUop(what, bytes, variant >= 2, (variant & 1) === 1));
        break;
      case Kind.ExtractLane:
        rows[row + OpRow.LANE_BYTES] = type.endsWith('32x4') ? 4 : type.endsWith('64x2') ? 8 : 0;
        break;
    }
    const swapped = isScalar(type) ? SWAPPED[what] : undefined;
    if (swapped) rows[row + OpRow.SWAP] = 1;
    if (kind === Kind.Plain || kind === Kind.Select || kind === Kind.ExtractLane || kind === Kind.ReplaceLane || kind === Kind.Shuffle)
      put(OpRow.UOP, uop(SAME[name] ?? irName(swapped ? `${type}.${swapped}` : name)));
    if (type !== 'i32') return;
    put(OpRow.UOP_IMM, UOPS[`${irName(name)}_IMM`] ?? 0);
    if (what === 'eqz') put(OpRow.BRANCH, uop('BRANCH_Z'));
    else if (COMPARISONS.has(swapped ?? what)) put(OpRow.BRANCH, uop(`BRANCH_${(swapped ?? what).toUpperCase()}`));
  });
  return rows;
}
