/* Runs x87 instructions on the processor. Reads cases from standard input and writes their outcomes to standard output:
   in:  16 bytes of code (ends in RET), 16 bytes of memory, 108 bytes FNSAVE image, EFLAGS
   out: 108 bytes FNSAVE image, 16 bytes of memory, EAX, EFLAGS
   The code sees the memory at 0x20001000. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct in {
  unsigned char code[16], memory[16], image[108];
  unsigned flags;
};
struct out {
  unsigned char image[108], memory[16];
  unsigned eax, flags;
};

int main(void) {
  unsigned char *page = mmap((void *)0x20000000, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (page == MAP_FAILED) return 1;
  static struct in in;
  static struct out out;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memcpy(page, in.code, 16);
    memcpy(page + 0x1000, in.memory, 16);
    unsigned eax = 0, flags = in.flags;
    __asm__ volatile("frstor %2\n\tpush %1\n\tpopf\n\tcall *%4\n\tpushf\n\tpop %1\n\tfnsave %3"
                     : "+a"(eax), "+d"(flags)
                     : "m"(in.image), "m"(out.image), "c"(page)
                     : "memory", "cc");
    memcpy(out.memory, page + 0x1000, 16);
    out.eax = eax;
    out.flags = flags;
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
