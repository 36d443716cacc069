// What a handler is told of each fault: siginfo and the trap in the context. i386 only.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile char *at;

static void handler(int signal, siginfo_t *info, void *context) {
  ucontext_t *c = context;
  printf("signal %d code %d trap %d error %x", signal, info->si_code, c->uc_mcontext.gregs[REG_TRAPNO], c->uc_mcontext.gregs[REG_ERR]);
  if (!info->si_addr) printf(" no address\n");
  else if (info->si_addr == (void *)c->uc_mcontext.gregs[REG_EIP]) printf(" address of the instruction\n");
  else printf(" address %p\n", info->si_addr);
  struct _libc_fpstate *fp = c->uc_mcontext.fpregs;
  printf("  last page fault at %lx, x87 %x %x, selectors %x %x\n", c->uc_mcontext.cr2, fp->cw & 0xffff, fp->sw & 0xffff, fp->cssel, fp->datasel);
  siglongjmp(back, 1);
}

#define CASE(name, ...)                     \
  do {                                      \
    printf("%s: ", name);                   \
    if (!sigsetjmp(back, 1)) {              \
      __VA_ARGS__;                          \
      printf("nothing\n");                  \
    }                                       \
  } while (0)

// From the frame, FXRSTOR makes ES and B of an exception that is pending and not masked.
static void pending(int signal, siginfo_t *info, void *context) {
  struct _libc_fpstate *fp = ((ucontext_t *)context)->uc_mcontext.fpregs;
  fp->cw = 0x37e;
  fp->sw = 1;
}

static void fpu(int signal, siginfo_t *info, void *context) {
  unsigned mxcsr, xmm;
  struct { unsigned words[7]; } environment;
  asm volatile("stmxcsr %0; movd %%xmm0,%1; fnstenv %2" : "=m"(mxcsr), "=m"(xmm), "=m"(environment));
  printf("handler's FPU: %x %x, x87 %x %x %x\n", mxcsr, xmm, environment.words[0], environment.words[1], environment.words[2]);
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, 0);
  int bounds[] = {1, 2};
  CASE("div", asm volatile("xorl %%ecx,%%ecx; divl %%ecx" ::: "eax", "ecx", "edx"));
  CASE("bound", asm volatile("boundl %0,%1" ::"r"(5), "m"(bounds)));
  CASE("ud2", asm volatile("ud2"));
  CASE("lock nop", asm volatile(".byte 0xf0, 0x90"));
  CASE("int3", asm volatile("int3"));
  CASE("int 3", asm volatile(".byte 0xcd, 3"));
  CASE("int 0xfd", asm volatile("int $0xfd"));
  CASE("into", asm volatile("movl $0x7fffffff,%%eax; addl $1,%%eax; into" ::: "eax"));
  CASE("hlt", asm volatile("hlt"));
  CASE("cli", asm volatile("cli"));
  CASE("in", asm volatile("inb $0x80,%%al" ::: "eax"));
  CASE("read", (void)*(at = (char *)0x1234));
  CASE("write", *(at = (char *)0x1234) = 1);
  CASE("modify", __atomic_fetch_add((at = (char *)0x1234), 1, __ATOMIC_RELAXED));
  char *page = mmap((void *)0x30000000, 8192, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[4096] = page[0] = 1;
  mprotect(page, 4096, PROT_NONE);
  mprotect(page + 4096, 4096, PROT_READ);
  CASE("read of PROT_NONE", (void)*(at = (char *)0x30000ffc));
  CASE("modify of PROT_NONE", __atomic_fetch_add((at = (char *)0x30000ffc), 1, __ATOMIC_RELAXED));
  CASE("modify of PROT_READ", __atomic_fetch_add((at = (char *)0x30001000), 1, __ATOMIC_RELAXED));
  mprotect(page, 4096, PROT_READ);
  munmap(page + 4096, 4096);
  CASE("read from PROT_READ into nothing", asm volatile("movl 0x30000ffd,%%eax" ::: "eax"));
  CASE("modify of PROT_READ into nothing", asm volatile("addl $1,0x30000ffd" ::: "memory"));
  CASE("exchange of PROT_READ into nothing", asm volatile("xchgw %%ax,0x30000fff" ::: "eax", "memory"));
  CASE("write of PROT_READ into nothing", asm volatile("movl $1,0x30000ffd" ::: "memory"));
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
  CASE("modify into nothing", asm volatile("addl $1,0x30000ffd" ::: "memory"));
  mprotect(page, 4096, PROT_NONE);
  CASE("modify of PROT_NONE into nothing", asm volatile("addl $1,0x30000ffd" ::: "memory"));
  CASE("null FS", asm volatile("movl %%fs:0,%%eax" ::: "eax"));
  CASE("modify in CS", asm volatile("incl %cs:0x1234"));
  CASE("FNSAVE in CS", asm volatile("fnsave %cs:0x1234"));
  CASE("FSTP m80 in CS", asm volatile("fldz; fstpt %cs:0x1234"));
  CASE("beyond 4 GiB", asm volatile("fldl 0xfffffffc"));
  CASE("UD2 after them", asm volatile("ud2"));
  asm volatile("fninit");
  action.sa_sigaction = pending;
  sigaction(SIGUSR1, &action, 0);
  // a handler has the FPU of a new program, and leaves that of the program alone
  unsigned before = 0x1f80 | 0x6000, after;
  unsigned short control = 0x27f;
  action.sa_sigaction = fpu;
  sigaction(SIGUSR2, &action, 0);
  asm volatile("fldcw %0; fldpi; ldmxcsr %1; movd %1,%%xmm0; int $0x80; movd %%xmm0,%2; fnstcw %0; stmxcsr %1; fstp %%st"
               : "+m"(control), "+m"(before), "=m"(after) : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR2) : "memory");
  printf("after it: %x %x %x\n", control, before, after);
  CASE("pending", raise(SIGUSR1); asm volatile("fwait"));
  return 0;
}
