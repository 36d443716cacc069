/*
 * Runs short pieces of MIPS code with all registers given, on whatever executes this program.
 * stdin: u32 count, then records; stdout: the records after their run. Words are in the guest's byte order.
 * A record's code lies at CODE + 64 * entry and ends with "jr $k0", or with a breakpoint where Linux may take $k0 and $k1; these are not its own. Its data lies at DATA. Records with
 * the same entry have the same code. What RDHWR $29 reads comes as signal. Afterwards, entry is the address that could not be accessed, and pc where a signal came.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000
#define DATA 0x20000000
#define WORDS 16
#define BYTES 64

struct record {
  uint32_t gpr[32];
  uint32_t hi, lo, fcsr, signal;
  uint32_t fpr[64];
  uint32_t saved[12];
  uint32_t entry, pc;
  uint32_t code[WORDS];
  uint8_t data[BYTES];
};

void execute(struct record *record);
extern char back[];

#if __mips_fpr == 64
#define EACH(F) \
  F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) F(20) \
  F(21) F(22) F(23) F(24) F(25) F(26) F(27) F(28) F(29) F(30) F(31)
#else
#define EACH(F) F(0) F(2) F(4) F(6) F(8) F(10) F(12) F(14) F(16) F(18) F(20) F(22) F(24) F(26) F(28) F(30)
#endif
#define LOADF(n) "ldc1 $f" #n ", 144+8*" #n "($27)\n"
#define SAVEF(n) "sdc1 $f" #n ", 144+8*" #n "($27)\n"
/* all but $0, $k0, $k1 */
#define EACHG(F) \
  F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) F(20) F(21) \
  F(22) F(23) F(24) F(25) F(28) F(29) F(30) F(31)
#define LOADG(n) "lw $" #n ", 4*" #n "($27)\n"
#define SAVEG(n) "sw $" #n ", 4*" #n "($27)\n"
/* what a function must keep */
#define KEEP(op) \
  op " $16, 400($27)\n" op " $17, 404($27)\n" op " $18, 408($27)\n" op " $19, 412($27)\n" op " $20, 416($27)\n" op \
     " $21, 420($27)\n" op " $22, 424($27)\n" op " $23, 428($27)\n" op " $28, 432($27)\n" op " $29, 436($27)\n" op \
     " $30, 440($27)\n" op " $31, 444($27)\n"

__asm__(
    ".text\n.set push\n.set noreorder\n.set noat\n.globl execute\n.globl back\n"
    "execute:\n"
    "move $27, $4\n" KEEP("sw")
    "lw $1, 128($27)\nmthi $1\nlw $1, 132($27)\nmtlo $1\nlw $1, 136($27)\nctc1 $1, $31\n"
    EACH(LOADF)
    "lui $26, %hi(back)\naddiu $26, $26, %lo(back)\n" EACHG(LOADG)
    "lw $27, 452($27)\njr $27\nnop\n"
    "back:\nlui $27, %hi(current)\nlw $27, %lo(current)($27)\n"
    EACHG(SAVEG) EACH(SAVEF)
    "mfhi $1\nsw $1, 128($27)\nmflo $1\nsw $1, 132($27)\ncfc1 $1, $31\nsw $1, 136($27)\nctc1 $0, $31\n"
    KEEP("lw")
    "jr $31\nnop\n.set pop\n");

struct record *current;

static void handler(int number, siginfo_t *info, void *context) {
  current->signal = number;
  current->pc = ((ucontext_t *)context)->uc_mcontext.pc;
  current->entry = number == SIGSEGV || number == SIGBUS ? (uintptr_t)info->si_addr : 0;
  ((ucontext_t *)context)->uc_mcontext.pc = (uintptr_t)back;
}

/* Registers come with their low word first; ldc1 and sdc1 go by the guest's byte order. */
static void order(struct record *record) {
#if __MIPSEB__
  for (int i = 0; i < 64; i += 2) {
    uint32_t low = record->fpr[i];
    record->fpr[i] = record->fpr[i + 1];
    record->fpr[i + 1] = low;
  }
#else
  (void)record;
#endif
}

static void all(int write_it, void *buffer, size_t bytes) {
  for (char *at = buffer; bytes > 0;) {
    ssize_t n = write_it ? write(1, at, bytes) : read(0, at, bytes);
    if (n <= 0) exit(2);
    at += n;
    bytes -= n;
  }
}

int main(int argc, char **argv) {
  (void)argv;
  /* Linux is not to make good for accesses that are not aligned */
  (void)argv;
  if (argc > 1) syscall(__NR_sysmips, 7 /* MIPS_FIXADE */, 0, 0);
  uint32_t count;
  all(0, &count, sizeof count);
  struct record *records = malloc(count * sizeof *records);
  all(0, records, count * sizeof *records);
  int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  uint32_t *code = mmap((void *)CODE, count * 64, PROT_READ | PROT_WRITE | PROT_EXEC, fixed, -1, 0);
  uint8_t *data = mmap((void *)DATA, 4096, PROT_READ | PROT_WRITE, fixed, -1, 0);
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGILL, SIGTRAP, SIGFPE, SIGSEGV, SIGBUS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  for (uint32_t k = 0; k < count; k++) memcpy(code + 16 * records[k].entry, records[k].code, 64);
  __builtin___clear_cache((char *)code, (char *)code + count * 64);
  for (uint32_t k = 0; k < count; k++) {
    current = &records[k];
    current->pc = CODE + 64 * current->entry;
    current->entry = 0;
    memcpy(data, current->data, BYTES);
    order(current);
    /* nothing between the two uses the C library */
    uint32_t thread, local = current->signal;
    __asm__ volatile(".set push\n.set mips32r2\nrdhwr %0, $29\n.set pop" : "=r"(thread));
    current->signal = 0;
    syscall(__NR_set_thread_area, local);
    execute(current);
    syscall(__NR_set_thread_area, thread);
    order(current);
    memcpy(current->data, data, BYTES);
  }
  all(1, records, count * sizeof *records);
  return 0;
}
