/* Doubly recursive Fibonacci: nothing but calls. fib(32) makes 7,049,155 of them. */
#include "guest.h"

PROGRAM("fib", 34);

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static u32 fib(u32 n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

u32 run(u32 size) { return fib(size); }
