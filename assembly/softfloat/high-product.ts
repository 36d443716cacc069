/** High half of the product. */
// @ts-ignore: decorator
@inline
export function highProduct(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const u = a1 * b0 + ((a0 * b0) >> 32);
  const v = a0 * b1 + (u & 0xffffffff);
  return a1 * b1 + (u >> 32) + (v >> 32);
}
