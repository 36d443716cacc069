/*
 * The FPU as C programs see it. Without an argument: what prints alike on Linux and under qemu-user. "linux": what
 * qemu-user does otherwise (unaligned accesses), as the kernel has it. "mode": the FPU's mode.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define FIXADE 7
#ifndef PR_SET_FP_MODE
#define PR_SET_FP_MODE 45
#define PR_GET_FP_MODE 46
#endif

static volatile double zero = 0, one = 1, three = 3, huge = 1e308, tiny = 1e-308;
static volatile float singleOne = 1, singleThree = 3;

static const char *flags(void) {
  static char text[64];
  int set = fetestexcept(FE_ALL_EXCEPT);
  snprintf(text, sizeof text, "%s%s%s%s%s", set & FE_INVALID ? "V" : "", set & FE_DIVBYZERO ? "Z" : "", set & FE_OVERFLOW ? "O" : "",
           set & FE_UNDERFLOW ? "U" : "", set & FE_INEXACT ? "I" : "");
  return text;
}
static unsigned long long bits(double x) {
  unsigned long long word;
  memcpy(&word, &x, 8);
  return word;
}

static sigjmp_buf back;
static volatile int code;
static volatile unsigned status;
static void handler(int number, siginfo_t *info, void *context) {
  code = number * 1000 + info->si_code;
#ifdef __mips__
  status = ((ucontext_t *)context)->uc_mcontext.fpc_csr;
#endif
  siglongjmp(back, 1);
}

static void modes(void) {
  static const int rounding[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
  for (int i = 0; i < 4; i++) {
    fesetround(rounding[i]);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double third = one / three, negative = -one / three, root = sqrt(three);
    volatile float single = singleOne / singleThree, narrowed = (float)third;
    printf("%d: %016llx %016llx %016llx %.9g %.9g %ld %.0f %s\n", i, bits(third), bits(negative), bits(root), single, narrowed,
           lrint(third * 10), rint(2.5 * three / three), flags());
  }
  fesetround(FE_TONEAREST);
}

static void exceptions(void) {
  volatile double r;
  feclearexcept(FE_ALL_EXCEPT);
  r = one + three;
  printf("exact: [%s]", flags());
  r = huge * three;
  r = r + huge * 10;
  printf(" overflow: [%s]", flags());
  feclearexcept(FE_ALL_EXCEPT);
  r = tiny / 3e10;
  printf(" underflow: [%s]", flags());
  feclearexcept(FE_ALL_EXCEPT);
  r = one / zero;
  printf(" division: [%s]", flags());
  feclearexcept(FE_ALL_EXCEPT);
  r = zero / zero;
  printf(" invalid: [%s] %d", flags(), isnan(r));
  feclearexcept(FE_ALL_EXCEPT);
  volatile int n = (int)(three * 1e20);
  printf(" conversion: [%s] %x\n", flags(), n);
  (void)r;
  double sum = 0;
  for (int i = 1; i < 2000; i++) sum += 1.0 / i;
  printf("%.17g %.10f %e %a %g\n", sum, sin(sum), exp(-sum), sum, pow(1.1, sum));
  feclearexcept(FE_ALL_EXCEPT);
  double whole = 0;
  for (int i = 1; i < 20000; i++) whole = whole + i * 0.5;
  printf("%.17g [%s]\n", whole, flags());
}

static void traps(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  static const int which[] = {FE_INVALID, FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT};
  for (int i = 0; i < 5; i++) {
    volatile double r = 42;
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(which[i]);
    code = 0;
    if (sigsetjmp(back, 1) == 0) {
      switch (i) {
        case 0: r = zero / zero; break;
        case 1: r = one / zero; break;
        case 2: r = huge * huge; break;
        case 3: r = tiny * tiny; break;
        default: r = one / three;
      }
    }
    int enabled = fegetexcept() == which[i];
    fedisableexcept(FE_ALL_EXCEPT);
    printf("trap %d: %d, result %g, enabled %d\n", i, code, r, enabled);
  }
}

#ifdef __mips__
static void unaligned(void) {
  static unsigned char bytes[16] __attribute__((aligned(8))) = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGBUS, &action, 0);
  volatile uint32_t *word = (volatile uint32_t *)(bytes + 1);
  volatile uint16_t *half = (volatile uint16_t *)(bytes + 3);
  for (int fixed = 1; fixed >= 0; fixed--) {
    printf("fix %d: %ld\n", fixed, syscall(SYS_sysmips, FIXADE, fixed, 0));
    code = 0;
    volatile uint32_t got = 0;
    if (sigsetjmp(back, 1) == 0) __asm__ volatile("lw %0, 0(%1)" : "=r"(got) : "r"(word) : "memory");
    printf("lw %d %08x\n", code, got);
    code = 0;
    if (sigsetjmp(back, 1) == 0) {
      __asm__ volatile("sh %1, 0(%2)\nlhu %0, 0(%2)" : "=&r"(got) : "r"(0x1234), "r"(half) : "memory");
    }
    printf("sh %d %08x\n", code, got);
    code = 0;
    volatile double *wide = (volatile double *)(bytes + 4);
    volatile double x = 0;
    if (sigsetjmp(back, 1) == 0) x = *wide;
    printf("ldc1 %d %d\n", code, x != 0);
    code = 0;
    if (sigsetjmp(back, 1) == 0) __asm__ volatile("ll %0, 0(%1)" : "=r"(got) : "r"(word) : "memory");
    printf("ll %d\n", code);
  }
}

static void mode(void) {
  unsigned fir, numbers[4];
  __asm__("cfc1 %0, $0" : "=r"(fir));
  __asm__(".set push\n.set mips32r2\nrdhwr %0, $0\nrdhwr %1, $1\nrdhwr %2, $3\n.set pop" : "=r"(numbers[0]), "=r"(numbers[1]), "=r"(numbers[2]));
  unsigned first, second;
  __asm__ volatile(".set push\n.set mips32r2\n.set noreorder\nrdhwr %0, $2\nnop\nnop\nnop\nrdhwr %1, $2\n.set pop"
                   : "=&r"(first), "=&r"(second));
  printf("FIR %08x, hardware %u %u %u, %u instructions\n", fir & 0xff0000, numbers[0], numbers[1], numbers[2], second - first);
  int before = prctl(PR_GET_FP_MODE);
  printf("mode %d, same %d, ", before, prctl(PR_SET_FP_MODE, before));
  printf("FRE %d %d, unknown %d %d\n", prctl(PR_SET_FP_MODE, 3), errno == EOPNOTSUPP, prctl(PR_SET_FP_MODE, 8), errno == EOPNOTSUPP);
#if __mips_fpr == 0
  volatile double x = one / three;
  int changed = prctl(PR_SET_FP_MODE, before ^ 1);
  volatile double y = x * three;
  printf("changed %d to %d: %.17g\n", changed, prctl(PR_GET_FP_MODE), y);
#endif
}
#endif

int main(int argc, char **argv) {
#ifdef __mips__
  if (argc > 1 && !strcmp(argv[1], "linux")) {
    unaligned();
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "mode")) {
    mode();
    return 0;
  }
#endif
  modes();
  exceptions();
  traps();
  return 0;
}
