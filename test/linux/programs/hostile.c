/* What a program can do wrong, one thing for each name: the way it ends is compared with Linux's. Without a C library, so that it is small. */
#include <alloca.h>
#include <linux/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>

static long call6(long number, long a, long b, long c, long d, long e, long f) {
#ifdef __mips__
  register long v0 __asm__("$2") = number, a0 __asm__("$4") = a, a1 __asm__("$5") = b, a2 __asm__("$6") = c, a3 __asm__("$7") = d;
  __asm__ volatile(
      ".set push\n.set noreorder\naddiu $29, $29, -32\nsw %5, 16($29)\nsw %6, 20($29)\nsyscall\naddiu $29, $29, 32\n.set pop"
      : "+r"(v0), "+r"(a3)
      : "r"(a0), "r"(a1), "r"(a2), "r"(e), "r"(f)
      : "memory", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo");
  return a3 ? -v0 : v0;
#else
  long args[] = {a, b, c, d, e, f}, *pointer = args, result;
  __asm__ volatile("pushl %%ebp\npushl %%ebx\nmovl (%%esi), %%ebx\nmovl 4(%%esi), %%ecx\nmovl 8(%%esi), %%edx\nmovl 16(%%esi), %%edi\n"
                   "movl 20(%%esi), %%ebp\nmovl 12(%%esi), %%esi\nint $0x80\npopl %%ebx\npopl %%ebp"
                   : "=a"(result), "+S"(pointer)
                   : "a"(number)
                   : "memory", "ecx", "edx", "edi", "cc");
  return result;
#endif
}
#define CALL(name, a, b, c) call6(__NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define MAP(address, flags) (void *)call6(__NR_mmap2, (long)(address), 8192, prot, MAP_PRIVATE | MAP_ANONYMOUS | (flags), -1, 0)

#define NOINLINE __attribute__((noinline))
typedef int (*Function)(void);
static volatile int sink;
NOINLINE static int quiet_zero(void) { return sink * 0; }
static void quit(int code) { CALL(exit_group, code, 0, 0); }

void *memset(void *to, int value, unsigned long n) {
  volatile char *p = to;
  while (n--) *p++ = value;
  return to;
}
void *memcpy(void *to, const void *from, unsigned long n) {
  volatile char *p = to;
  const char *q = from;
  while (n--) *p++ = *q++;
  return to;
}
static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}
static void print(const char *text) {
  int n = 0;
  while (text[n]) n++;
  CALL(write, 1, text, n);
}
static void number(int value) {
  char text[16];
  int at = 16;
  text[--at] = 0;
  text[--at] = '\n';
  do text[--at] = '0' + value % 10;
  while (value /= 10);
  print(text + at);
}
static int flush(void *p, long n) {
#ifdef __mips__
  return CALL(cacheflush, p, n, 3);
#else
  return 0;
#endif
}
static void mprotect(void *p, long n, int prot) { CALL(mprotect, p, n, prot); }

typedef struct {
  int signal, first, second, address;
} Info;
typedef void (*Handler)(int, Info *, void *);
static void handle(int signal, Handler handler, int flags) {
#ifdef __mips__
  long action[] = {flags | SA_SIGINFO, (long)handler, 0, 0, 0, 0};
#else
  long action[] = {(long)handler, flags | SA_SIGINFO, 0, 0, 0};
#endif
  call6(__NR_rt_sigaction, signal, (long)action, 0, sizeof action - (sizeof action == 24 ? 8 : 12), 0, 0);
}
static void read_at(unsigned a) { sink = *(volatile int *)a; }
static void write_at(unsigned a) { *(volatile int *)a = 1; }
static void call_at(unsigned a) { sink = ((Function)a)(); }

