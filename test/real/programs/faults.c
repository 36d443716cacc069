/*
 * Faults in every way that an i386 program can, and prints what its signal handlers are told: siginfo, and the registers of the
 * context. Then it goes on behind the fault. Compared with the processor.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, BASE = 0x30000000 };
#define READ_ONLY "0x30000000"
#define NO_ACCESS "0x30001000"
#define WRITABLE "0x30003000" /* with READ_ONLY's protection behind it */
#define UNMAPPED "0x30008000"
#define PAST_END "0x3000b000"

/* Calls a case with known registers; a handler goes on at `recover`. */
int call_case(void (*code)(void));
extern char recover[];
uint32_t case_stack;
__asm__(
    ".text\n.globl call_case, recover\n"
    "call_case: pushal\n mov 36(%esp), %edx\n mov %esp, case_stack\n"
    " mov $0x11111111, %eax\n mov $0x22222222, %ebx\n mov $0x33333333, %ecx\n mov $0x55555555, %esi\n mov $0x66666666, %edi\n"
    " mov $0x77777777, %ebp\n push $0x202\n popf\n call *%edx\n"
    "recover: mov case_stack, %esp\n push $0x202\n popf\n fninit\n ldmxcsr usual\n popal\n ret\n"
    "usual: .long 0x1f80\n");

static const char *name;
static uint32_t start;

static void handler(int number, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  greg_t *r = u->uc_mcontext.gregs;
  int trap = r[REG_TRAPNO];
  printf("%s: signal %d code %d", name, number, info->si_code);
  uint32_t address = (uint32_t)info->si_addr, inside = address - start;
  if (inside < 64) printf(" at +%u", inside);
  else printf(" at %08x", address);
  printf(" trap %d error %x", trap, trap == 14 ? r[REG_ERR] & ~1 : r[REG_ERR]); /* whether the page has been touched before */
  if (trap == 14) printf(" cr2 %08lx", u->uc_mcontext.cr2 - start < 64 ? u->uc_mcontext.cr2 - start : u->uc_mcontext.cr2);
  uint32_t eip = r[REG_EIP];
  if (eip - start < 64) printf(" eip +%u", eip - start);
  else printf(" eip %08x", eip);
  uint32_t esp = r[REG_ESP];
  if (case_stack - esp < 256) printf(" esp -%u", case_stack - esp);
  else printf(" esp %08x", esp);
  printf(" eax %08x ebx %08x ecx %08x esi %08x edi %08x ebp %08x", r[REG_EAX], r[REG_EBX], r[REG_ECX], r[REG_ESI], r[REG_EDI], r[REG_EBP]);
  printf(" cs %x ss %x ds %x es %x eflags %x", r[REG_CS] & 0xffff, r[REG_SS] & 0xffff, r[REG_DS] & 0xffff, r[REG_ES] & 0xffff, r[REG_EFL]);
  const struct _libc_fpstate *f = u->uc_mcontext.fpregs;
  printf(" fcw %lx fsw %lx tag %lx mxcsr %x\n", f->cw & 0xffff, f->sw & 0xffff, f->tag & 0xffff, ((const uint32_t *)(f + 1))[6]);
  r[REG_EIP] = (uint32_t)recover;
  r[REG_EFL] &= ~0x100; /* TF */
  r[REG_ESP] = case_stack;
}

