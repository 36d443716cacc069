// What a handler is told of each fault: siginfo and the trap in the context. i386 only.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ucontext.h>

static sigjmp_buf back;
static volatile char *at;

static void handler(int signal, siginfo_t *info, void *context) {
  ucontext_t *c = context;
  printf("signal %d code %d trap %d error %x", signal, info->si_code, c->uc_mcontext.gregs[REG_TRAPNO], c->uc_mcontext.gregs[REG_ERR]);
  if (!info->si_addr) printf(" no address\n");
  else if (info->si_addr == (void *)c->uc_mcontext.gregs[REG_EIP]) printf(" address of the instruction\n");
  else printf(" address %p\n", info->si_addr);
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
  return 0;
}
