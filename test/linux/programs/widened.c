/*
 * A function that is translated together with its caller, and later goes where it did not go before. Ends by reading where
 * nothing is. Without a C library.
 */
static volatile unsigned sum;

__attribute__((noinline)) static unsigned work(unsigned kind, unsigned x) {
  switch (kind) {
    case 0: return x * 5 + sum;
    case 1: return x * 3 - sum;
    case 2: return x ^ 0x5555;
    case 3: return sum - 7 * x;
    case 4: return x << 3;
    case 5: return ~x + sum;
    case 6: return (x >> 1) ^ sum;
    default: return x | 1;
  }
}

void __start(void) __attribute__((alias("_start")));
void _start(void) {
  for (unsigned round = 0; round < 8000000; round++) sum = work(round / 1000000, round);
  *(volatile int *)16;
  for (;;);
}
