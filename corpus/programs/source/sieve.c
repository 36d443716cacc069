/* Sieve of Eratosthenes below a million, `size` times: byte stores in short loops. */
#include "guest.h"

PROGRAM("sieve", 30);

enum { LIMIT = 1000000 };
static u8 composite[LIMIT];

static u32 count_primes(void) {
  for (u32 i = 0; i < LIMIT; i++) composite[i] = 0;
  u32 count = 0;
  for (u32 i = 2; i < LIMIT; i++) {
    if (composite[i]) continue;
    count++;
    for (u32 multiple = i + i; multiple < LIMIT; multiple += i) composite[multiple] = 1;
  }
  return count;
}

u32 run(u32 size) {
  u32 sum = 0;
  while (size-- > 0) sum += count_primes();
  return sum;
}