static NOINLINE int recurse(int n) { return n == -1 ? 0 : recurse(n + 1) + sink; }
static NOINLINE int recurse_large(int n) {
  volatile char frame[300000];
  memset((char *)frame, n, sizeof frame);
  return recurse_large(n + 1) + frame[n & 1023];
}
static NOINLINE int recurse_medium(int n) {
  volatile char frame[5000];
  frame[0] = n;
  frame[4999] = n;
  return recurse_medium(n + 1) + frame[n & 1023];
}
static NOINLINE int recurse_pointer(int n) {
  static int (*volatile self)(int) = recurse_pointer;
  volatile int frame[8];
  frame[n & 7] = n;
  return self(n + 1) + frame[0];
}
static void alloca_large(void) {
  volatile char *p = alloca(64 << 20 | quiet_zero());
  memset((char *)p, 1, 64 << 20);
  sink = p[5];
}
static void alloca_beyond(void) {
  volatile char *p = alloca(400 << 20 | quiet_zero());
  memset((char *)p, 1, 4096);
  sink = p[5];
}
static void alloca_loop(void) {
  for (;;) {
    volatile char *p = alloca(4096 | quiet_zero());
    *p = 1;
  }
}

static int data[1024] = {1};
static const int constant[] = {1, 2, 3};

static unsigned char *page(int prot) {
  void *p = MAP(0, 0);
  if ((unsigned long)p > -4096ul) quit(99);
  return p;
}

/* A function that returns n. */
static void emit(void *at, int n) {
#ifdef __mips__
  unsigned code[] = {0x03e00008, 0x24020000 | (n & 0xffff)};
  memcpy(at, code, sizeof code);
#else
  unsigned char code[] = {0xb8, n, n >> 8, n >> 16, n >> 24, 0xc3};
  memcpy(at, code, sizeof code);
#endif
  flush(at, 8);
}

static void executable_gone(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  emit(p, 7);
  int sum = 0;
  for (int i = 0; i < 200; i++) sum += ((Function)p)();
  number(sum);
  mprotect(p, 4096, PROT_READ);
  ((Function)p)();
}
static void unmapped_code(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  emit(p, 7);
  int sum = 0;
  for (int i = 0; i < 200; i++) sum += ((Function)p)();
  number(sum);
  CALL(munmap, p, 8192, 0);
  ((Function)p)();
}
/* Runs off the end of an executable page into one that is not. */
static void code_at_page_end(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE);
#ifdef __mips__
  unsigned code = 0x24020005;
#else
  unsigned code = 0xb8909090;
#endif
  memcpy(p + 4092, &code, 4);
  mprotect(p, 4096, PROT_READ | PROT_EXEC);
  flush(p, 4096);
  ((Function)(p + 4092))();
}

