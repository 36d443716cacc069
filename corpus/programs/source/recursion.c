/* Takeuchi's function and Ackermann's: calls with several arguments, and deep recursion. */
#include "guest.h"

PROGRAM("recursion", 10);

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static i32 tak(i32 x, i32 y, i32 z) {
  return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static u32 ackermann(u32 m, u32 n) {
  return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

u32 run(u32 size) {
  u32 checksum = ackermann(3, size);
  for (u32 i = 0; i < size; i++) checksum = checksum * 31 + (u32)tak(18, 12, 6);
  return checksum;
}
