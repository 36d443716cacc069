// Segments and single steps of i386 programs. Prints the same on the processor.
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int steps, code_of, number_of;
static volatile unsigned error_of, trap_of;

static void caught(int number, siginfo_t *info, void *context) {
  const ucontext_t *u = context;
  number_of = number, code_of = info->si_code;
  error_of = u->uc_mcontext.gregs[REG_ERR], trap_of = u->uc_mcontext.gregs[REG_TRAPNO];
  siglongjmp(back, 1);
}
static void stepped(int number, siginfo_t *info, void *context) { steps += info->si_code == TRAP_TRACE; }

#define TRY(what, ...)                                                                                            \
  do {                                                                                                            \
    if (sigsetjmp(back, 1) == 0) {                                                                                \
      __VA_ARGS__;                                                                                                \
      printf("%s: done\n", what);                                                                                 \
    } else                                                                                                        \
      printf("%s: signal %d code %d trap %u error %x\n", what, number_of, code_of, trap_of, error_of);            \
  } while (0)

static int describe(int command, unsigned entry, void *base, unsigned limit, unsigned contents, unsigned flags) {
  struct user_desc d = {.entry_number = entry, .base_addr = (unsigned)base, .limit = limit, .contents = contents};
  d.seg_32bit = flags & 1, d.read_exec_only = flags >> 1 & 1, d.limit_in_pages = flags >> 2 & 1, d.seg_not_present = flags >> 3 & 1, d.useable = flags >> 4 & 1;
  return syscall(SYS_modify_ldt, command, &d, sizeof d);
}
static unsigned selector(unsigned entry) { return entry << 3 | 7; }

static int words[16] = {1, 2, 3, 4, 5, 6, 7, 8};
static int value;

static void through(const char *name, unsigned s, unsigned offset) {
  char line[64];
  sprintf(line, "load %s ds %x at %x", name, s, offset);
  TRY(line, __asm__ volatile("push %%ds; mov %w1, %%ds; mov (%2), %0; pop %%ds" : "=&r"(value) : "r"(s), "r"(offset)));
  __asm__ volatile("push %%ss; pop %%ds; push %%ss; pop %%es" ::: "memory");
  sprintf(line, "store %s es %x at %x", name, s, offset);
  TRY(line, __asm__ volatile("push %%es; mov %w0, %%es; movl $9, %%es:(%1); pop %%es" : : "r"(s), "r"(offset)));
  __asm__ volatile("push %%ss; pop %%ds; push %%ss; pop %%es" ::: "memory");
  sprintf(line, "load %s fs %x at %x", name, s, offset);
  TRY(line, __asm__ volatile("mov %w1, %%fs; mov %%fs:(%2), %0" : "=&r"(value) : "r"(s), "r"(offset)));
  sprintf(line, "move %s ds %x at %x", name, s, offset);
  unsigned from = offset, count = 4;
  int *to = &value;
  TRY(line, __asm__ volatile("push %%ds; mov %w3, %%ds; rep movsb; pop %%ds" : "+S"(from), "+D"(to), "+c"(count) : "r"(s) : "memory"));
  __asm__ volatile("push %%ss; pop %%ds; push %%ss; pop %%es" ::: "memory");
}

static void rights(unsigned s) {
  unsigned lar = 1, lsl = 1;
  unsigned char lar_z, lsl_z, verr, verw;
  __asm__("lar %2, %0; setz %1" : "+r"(lar), "=qm"(lar_z) : "r"(s) : "cc");
  __asm__("lsl %2, %0; setz %1" : "+r"(lsl), "=qm"(lsl_z) : "r"(s) : "cc");
  __asm__("verr %w1; setz %0" : "=qm"(verr) : "r"(s) : "cc");
  __asm__("verw %w1; setz %0" : "=qm"(verw) : "r"(s) : "cc");
  printf("%x: lar %d %x lsl %d %x verr %d verw %d\n", s, lar_z, lar, lsl_z, lsl, verr, verw);
}

int main(void) {
  struct sigaction action = {0};
  unsigned char table[64];
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = caught;
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  through("null", 0, (unsigned)words);
  through("null", 3, (unsigned)words);
  printf("write %d %d %d\n", describe(1, 1, words, 31, 0, 1), describe(0x11, 2, words, 31, 0, 3), describe(0x11, 3, words + 4, 15, 1, 1));
  printf("write %d %d\n", describe(0x11, 4, words, 15, 0, 9), describe(0x11, 5, NULL, 0xfffff, 0, 5));
  int wrong[] = {describe(0x11, 8192, words, 31, 0, 1), describe(1, 6, words, 31, 3, 1), describe(9, 6, words, 31, 0, 1)};
  printf("wrong %d %d %d errno %d\n", wrong[0], wrong[1], wrong[2], errno);
  memset(table, 0, sizeof table);
  const int length = syscall(SYS_modify_ldt, 0, table, 24);
  printf("read %d, access %x %x\n", length, table[13], table[21]);
  through("data", selector(1), 0);
  through("data", selector(1), 28);
  through("data", selector(1), 29);
  through("data", selector(1), -4u);
  through("read-only", selector(2), 4);
  through("expand-down", selector(3), 16);
  through("expand-down", selector(3), 15);
  through("absent", selector(4), 0);
  through("flat", selector(5), (unsigned)words);
  through("empty", selector(6), 0);
  through("beyond", 0xfff7, 0);
  // base and limit 0 empty an entry only with the old command, or read-only and absent
  printf("of one byte %d\n", describe(0x11, 6, NULL, 0, 0, 0));
  through("of one byte", selector(6), 0);
  rights(selector(6));
  printf("emptied %d %d\n", describe(1, 6, NULL, 0, 2, 5), describe(0x11, 5, NULL, 0, 0, 10));
  rights(selector(6));
  for (unsigned s = 0; s < 7; s++) rights(selector(s));
  unsigned code = 0;
  __asm__("mov %%cs, %0" : "=r"(code));
  rights(code);
  rights(0);
  rights(8);
  action.sa_sigaction = stepped;
  sigaction(SIGTRAP, &action, NULL);
  int *where = words;
  __asm__ volatile(
      "pushf; orl $0x100, (%%esp); popf; nop; nop; mov $5, %%ecx; 1: loop 1b; mov $3, %%ecx; mov %%edi, %%esi; rep movsb;"
      "pushf; andl $~0x100, (%%esp); popf; nop" : "+D"(where) : : "ecx", "esi", "memory", "cc");
  printf("%d steps\n", steps);
  return 0;
}
