/*
 * Prints what operations make of NaNs, and FCSR after each: without a C library, for there is none for 2008 NaNs. Of legacy
 * quiet NaNs only the default one: others come out as they were, but not of qemu-user.
 */
typedef unsigned u32;
typedef unsigned long long u64;

static long call(long number, long a, long b, long c) {
  register long v0 __asm__("$2") = number;
  register long a0 __asm__("$4") = a;
  register long a1 __asm__("$5") = b;
  register long a2 __asm__("$6") = c;
  register long a3 __asm__("$7");
  __asm__ volatile("syscall"
                   : "+r"(v0), "=r"(a3)
                   : "r"(a0), "r"(a1), "r"(a2)
                   : "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
  return v0;
}

static void print(u32 high, u32 low, u32 fcsr) {
  char text[28];
  char *to = text;
  u32 words[] = {high, low, fcsr};
  for (int i = 0; i < 3; i++) {
    for (int shift = 28; shift >= 0; shift -= 4) *to++ = "0123456789abcdef"[words[i] >> shift & 15];
    *to++ = i < 2 ? ' ' : '\n';
  }
  call(4004, 1, (long)text, to - text);
}

#define OPERATE(text, format) \
  do { \
    __asm__ volatile("ctc1 $0, $31\n" text "\ncfc1 %1, $31" : "=f"(r), "=r"(fcsr) : "f"(x), "f"(y)); \
    u64 word = 0; \
    __builtin_memcpy(&word, &r, sizeof r); \
    print(word >> 32, word, fcsr); \
  } while (0)

static void doubles(u64 a, u64 b) {
  double x, y, r = 0;
  u32 fcsr;
  __builtin_memcpy(&x, &a, 8);
  __builtin_memcpy(&y, &b, 8);
  OPERATE("add.d %0, %2, %3", double);
  OPERATE("mul.d %0, %3, %2", double);
  OPERATE("sqrt.d %0, %2", double);
  OPERATE("cvt.s.d %0, %2", double);
  OPERATE("trunc.w.d %0, %2", double);
  OPERATE("floor.l.d %0, %2", double);
  OPERATE("mov.d %0, %2\nc.eq.d %2, %3", double);
  OPERATE("mov.d %0, %2\nc.lt.d %2, %3", double);
}

void __start(void) {
  static const u64 values[] = {
#ifdef __mips_nan2008
      0x7ff4000000000000,
#endif
      0x7ffc000000000000, 0xfff8000000000001, 0x7ff7ffffffffffff, 0x3ff8000000000000,
                               0xc3f0000000000000, 0xc1f0000000000000};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) doubles(values[i], 0x3ff0000000000000);
  call(4001, 0, 0, 0);
}