#define CASES(C) \
  C(read_null, "mov 0, %eax") \
  C(write_null, "movb $1, 0") \
  C(read_null_member, "xor %eax, %eax\n mov 12(%eax), %ebx") \
  C(jump_null, "xor %eax, %eax\n jmp *%eax") \
  C(call_null, "xor %eax, %eax\n call *%eax") \
  C(read_unmapped, "mov $" UNMAPPED ", %ebx\n mov 3(%ebx), %eax") \
  C(write_unmapped, "mov $" UNMAPPED ", %ebx\n mov %eax, (%ebx)") \
  C(jump_unmapped, "mov $" UNMAPPED ", %ebx\n jmp *%ebx") \
  C(read_into_unmapped, "mov " UNMAPPED "-2, %eax") \
  C(read_no_access, "mov " NO_ACCESS ", %eax") \
  C(write_no_access, "mov %eax, " NO_ACCESS) \
  C(write_read_only, "mov %eax, " READ_ONLY) \
  C(add_read_only, "addl $1, " READ_ONLY) \
  C(compare_read_only, "cmpl $1, " READ_ONLY "\n ud2") \
  C(write_into_read_only, "mov %eax, " WRITABLE "+0xffe") \
  C(read_past_end, "mov " PAST_END ", %eax") \
  C(write_past_end, "mov %al, " PAST_END "+5") \
  C(push_read_only, "mov $" READ_ONLY "+16, %esp\n push %eax") \
  C(call_unmapped_stack, "mov $" UNMAPPED "+16, %esp\n call recover") \
  C(pop_unmapped_stack, "mov $" UNMAPPED ", %esp\n pop %eax") \
  C(pusha_read_only, "mov $" READ_ONLY "+64, %esp\n pusha") \
  C(copy_to_read_only, "mov $" READ_ONLY "+0x100, %esi\n mov $" WRITABLE "+0xff8, %edi\n mov $5, %ecx\n rep movsl") \
  C(copy_from_unmapped, "mov $" UNMAPPED "-6, %esi\n mov $" WRITABLE ", %edi\n mov $9, %ecx\n rep movsb") \
  C(fill_read_only_down, "std\n mov $" WRITABLE "+8, %edi\n mov $3000, %ecx\n rep stosl") \
  C(int3, "int3\n nop") \
  C(int3_long, ".byte 0xcd, 3\n nop") \
  C(int4, "int $4\n nop") \
  C(into, "mov $0x7fffffff, %eax\n inc %eax\n into\n nop") \
  C(int_5, "int $5") \
  C(int_81, "int $0x81") \
  C(int_255, "int $255") \
  C(bound, "movl $3, " WRITABLE "\n movl $9, " WRITABLE "+4\n mov $10, %eax\n bound %eax, " WRITABLE) \
  C(ud2, "stc\n ud2") \
  C(lock_without_memory, ".byte 0xf0, 0x01, 0xd8") \
  C(divide_by_zero, "xor %ecx, %ecx\n div %ecx") \
  C(divide_overflow, "mov $0x80000000, %eax\n cltd\n mov $-1, %ecx\n idiv %ecx") \
  C(aam_zero, ".byte 0xd4, 0") \
  C(hlt, "hlt") \
  C(cli, "cli") \
  C(in, "in $0x80, %al") \
  C(out, "mov $0x80, %edx\n out %al, %dx") \
  C(outs, "mov $" READ_ONLY ", %esi\n mov $0x80, %edx\n outsb") \
  C(mov_cr0, "mov %cr0, %eax") \
  C(mov_dr7, "mov %dr7, %eax") \
  C(lgdt, "lgdt " WRITABLE) \
  C(rdmsr, "rdmsr") \
  C(selector_kernel, "mov $0x10, %eax\n mov %ax, %ds") \
  C(selector_limit, "mov $0x1003, %eax\n mov %ax, %es") \
  C(selector_local, "mov $0x2f, %eax\n mov %ax, %fs") \
  C(null_stack, "xor %eax, %eax\n mov %ax, %ss") \
  C(null_segment, "xor %eax, %eax\n mov %ax, %es\n mov %es:(%ebx), %eax") \
  C(far_jump_data, "ljmp $0x2b, $0") \
  C(far_jump_null, "ljmp $0, $0") \
  C(far_return, "push $0x1003\n push $0\n lret") \
  C(align_sse, "movaps " WRITABLE "+4, %xmm0") \
  C(single_step, "push $0x302\n popf\n nop\n nop") \
  C(single_step_jump, "push $0x302\n popf\n jmp 1f\n nop\n1: nop") \
  C(x87_divide, "push $0x37b\n fldcw (%esp)\n fld1\n fldz\n fdivrp\n fwait") \
  C(x87_divide_no_wait, "push $0x37b\n fldcw (%esp)\n fld1\n fldz\n fdivrp\n nop\n fldz") \
  C(x87_invalid, "push $0x37e\n fldcw (%esp)\n fldz\n fldz\n fdivrp\n fwait") \
  C(x87_denormal, "push $0x37d\n fldcw (%esp)\n push $1\n flds (%esp)\n fwait") \
  C(x87_overflow, "push $0x377\n fldcw (%esp)\n push $0x7f7fffff\n flds (%esp)\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fmul %st, %st\n fwait") \
  C(x87_underflow, "push $0x36f\n fldcw (%esp)\n push $0\n push $0x00800000\n flds (%esp)\n fstps 4(%esp)\n flds (%esp)\n fmul %st, %st\n fstps (%esp)\n fwait") \
  C(x87_inexact, "push $0x35f\n fldcw (%esp)\n fldpi\n fsqrt\n fwait") \
  C(x87_stack, "push $0x37e\n fldcw (%esp)\n fstp %st(0)\n fwait") \
  C(x87_stack_over, "push $0x37e\n fldcw (%esp)\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fwait") \
  C(x87_emms, "push $0x37b\n fldcw (%esp)\n fld1\n fldz\n fdivrp\n emms") \
  C(sse_divide, "push $0x1d80\n ldmxcsr (%esp)\n pcmpeqd %xmm1, %xmm1\n psrld $25, %xmm1\n pslld $23, %xmm1\n xorps %xmm2, %xmm2\n divps %xmm2, %xmm1") \
  C(sse_invalid, "push $0x1f00\n ldmxcsr (%esp)\n xorps %xmm2, %xmm2\n divss %xmm2, %xmm2") \
  C(sse_inexact, "push $0x0f80\n ldmxcsr (%esp)\n mov $3, %eax\n cvtsi2sd %eax, %xmm0\n sqrtsd %xmm0, %xmm0") \
  C(sse_denormal, "push $0x1e80\n ldmxcsr (%esp)\n mov $1, %eax\n movd %eax, %xmm0\n addss %xmm0, %xmm0") \
  C(sse_overflow, "push $0x1b80\n ldmxcsr (%esp)\n mov $0x7f7fffff, %eax\n movd %eax, %xmm0\n addss %xmm0, %xmm0") \
  C(sse_underflow, "push $0x1780\n ldmxcsr (%esp)\n mov $0x00800000, %eax\n movd %eax, %xmm0\n mulss %xmm0, %xmm0") \
  C(mxcsr_reserved, "push $0x10000\n ldmxcsr (%esp)") \
  C(no_such_call, "mov $9999, %eax\n int $0x80\n ud2") \
  C(call_with_bad_pointer, "mov $4, %eax\n mov $1, %ebx\n mov $" UNMAPPED ", %ecx\n mov $1, %edx\n int $0x80\n ud2")

