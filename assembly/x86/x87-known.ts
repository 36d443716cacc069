/**
 * x87 instructions in code that is lifted for a top of the register stack (translators/x86/rows/x87-known.ts): registers are given by
 * physical number, every exception is masked and none is pending. They leave top and tags as they are, or as the code sets them
 * next; what is not usual goes the long way.
 */

import { x87_arithmetic, x87_arithmetic_f32, x87_arithmetic_f64, x87_push_f32, x87_push_f64 } from './x87';
import { Operation, quickArithmeticAt, quickLoadF32, quickLoadF64, quickTopF32, quickTopF64 } from './x87-quick';
import { physical } from './x87-stack';

/** ST(destination) op ST(source); `registers`: destination, source << 3. */
function slowArithmetic(operation: u32, registers: u32): void {
  const top = physical(0);
  x87_arithmetic(operation, ((registers - top) & 7) | ((((registers >> 3) - top) & 7) << 3), 0);
}
export function x87_known_add(registers: u32): void {
  if (!quickArithmeticAt(Operation.Add, registers & 7, registers >> 3)) slowArithmetic(Operation.Add, registers);
}
export function x87_known_mul(registers: u32): void {
  if (!quickArithmeticAt(Operation.Mul, registers & 7, registers >> 3)) slowArithmetic(Operation.Mul, registers);
}
export function x87_known_sub(registers: u32): void {
  if (!quickArithmeticAt(Operation.Sub, registers & 7, registers >> 3)) slowArithmetic(Operation.Sub, registers);
}
export function x87_known_subr(registers: u32): void {
  if (!quickArithmeticAt(Operation.Subr, registers & 7, registers >> 3)) slowArithmetic(Operation.Subr, registers);
}
export function x87_known_div(registers: u32): void {
  if (!quickArithmeticAt(Operation.Div, registers & 7, registers >> 3)) slowArithmetic(Operation.Div, registers);
}
export function x87_known_divr(registers: u32): void {
  if (!quickArithmeticAt(Operation.Divr, registers & 7, registers >> 3)) slowArithmetic(Operation.Divr, registers);
}
/** `what`: operation, top << 3. */
export function x87_known_arithmetic_f64(bits: u64, what: u32): void {
  if (!quickTopF64(bits, what & 7, what >> 3)) x87_arithmetic_f64(bits, what & 7);
}
export function x87_known_arithmetic_f32(bits: u32, what: u32): void {
  if (!quickTopF32(bits, what & 7, what >> 3)) x87_arithmetic_f32(bits, what & 7);
}
export function x87_known_push_f64(bits: u64, number: u32): void {
  if (!quickLoadF64(bits, number)) x87_push_f64(bits);
}
export function x87_known_push_f32(bits: u32, number: u32): void {
  if (!quickLoadF32(bits, number)) x87_push_f32(bits);
}