static void catch_signal(int signal, Info *info, void *context) {
  number(signal == SIGSEGV ? 11 : signal == SIGBUS ? 7 : signal);
  quit(3);
}
static void catch_code(int signal, Info *info, void *context) {
#ifdef __mips__
  number(info->first);
#else
  number(info->second);
#endif
  catch_signal(signal, info, context);
}
static void install(Handler handler, int flags) {
  static const int all[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (int i = 0; i < 5; i++) handle(all[i], handler, flags);
}
static void fault_again(int signal, Info *info, void *context) { read_at(0); }

static void *jump[5];
static volatile int caught;
static unsigned char *open_page;
static void jump_out(int signal, Info *info, void *context) {
  caught = signal == SIGSEGV ? 1 : 100;
  __builtin_longjmp(jump, 1);
}
static void open_up(int signal, Info *info, void *context) {
  caught++;
  mprotect((void *)(info->address & ~4095), 4096, PROT_READ | PROT_WRITE);
}

struct Case {
  const char *name;
  void (*run)(void);
};

#define CASE(name, statement) static void case_##name(void) { statement; }
CASE(null_read, read_at(0))
CASE(null_read_field, read_at(0x1234))
CASE(null_write, write_at(4))
CASE(null_call, call_at(0))
CASE(top_read, read_at(0xfffffffc))
CASE(top_write, write_at(0xfffffffc))
CASE(kernel_read, read_at(0xd0000000))
CASE(wild_jump, call_at(0x30000000))
CASE(data_jump, call_at((unsigned)data))
CASE(top_jump, call_at(0xfffffff0))
CASE(low_jump, call_at(0x100))
#ifdef __mips__
CASE(odd_jump, call_at((unsigned)quiet_zero + 1))
CASE(even_jump, call_at((unsigned)quiet_zero + 2))
CASE(odd_wild_jump, call_at(0x30000001))
CASE(illegal, __asm__ volatile(".word 0x70000038"))
CASE(illegal_slot, __asm__ volatile(".set noreorder\nb 1f\n.word 0x70000038\n1:\n.set reorder"))
CASE(fault_slot, __asm__ volatile(".set noreorder\nb 1f\nlw $2, 0($0)\n1:\n.set reorder" ::: "$2"))
CASE(break0, __asm__ volatile("break"))
CASE(break7, __asm__ volatile("break 7"))
CASE(break6, __asm__ volatile("break 6"))
CASE(trap, __asm__ volatile("teq $0, $0, 3"))
CASE(trap7, __asm__ volatile("teq $0, $0, 7"))
CASE(overflow, __asm__ volatile("li $2, 0x7fffffff\naddi $2, $2, 1" ::: "$2"))
CASE(privileged, __asm__ volatile("mfc0 $2, $12" ::: "$2"))
CASE(divide, sink = 5 / (sink * 0))
#else
CASE(illegal, __asm__ volatile("ud2"))
CASE(illegal_lock, __asm__ volatile(".byte 0xf0, 0x90"))
CASE(illegal_register, __asm__ volatile(".byte 0x8e, 0xc8"))
CASE(int3, __asm__ volatile("int3"))
CASE(int3_long, __asm__ volatile(".byte 0xcd, 3"))
CASE(icebp, __asm__ volatile(".byte 0xf1"))
CASE(into, __asm__ volatile("movb $0x7f, %%al\nincb %%al\ninto" ::: "eax"))
CASE(bound, __asm__ volatile("movl $5, %%eax\nbound %%eax, %0" :: "m"(*(long long *)&constant[0]) : "eax"))
CASE(int_other, __asm__ volatile("int $0x20"))
CASE(hlt, __asm__ volatile("hlt"))
CASE(cli, __asm__ volatile("cli"))
CASE(in, __asm__ volatile("inb $0x60, %%al" ::: "eax"))
CASE(outs, __asm__ volatile("movl $0x60, %%edx\nouts %%ds:(%%esi), %%dx" ::: "edx", "esi"))
CASE(privileged, __asm__ volatile("mov %%cr0, %%eax" ::: "eax"))
CASE(rdmsr, __asm__ volatile("rdmsr" ::: "eax", "edx"))
CASE(lidt, __asm__ volatile("lidt (%esp)"))
CASE(divide, sink = 5 / (sink * 0))
CASE(divide_overflow, __asm__ volatile("movl $0x80000000, %%eax\ncltd\nmovl $-1, %%ecx\nidivl %%ecx" ::: "eax", "ecx", "edx"))
CASE(aam0, __asm__ volatile("aam $0" ::: "eax"))
CASE(unaligned_sse, __asm__ volatile("movaps 1+%0, %%xmm0" :: "m"(data[4])))
CASE(far_jump, __asm__ volatile("ljmp $0x1234, $0"))
CASE(bad_segment, __asm__ volatile("movl $0x1234, %%eax\nmovl %%eax, %%fs\n" ::: "eax"))
CASE(rep_top, __asm__ volatile("movl $0xbffffff0, %%edi\nmovl $-1, %%ecx\nrep stosb" ::: "edi", "ecx", "memory"))
CASE(rep_null, __asm__ volatile("xorl %%esi, %%esi\nmovl $-1, %%ecx\nrep lodsb" ::: "esi", "ecx", "eax"))
CASE(long_prefix, __asm__ volatile(".fill 20, 1, 0x66\nnop"))
CASE(stack_zero, __asm__ volatile("xorl %esp, %esp\npush %eax"))
CASE(ret_wild, __asm__ volatile("push $0x30000000\nret"))
#endif
CASE(recurse, sink = recurse(0))
CASE(recurse_large, sink = recurse_large(0))
CASE(recurse_medium, sink = recurse_medium(0))
CASE(recurse_pointer, sink = recurse_pointer(0))
CASE(raise_kill, CALL(kill, CALL(getpid, 0, 0, 0), SIGKILL, 0))
CASE(handler, install(catch_code, 0); read_at(0))
CASE(handler_jump, install(catch_code, 0); call_at(0x30000000))
CASE(handler_write, install(catch_code, 0); write_at((unsigned)constant))
CASE(handler_unmapped, install(catch_code, 0); read_at(0x30000000))
CASE(handler_again, install(fault_again, 0); read_at(0))
CASE(handler_nested, install(fault_again, SA_NODEFER); read_at(0))
CASE(handler_wild, install((Handler)0x30000000, 0); read_at(0))
CASE(handler_overflow, install(catch_signal, 0); recurse(0))
static void case_handler_stack(void) {
  static char room[65536];
#ifdef __mips__
  long stack[] = {(long)room, sizeof room, 0};
#else
  long stack[] = {(long)room, 0, sizeof room};
#endif
  CALL(sigaltstack, stack, 0, 0);
  install(catch_signal, SA_ONSTACK);
  recurse(0);
}
/* A handler without a stack to run on. */
static void bad_stack(unsigned pointer) {
  install(catch_signal, 0);
#ifdef __mips__
  __asm__ volatile("move $29, %0\nlw $2, 0($0)" ::"r"(pointer) : "$2", "memory");
#else
  __asm__ volatile("movl %0, %%esp\nmovl 0, %%eax" ::"r"(pointer) : "eax", "memory");
#endif
}
CASE(handler_no_stack, bad_stack(0))
CASE(handler_wild_stack, bad_stack(0x30000000))
CASE(handler_top_stack, bad_stack(0xfffffff0))
CASE(handler_constant_stack, bad_stack((unsigned)constant & ~15))
/* sigreturn from a stack of which each word is `value`. */
static void hostile_frame(unsigned value, int number) {
  static unsigned frame[1024];
  for (int i = 0; i < 1024; i++) frame[i] = value;
#ifdef __mips__
  __asm__ volatile("move $29, %0\nmove $2, %1\nsyscall" ::"r"(frame), "r"(number) : "$2", "memory");
#else
  __asm__ volatile("movl %0, %%esp\nint $0x80" ::"r"(frame), "a"(number) : "memory");
#endif
}
static void no_frame(unsigned pointer, int number) {
#ifdef __mips__
  __asm__ volatile("move $29, %0\nmove $2, %1\nsyscall" ::"r"(pointer), "r"(number) : "$2", "memory");
#else
  __asm__ volatile("movl %0, %%esp\nint $0x80" ::"r"(pointer), "a"(number) : "memory");
#endif
}
CASE(frame_zero, hostile_frame(0, __NR_sigreturn))
CASE(frame_ones, hostile_frame(-1, __NR_sigreturn))
CASE(frame_rt_zero, hostile_frame(0, __NR_rt_sigreturn))
CASE(frame_rt_ones, hostile_frame(-1, __NR_rt_sigreturn))
CASE(frame_rt_kernel, hostile_frame(0xd0000000, __NR_rt_sigreturn))
CASE(frame_none, no_frame(0, __NR_sigreturn))
CASE(frame_rt_none, no_frame(0x30000000, __NR_rt_sigreturn))
CASE(frame_rt_top, no_frame(0xfffffff0, __NR_rt_sigreturn))

/* Asks for more than there is, in each way, and goes on. */
static void case_memory_beyond(void) {
  unsigned end = CALL(brk, 0, 0, 0);
  number(CALL(brk, 0xffffe000, 0, 0) == end);
  int prot = PROT_READ | PROT_WRITE;
  number(-call6(__NR_mmap2, 0, 0xf0000000, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  number(-call6(__NR_mmap2, 0, 0xffffffff, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *p = (char *)page(prot);
  number(-call6(__NR_mremap, (long)p, 8192, 0xf0000000, MREMAP_MAYMOVE, 0, 0));
  p[0] = 1;
  /* one piece at a time until there is no more */
  int pieces = 0;
  long result;
  while ((result = call6(__NR_mmap2, 0, 16 << 20, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) > 0 || result < -4096) pieces++;
  number(-result);
  number(pieces > 10);
  p[1] = 2;
}
static void case_handler_opens(void) {
  open_page = page(PROT_NONE);
  install(open_up, 0);
  open_page[5] = 1;
  open_page[4096 + 5] = 2;
  number(caught * 10000 + open_page[5] * 100 + open_page[4096 + 5]);
  mprotect(open_page, 8192, PROT_READ);
  open_page[6] = 3;
  number(caught * 100 + open_page[6]);
}
static void case_handler_jumps(void) {
  install(jump_out, SA_NODEFER);
  volatile int sum = 0;
  for (volatile int i = 0; i < 90; i++) {
    if (__builtin_setjmp(jump) == 0) {
      if (i % 3 == 0) read_at(0);
      else if (i % 3 == 1) call_at(0x30000000);
      else write_at((unsigned)constant);
    } else sum += caught;
  }
  number(sum);
}
static void case_code_changes(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  int sum = 0;
  for (int i = 0; i < 60; i++) {
    emit(p, i);
    for (int k = 0; k < 3; k++) sum += ((Function)p)();
  }
  number(sum);
}
static void case_code_protected(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE);
  int sum = 0;
  for (int i = 0; i < 60; i++) {
    mprotect(p, 4096, PROT_READ | PROT_WRITE);
    emit(p, i);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    for (int k = 0; k < 3; k++) sum += ((Function)p)();
  }
  number(sum);
}
static void case_code_remapped(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  int sum = 0;
  for (int i = 0; i < 40; i++) {
    CALL(munmap, p, 8192, 0);
    int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (MAP(p, MAP_FIXED) != p) quit(98);
    emit(p + 64, i);
    for (int k = 0; k < 5; k++) sum += ((Function)(p + 64))();
  }
  /* moved, old place gone */
  unsigned char *q = (void *)call6(__NR_mremap, (long)p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, (long)(p - 65536), 0);
  sum += ((Function)(q + 64))();
  number(sum);
}
/* A function across two pages, of which the program changes one (the other cannot be written). */
static void code_across(int changed) {
  unsigned char *p = page(PROT_READ | PROT_WRITE);
  unsigned char *at = p + 4096 - 4;
#ifdef __mips__
  unsigned code[] = {0x24420000, 0x03e00008, 0x24420000};
#else
  unsigned char code[] = {0x83, 0xc0, 0x01, 0x90, 0x83, 0xc0, 0x01, 0xc3};
#endif
  memcpy(at, code, sizeof code);
  mprotect(p, 8192, PROT_READ | PROT_EXEC);
  mprotect(p + 4096 * changed, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  int sum = 0;
  for (int i = 0; i < 40; i++) {
#ifdef __mips__
    *(unsigned *)(at + (changed ? 8 : 0)) = 0x24420000 | i;
    flush(at, 12);
    register int value __asm__("$2") = 0;
    __asm__ volatile("jalr %1" : "+r"(value) : "r"(at) : "$31", "memory");
#else
    at[changed ? 6 : 2] = i;
    int value = 0;
    __asm__ volatile("call *%1" : "+a"(value) : "r"(at) : "memory");
#endif
    sum += value;
  }
  number(sum);
}
static void case_code_first_page(void) { code_across(0); }
static void case_code_second_page(void) { code_across(1); }

#ifndef __mips__
/* Stores to code ahead of them in the same block, by all kinds of stores. */
static void case_code_ahead(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  static const unsigned char stores[][24] = {
      /* mov byte [edx+32], cl */ {3, 0x88, 0x4a, 0x20},
      /* mov [edx+32], ecx */ {3, 0x89, 0x4a, 0x20},
      /* mov edi, edx; add edi, 32; mov al, cl; stosb */ {8, 0x89, 0xd7, 0x83, 0xc7, 0x20, 0x88, 0xc8, 0xaa},
      /* lea edi, [edx+32]; mov al, cl; mov ecx, 1; rep stosb */ {12, 0x8d, 0x7a, 0x20, 0x88, 0xc8, 0xb9, 1, 0, 0, 0, 0xf3, 0xaa},
      /* mov [edx-64], cl; lea esi, [edx-64]; lea edi, [edx+32]; mov ecx, 1; rep movsb */
      {16, 0x88, 0x4a, 0xc0, 0x8d, 0x72, 0xc0, 0x8d, 0x7a, 0x20, 0xb9, 1, 0, 0, 0, 0xf3, 0xa4},
      /* movd xmm0, ecx; movd [edx+32], xmm0 */ {9, 0x66, 0x0f, 0x6e, 0xc1, 0x66, 0x0f, 0x7e, 0x42, 0x20},
      /* xchg [edx+32], cl */ {3, 0x86, 0x4a, 0x20},
      /* mov eax, esp; lea esp, [edx+36]; push ecx; mov esp, eax */ {8, 0x89, 0xe0, 0x8d, 0x62, 0x24, 0x51, 0x89, 0xc4},
  };
  int sum = 0;
  for (int kind = 0; kind < (int)(sizeof stores / sizeof *stores); kind++) {
    for (int round = 0; round < 12; round++) {
      unsigned char *code = p + 128;
      memset(code, 0x90, 128);
      memcpy(code, stores[kind] + 1, stores[kind][0]);
      /* at 31: mov al, <byte 32>; movzx eax, al; ret */
      static const unsigned char end[] = {0xb0, 0x11, 0x0f, 0xb6, 0xc0, 0xc3};
      memcpy(code + 31, end, sizeof end);
      int value = (kind * 12 + round) & 255;
      /* the whole word that a 32-bit store writes */
      unsigned word = value | 0xc0b60f00;
      int result;
      __asm__ volatile("call *%%ebx" : "=a"(result), "+c"(word) : "b"(code), "d"(code) : "esi", "edi", "memory");
      sum += result == value;
    }
  }
  number(sum);
}
/* A loop that changes itself each time around. */
static void case_code_loop(void) {
  unsigned char *p = page(PROT_READ | PROT_WRITE | PROT_EXEC);
  /* mov ecx, 100; xor eax, eax; L: add eax, imm32; add dword [imm at edx], 3; dec ecx; jnz L; ret */
  static const unsigned char code[] = {0xb9, 100, 0, 0, 0, 0x31, 0xc0, 0x05, 1, 0, 0, 0, 0x83, 0x02, 3, 0x49, 0x75, 0xf5, 0xc3};
  memcpy(p, code, sizeof code);
  int result, count;
  __asm__ volatile("call *%%ebx" : "=a"(result), "=c"(count) : "b"(p), "d"(p + 8) : "memory");
  number(result);
}
#endif
#ifndef __mips__
static void case_handler_small_stack(void) {
  static char room[65536];
  /* MIPS begins at its top again, for ever. All of it is there, but a frame does not fit what sigaltstack was told */
  long stack[] = {(long)room, 0, 2048};
  number(CALL(sigaltstack, stack, 0, 0) == 0);
  install(fault_again, SA_ONSTACK | SA_NODEFER);
  read_at(0);
}
/* Descriptors that make no sense, and selectors of them. */
static void case_descriptors(void) {
  static const unsigned descriptors[][4] = {
      {-1, 0, 0xfffff, 0x51}, {-1, 0xd0000000, 0xfffff, 0x51}, {-1, 0, 0, 0x28}, {5, 0, 0, 1}, {0x7fffffff, 0, 0, 1}, {-2, 0, 0, 1}, {-1, 0x30000000, 0xfffff, 0x51},
  };
  for (int i = 0; i < 7; i++) {
    unsigned copy[4];
    memcpy(copy, descriptors[i], sizeof copy);
    number(-CALL(set_thread_area, copy, 0, 0) & 0xff);
    unsigned old[4];
    memcpy(old, descriptors[i], sizeof old);
    number(-CALL(get_thread_area, old, 0, 0) & 0xff);
  }
  number(-CALL(set_thread_area, 0, 0, 0));
  number(-CALL(set_thread_area, 0xd0000000, 0, 0));
  number(-CALL(modify_ldt, 99, 0, 0));
}
CASE(rep_over, __asm__ volatile("cld\nmovl %0, %%esi\nmovl %0, %%edi\nmovl $0x40000000, %%ecx\nrep movsl" ::"r"((unsigned)data & ~4095) : "esi", "edi", "ecx", "memory"))
CASE(rep_down, __asm__ volatile("std\nmovl %0, %%edi\nmovl $-1, %%ecx\nrep stosl\ncld" ::"r"((unsigned)data & ~4095) : "edi", "ecx", "memory"))
#endif
CASE(alloca_large, alloca_large())
CASE(alloca_beyond, alloca_beyond())
CASE(alloca_loop, alloca_loop())
CASE(executable_gone, executable_gone())
CASE(unmapped_code, unmapped_code())
CASE(code_at_page_end, code_at_page_end())
CASE(write_constant, write_at((unsigned)constant))
CASE(write_code, write_at((unsigned)quiet_zero & ~3))
CASE(read_wild, read_at(0x30000000))
CASE(heap_end, for (volatile char *p = (char *)CALL(brk, 0, 0, 0);; p += 4096) *p = 1)

#define ENTRY(name) {#name, case_##name}
static const struct Case cases[] = {
    ENTRY(null_read), ENTRY(null_read_field), ENTRY(null_write), ENTRY(null_call), ENTRY(top_read), ENTRY(top_write),
    ENTRY(kernel_read), ENTRY(wild_jump), ENTRY(data_jump), ENTRY(top_jump), ENTRY(low_jump), ENTRY(illegal), ENTRY(privileged),
    ENTRY(divide), ENTRY(recurse), ENTRY(recurse_large), ENTRY(recurse_medium), ENTRY(recurse_pointer), ENTRY(raise_kill), ENTRY(handler), ENTRY(handler_jump), ENTRY(handler_write), ENTRY(handler_unmapped), ENTRY(handler_again),
    ENTRY(handler_nested), ENTRY(handler_wild), ENTRY(handler_overflow), ENTRY(handler_stack), ENTRY(handler_opens),
    ENTRY(handler_jumps), ENTRY(code_changes), ENTRY(code_protected), ENTRY(code_remapped), ENTRY(code_first_page), ENTRY(code_second_page), ENTRY(alloca_large),
    ENTRY(alloca_beyond), ENTRY(alloca_loop), ENTRY(executable_gone), ENTRY(unmapped_code), ENTRY(code_at_page_end), ENTRY(write_constant),
    ENTRY(write_code), ENTRY(read_wild), ENTRY(heap_end), ENTRY(handler_no_stack), ENTRY(handler_wild_stack), ENTRY(handler_top_stack),
    ENTRY(handler_constant_stack), ENTRY(frame_zero), ENTRY(frame_ones), ENTRY(frame_rt_zero), ENTRY(frame_rt_ones),
    ENTRY(frame_rt_kernel), ENTRY(frame_none), ENTRY(frame_rt_none), ENTRY(frame_rt_top), ENTRY(memory_beyond),
#ifdef __mips__
    ENTRY(odd_jump), ENTRY(even_jump), ENTRY(odd_wild_jump), ENTRY(illegal_slot), ENTRY(fault_slot), ENTRY(break0),
    ENTRY(break6), ENTRY(break7), ENTRY(trap), ENTRY(trap7), ENTRY(overflow),
#else
    ENTRY(illegal_lock), ENTRY(illegal_register), ENTRY(int3), ENTRY(int3_long), ENTRY(icebp), ENTRY(into), ENTRY(bound),
    ENTRY(int_other), ENTRY(hlt), ENTRY(cli), ENTRY(in), ENTRY(outs), ENTRY(rdmsr), ENTRY(lidt), ENTRY(divide_overflow),
    ENTRY(aam0), ENTRY(unaligned_sse), ENTRY(far_jump), ENTRY(bad_segment), ENTRY(rep_top),
    ENTRY(rep_null), ENTRY(long_prefix), ENTRY(stack_zero), ENTRY(ret_wild), ENTRY(code_ahead), ENTRY(code_loop),
    ENTRY(handler_small_stack), ENTRY(descriptors), ENTRY(rep_over), ENTRY(rep_down),
#endif
};

__attribute__((used)) static void start(long *stack) {
  char **argv = (char **)(stack + 1);
  const struct Case *end = cases + sizeof cases / sizeof *cases;
  for (const struct Case *c = cases; c < end; c++) {
    if (stack[0] < 2) {
      print(c->name);
      print("\n");
    } else if (same(argv[1], c->name)) {
      c->run();
      quit(0);
    }
  }
  quit(stack[0] < 2 ? 0 : 97);
}
#ifdef __mips__
__asm__(".globl __start\n__start: move $4, $29\naddiu $29, $29, -32\njal start\nbreak");
#else
__asm__(".globl _start\n_start: movl %esp, %eax\nandl $-16, %esp\nsubl $12, %esp\npushl %eax\ncall start\nhlt");
#endif