#define DECLARE(n, text) \
  void case_##n(void); \
  __asm__(".globl case_" #n "\n.p2align 6\ncase_" #n ": " text "\n ret\n");
CASES(DECLARE)

#define ENTRY(n, text) {#n, case_##n},
static const struct { const char *name; void (*code)(void); } cases[] = {CASES(ENTRY)};

static void *map(uint32_t at, int pages, int protection, int flags, int fd) {
  return mmap((void *)at, pages * PAGE, protection, flags | MAP_FIXED, fd, 0);
}

int main(int argc, char **argv) {
  const int any = PROT_READ | PROT_WRITE, own = MAP_PRIVATE | MAP_ANONYMOUS;
  map(BASE, 1, PROT_READ, own, -1);
  map(BASE + PAGE, 1, PROT_NONE, own, -1);
  map(BASE + 3 * PAGE, 1, any, own, -1);
  map(BASE + 4 * PAGE, 1, PROT_READ, own, -1);
  map(BASE + 7 * PAGE, 1, any, own, -1);
  int fd = memfd_create("short", 0);
  if (ftruncate(fd, PAGE)) return 1;
  map(BASE + 10 * PAGE, 2, any, MAP_SHARED, fd);
  static char stack[65536];
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static const int signals[] = {SIGILL, SIGTRAP, SIGFPE, SIGSEGV, SIGBUS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    name = cases[i].name;
    if (argc > 1 && strcmp(argv[1], name)) continue;
    start = (uint32_t)cases[i].code;
    call_case(cases[i].code);
  }
  return 0;
}
