/**
 * As Array.map, which gives the engine arrays of one kind or another as it is interpreted or optimised itself: what goes over them is then
 * optimised for each.
 */
export function mapped<T, U>(list: readonly T[], f: (item: T, i: number) => U): U[] {
  const out: U[] = [];
  for (const item of list) out.push(f(item, out.length));
  return out;
}
