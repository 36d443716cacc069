/* What MXCSR says where a process looks at it for the first time: each case in a process of its own. */
#include <fenv.h>
#include <float.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

double sqrt(double);
unsigned look(void);
static volatile double d, denormal = 4.9406564584124654e-324;
static volatile float f, denormal_single = 1e-45f;

static void compute(int which, int one) {
  double three = one + 2, huge = DBL_MAX * one, least = DBL_MIN * one, s = 0;
  switch (which) {
    case 0: d = (one + 1.0) / 2 + three * 4; break;
    case 1: d = one / three; break;
    case 2: d = denormal + one; break;
    case 3: d = (least * 1.5 - least) * 4 + 1; break;
    case 4: d = least / three; break;
    case 5: d = huge + huge; break;
    case 6: d = one / (three - 3 * one); break;
    case 7: f = denormal_single * 1.0f; break;
    case 8: d = denormal_single; break;
    case 9: f = denormal; break;
    case 10: d = denormal > one; break;
    case 11: d = sqrt(three + 1); break;
    case 12: d = sqrt(three); break;
    case 13: d = (int)(one * 2.0); break;
    case 14: d = (int)(one * 2.5); break;
    case 15: for (int i = 0; i < 100000; i++) s += i * 0.5; d = s; break;
    case 16: for (int i = 0; i < 100000; i++) { s += i * 0.5; if (i == 90000) s += denormal; } d = s; break;
    case 17: s = 1; for (int i = 0; i < 2000; i++) s *= 0.5; d = s; break;
    case 18: for (int i = 0; i < 50000; i++) { double x = least * 1.75 - least * 1.25; if (i >= 40000) s += x; } d = s; break;
    case 19: f = one * 16777217; break;
    case 20: f = one * 16777216; break;
    case 21: f = three / 2; break;
    /* once Precision is set, nothing else but a denormal operand is left to be noticed */
    case 23: d = one / three; d = denormal + one; break;
    case 24: d = one / three; d = denormal > one; break;
    case 25: d = one / three; f = denormal_single + one; break;
    case 26: d = one / three; d = denormal * (huge / 4); break;
    case 27: d = one / three; d = sqrt(denormal); break;
    case 28: d = one / three; d = denormal_single; break;
    case 22: s = denormal; d = (s > one ? s : one) + one; break;
  }
}

int main(int argc, char **argv) {
  for (int which = 0; which <= 28; which++) {
    if (fork() == 0) {
      compute(which, argc);
      printf("%d %04x\n", which, look());
#ifdef FENV
      printf("%02x\n", fetestexcept(FE_ALL_EXCEPT));
#endif
      return 0;
    }
    wait(0);
  }
  return 0;
}
