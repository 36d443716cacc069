/*
 * All that the corpus programs share: a start, two system calls and printing. Freestanding: no libc, no libgcc, so
 * nothing here may divide or shift 64-bit integers by variables.
 */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

/* Each program defines what it computes; `size` is its first argument or the default it declares. */
extern const char *const program_name;
extern const u32 default_size;
u32 run(u32 size);

#if defined(__mips__)

__asm__(".text\n"
        ".globl __start\n"
        ".ent __start\n"
        "__start:\n"
        ".set push\n"
        ".set noreorder\n"
        "  move $4, $29\n"
        "  move $31, $0\n"
        "  li $8, -16\n"
        "  and $29, $29, $8\n"
        "  jal start_c\n"
        "  addiu $29, $29, -16\n"
        ".set pop\n"
        ".end __start\n");

static inline i32 syscall3(i32 number, i32 a, i32 b, i32 c) {
  register i32 v0 __asm__("$2") = number;
  register i32 a0 __asm__("$4") = a;
  register i32 a1 __asm__("$5") = b;
  register i32 a2 __asm__("$6") = c;
  register i32 a3 __asm__("$7");
  __asm__ volatile("syscall"
                   : "+r"(v0), "=r"(a3)
                   : "r"(a0), "r"(a1), "r"(a2)
                   : "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
  return a3 ? -v0 : v0;
}
#define SYS_WRITE 4004
#define SYS_EXIT_GROUP 4246

#elif defined(__i386__)

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "  xorl %ebp, %ebp\n"
        "  movl %esp, %eax\n"
        "  andl $-16, %esp\n"
        "  subl $12, %esp\n"
        "  pushl %eax\n"
        "  call start_c\n"
        "  hlt\n");

static inline i32 syscall3(i32 number, i32 a, i32 b, i32 c) {
  i32 result;
  __asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}
#define SYS_WRITE 4
#define SYS_EXIT_GROUP 252

#elif defined(__wasm__)

/* Not a guest: `bench` compiles the same source to WebAssembly, and calls start_c. */
__attribute__((import_module("host"), import_name("write"))) i32 host_write(i32 bytes, i32 length);
__attribute__((import_module("host"), import_name("exit"), noreturn)) void host_exit(i32 code);

#define SYS_WRITE 1
#define SYS_EXIT_GROUP 2

static inline i32 syscall3(i32 number, i32 a, i32 b, i32 c) {
  if (number == SYS_WRITE) return host_write(b, c);
  host_exit(a);
}

#else
#error "no start for this processor"
#endif

static inline void print_bytes(const char *bytes, u32 length) {
  while (length > 0) {
    i32 written = syscall3(SYS_WRITE, 1, (i32)bytes, (i32)length);
    if (written <= 0) return;
    bytes += written;
    length -= (u32)written;
  }
}

static inline u32 text_length(const char *text) {
  u32 n = 0;
  while (text[n]) n++;
  return n;
}

static inline void print(const char *text) { print_bytes(text, text_length(text)); }

static inline void print_decimal(u32 value) {
  char digits[10];
  u32 at = 10;
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  print_bytes(digits + at, 10 - at);
}

static inline void print_hex(u32 value) {
  char digits[8];
  for (u32 i = 0; i < 8; i++) {
    digits[7 - i] = "0123456789abcdef"[value & 15];
    value >>= 4;
  }
  print_bytes(digits, 8);
}

/* A finite number of magnitude below 2^31, with nine digits after the point. */
static inline void print_double(double value) {
  if (value < 0) {
    print("-");
    value = -value;
  }
  i32 whole = (i32)value;
  i32 fraction = (i32)((value - whole) * 1e9 + 0.5);
  if (fraction >= 1000000000) {
    fraction -= 1000000000;
    whole++;
  }
  print_decimal((u32)whole);
  char digits[10];
  digits[0] = '.';
  for (u32 i = 9; i > 0; i--) {
    digits[i] = (char)('0' + fraction % 10);
    fraction /= 10;
  }
  print_bytes(digits, 10);
}

/* The linear congruential generator of Numerical Recipes; deterministic on every processor. */
static inline u32 next_random(u32 *state) { return *state = *state * 1664525u + 1013904223u; }

/* Prints `name size checksum`; the argument vector lies at `stack` as the ABI says: argc, then argv. */
__attribute__((noreturn, used)) void start_c(const i32 *stack) {
  u32 size = default_size;
  if (stack[0] > 1) {
    size = 0;
    for (const char *p = (const char *)stack[2]; *p >= '0' && *p <= '9'; p++) size = size * 10 + (u32)(*p - '0');
  }
  print(program_name);
  print(" ");
  print_decimal(size);
  print(": ");
  u32 checksum = run(size);
  print_hex(checksum);
  print("\n");
  for (;;) syscall3(SYS_EXIT_GROUP, 0, 0, 0);
}

#define PROGRAM(name, size)             \
  const char *const program_name = name; \
  const u32 default_size = size

#endif
