// The block that is lowered, as it lies in memory.
import { BlockInput, HelperFlag, HelperRow, Ir, Kind, OpRow } from '../shared/lowering';

export function input(word: BlockInput): u32 {
  return load<u32>(Ir.INPUT + word);
}
export function opcode(v: u32): u32 {
  return load<u16>(Ir.OPCODES + (v << 1));
}
export function operandA(v: u32): u32 {
  return load<u32>(Ir.A + (v << 2));
}
export function operandB(v: u32): u32 {
  return load<u32>(Ir.B + (v << 2));
}
export function operandC(v: u32): u32 {
  return load<u32>(Ir.C + (v << 2));
}
export function operandD(v: u32): u32 {
  return load<u32>(Ir.D + (v << 2));
}

export function setOperands(v: u32, b: u32, c: u32, d: u32): void {
  store<u32>(Ir.B + (v << 2), b);
  store<u32>(Ir.C + (v << 2), c);
  store<u32>(Ir.D + (v << 2), d);
}

/** The row of an op number. */
export function rowOf(number: u32): usize {
  return Ir.OPS + number * OpRow.SIZE;
}
export function row(v: u32): usize {
  return rowOf(opcode(v));
}
export function kindOf(v: u32): u32 {
  return load<u8>(row(v), OpRow.KIND);
}
export function helperRow(number: u32): usize {
  return Ir.HELPERS + number * HelperRow.SIZE;
}
export function helperHas(helper: usize, flag: HelperFlag): bool {
  return (load<u8>(helper, HelperRow.FLAGS) & flag) !== 0;
}
export function isConst32(v: u32): bool {
  return kindOf(v) === Kind.Const32;
}
/** Of the value. */
export function valueBytes(v: u32): u32 {
  const info = row(v);
  return load<u8>(info, OpRow.KIND) === Kind.Helper ? load<u8>(helperRow(operandA(v)), HelperRow.BYTES) : load<u8>(info, OpRow.BYTES);
}
/** Bytes of state that a get or set touches. */
export function stateBytes(v: u32): u32 {
  const bytes: u32 = load<u8>(row(v), OpRow.BYTES);
  return bytes !== 0 ? bytes : valueBytes(operandB(v));
}
