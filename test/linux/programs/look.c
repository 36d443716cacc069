/* Part of mxcsr.c: what tells MXCSR, for a shared library. */
#ifdef BY_FENV
#include <fenv.h>
unsigned look(void) {
  fenv_t env;
  fegetenv(&env);
  return env.__eip; /* where glibc puts it */
}
#else
unsigned look(void) {
  unsigned mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  return mxcsr;
}
#endif
