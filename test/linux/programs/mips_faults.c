// What a handler is told of each fault: signal, si_code, si_addr ("pc": the instruction, or the branch whose delay slot it is in).
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

static sigjmp_buf back;

// without printf, of which translating takes long
static void put(const char *text) { write(1, text, strlen(text)); }
static void number(unsigned n, unsigned base, const char *end) {
  char text[12], *at = text + sizeof text - 1;
  *at = 0;
  do *--at = "0123456789abcdef"[n % base];
  while (n /= base);
  put(at);
  put(end);
}

static void handler(int signal, siginfo_t *info, void *context) {
  unsigned at = (unsigned)info->si_addr, pc = ((ucontext_t *)context)->uc_mcontext.pc;
  number(signal, 10, " ");
  number(info->si_code, 10, " ");
  if (at == pc) put("pc\n");
  else number(at, 16, "\n");
  siglongjmp(back, 1);
}

#define CASE(text)                                                                                                             \
  do {                                                                                                                         \
    put(text ": ");                                                                                                            \
    if (!sigsetjmp(back, 1)) {                                                                                                 \
      asm volatile(".set push\n.set noreorder\n.set noat\n.set nomacro\n.set mips32r2\n" text "\n.set pop" ::: "memory", "$8", \
                   "$9", "$f0", "$f2", "$f20");                                                                                \
      put("nothing\n");                                                                                                        \
    }                                                                                                                          \
  } while (0)

int main(void) {
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, 0);
  char *page = mmap((void *)0x30000000, 8192, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[0] = page[4096] = 1;
  mprotect(page + 4096, 4096, PROT_READ);
  CASE("break 5");
  CASE("break 6");
  CASE("break 7");
  CASE("break 0,6");
  CASE("break 6,1");
  CASE("break 7,7");
  CASE("teq $0,$0,5");
  CASE("teq $0,$0,6");
  CASE("teq $0,$0,7");
  CASE("teqi $0,0");
  CASE("lui $8,0x7fff; ori $8,0xffff; beq $0,$0,1f; addi $9,$8,1; 1: nop");
  CASE("li $8,0x1234; b 1f; lw $9,0($8); 1: nop");
  CASE("b 1f; break 7; 1: nop");
  CASE("lui $8,0x3000; sw $8,0x1000($8)");
  CASE("li $8,0x1234; lw $9,2($8)");
  CASE("li $8,0x1234; sh $9,1($8)");
  CASE("li $8,0x1234; lwl $9,1($8)");
  CASE("li $8,0x1234; lwc1 $f20,1($8)");
  CASE("lui $8,0x8000; lw $9,0($8)");
  CASE("lui $8,0x8000; sw $9,1($8)");
  CASE("li $8,-1; lb $9,0($8)");
  CASE("lui $8,0x3000; ll $9,1($8)");
  CASE("lui $8,0x3000; ori $8,2; jr $8; nop");
  CASE("li $8,0x1234; jr $8; nop");
  CASE("lui $8,0x8000; jr $8; nop");
  CASE("mfc0 $8,$12");
  CASE("mfc2 $8,$1");
  CASE("cache 0,0($8)");
  CASE(".word 0x7c00003f");
  CASE(".word 0x00204010");
  CASE("li $8,5; rdhwr $8,$30; tnei $8,5");
  CASE("li $8,0x400; ctc1 $8,$31; lui $8,0x3f80; mtc1 $8,$f0; mtc1 $0,$f2; b 1f; div.s $f20,$f0,$f2; 1: nop");
  CASE("li $8,0xf80; ctc1 $8,$31; lui $8,0x7f7f; mtc1 $8,$f0; mul.s $f20,$f0,$f0");
  CASE("ctc1 $0,$31; li $8,0x1080; ctc1 $8,$31");
  return 0;
}
