/* Reads what lies above the lowest 64 KiB over and over, then on down to where nothing is. Without a C library. */
static volatile int sum;

__attribute__((noinline)) static void down(unsigned from, unsigned to) {
  for (unsigned address = from; address > to; address -= 16) sum += *(volatile int *)address;
}

void __start(void) __attribute__((alias("_start")));
void _start(void) {
  for (int round = 0; round < 700; round++) down(0x100000, 0x10000);
  down(0x100000, 0);
  for (;;);
}
