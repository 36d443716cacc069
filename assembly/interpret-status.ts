// What the µops STATUS_ADD … write: CF, ZF, SF, PF, AF and OF, a word each, as translators/x86/flags.ts has them.

// @ts-ignore: decorator
@inline
function put(ip: usize, value: i32, sign: i32, adjust: i32, overflow: i32): void {
  const at = <usize>load<u16>(ip, 2);
  store<i32>(at, value, 4);
  store<i32>(at, sign, 8);
  store<i32>(at, value, 12);
  store<i32>(at, adjust, 16);
  store<i32>(at, overflow, 20);
}
// @ts-ignore: decorator
@inline
function putCarry(ip: usize, carry: bool): void {
  store<i32>(load<u16>(ip, 2), i32(carry));
}

/** Of a sum to which `y` was added. */
// @ts-ignore: decorator
@inline
export function putSum(ip: usize, sum: i32, y: i32, carries: bool): void {
  const mixed = (sum - y) ^ sum;
  if (carries) putCarry(ip, <u32>sum < <u32>y);
  put(ip, sum, sum, mixed ^ y, mixed & (y ^ sum));
}

/** Of x − y, numbers of 32 − `shift` bits. */
// @ts-ignore: decorator
@inline
export function putDifference(ip: usize, x: i32, y: i32, shift: i32, carries: bool): void {
  const difference = x - y;
  const operands = x ^ y;
  const sign = difference << shift;
  if (carries) putCarry(ip, <u32>x < <u32>y);
  put(ip, sign >>> shift, sign, operands ^ difference, (operands & (x ^ difference)) << shift);
}

/** Of the result of a logical operation; `sign`: it with its sign in bit 31. */
// @ts-ignore: decorator
@inline
export function putLogic(ip: usize, result: i32, sign: i32): void {
  const at = <usize>load<u16>(ip, 2);
  store<i32>(at, 0);
  store<i32>(at, result, 4);
  store<i32>(at, sign, 8);
  store<i32>(at, result, 12);
  store<i64>(at, 0, 16);
}
