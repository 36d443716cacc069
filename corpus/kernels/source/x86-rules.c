/*
 * Rules of the privileged x86 architecture (Intel SDM volume 3), each checked by this kernel on the machine that it runs on.
 * Prints a line for each rule on the first serial port; leaves through port 0xf4 with the number of those that do not hold.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ASM __asm__ volatile

/* What a handler finds: pusha, vector, error code, then what the processor pushed. */
struct frame {
  u32 edi, esi, ebp, esp_, ebx, edx, ecx, eax, vector, code, eip, cs, eflags, esp, ss, es, ds, fs, gs;
};

int attempt(void (*f)(void));
void enter(u32 eip, u32 cs, u32 eflags, u32 esp, u32 ss);
void enter_virtual(u32 cs, u32 ip, u32 ss, u32 sp, u32 eflags, u32 ds);
void to_real(void);
extern u8 stubs[], real_code[], real_code_end[], stack_top[];

static u64 gdt[40];
static u64 idt[64];
static u32 tss[26 + 32], tss2[26];
static u16 tss16[22];
static u8 user_stack[4096], ring0_stack[4096], task_stack[4096];
static struct frame last;
static u32 last_cr2, last_at;
volatile u32 result;

static inline void outb(u16 port, u8 value) { ASM("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
  u8 value;
  ASM("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static void putc(char c) {
  while (!(inb(0x3fd) & 0x20))
    ;
  outb(0x3f8, c);
}
static void puts(const char *s) {
  while (*s) putc(*s++);
}
static void hex(u32 n) {
  for (int shift = 28; shift >= 0; shift -= 4) putc("0123456789abcdef"[(n >> shift) & 15]);
}
void *memcpy(void *to, const void *from, u32 n) {
  for (u32 i = 0; i < n; i++) ((u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}
void *memset(void *to, int value, u32 n) {
  for (u32 i = 0; i < n; i++) ((volatile u8 *)to)[i] = value;
  return to;
}

static u32 failures;
static void expect(const char *rule, u32 got, u32 wanted) {
  puts(got == wanted ? "ok   " : "FAIL ");
  puts(rule);
  if (got != wanted) {
    failures++;
    puts(": ");
    hex(got);
    puts(" instead of ");
    hex(wanted);
  }
  puts("\n");
}

void caught(struct frame *f) {
  memcpy(&last, f, sizeof last);
  last_at = (u32)f;
  ASM("mov %%cr2, %0" : "=r"(last_cr2));
}

/* Vector, and the error code above it. */
static u32 fault_of(void (*f)(void)) {
  int vector = attempt(f);
  return vector < 0 ? 0xffffffff : (u32)vector | last.code << 8;
}
#define FAULT(vector, code) ((u32)(vector) | (u32)(code) << 8)
#define NONE 0xffffffff
enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC };

static u64 descriptor(u32 base, u32 limit, u32 access, u32 flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)((limit >> 16) & 15) << 48 | (u64)flags << 52 |
         (u64)(base >> 24) << 56;
}
static u64 gate(u32 selector, u32 offset, u32 access, u32 parameters) {
  return (offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 | (u64)access << 40 | (u64)(offset >> 16) << 48;
}
enum {
  CODE = 0x08, DATA = 0x10, UCODE = 0x1b, UDATA = 0x23, TASK = 0x28, TASK2 = 0x30, CODE16 = 0x38, DATA16 = 0x40, LIMITED = 0x48,
  DOWN = 0x50, READONLY = 0x58, EXECONLY = 0x60, ABSENT = 0x68, CONFORMING = 0x70, GATE3 = 0x78, GATE0 = 0x80, SMALLCODE = 0x88,
  TASKGATE = 0x90, LDT = 0x98, SYS = 0xa0, NEARLY = 0xa8,
  TASK16 = 0xb0, TASK16CODE = 0xb8
};
static u64 ldt[2];

static void lgdt(void *table, u32 limit) {
  struct { u16 limit; u32 base; } __attribute__((packed)) r = {limit, (u32)table};
  ASM("lgdt %0" ::"m"(r));
}
static void lidt(void *table, u32 limit) {
  struct { u16 limit; u32 base; } __attribute__((packed)) r = {limit, (u32)table};
  ASM("lidt %0" ::"m"(r));
}

static void set_up(void) {
  gdt[CODE / 8] = descriptor(0, 0xfffff, 0x9b, 0xc);
  gdt[DATA / 8] = descriptor(0, 0xfffff, 0x93, 0xc);
  gdt[UCODE / 8] = descriptor(0, 0xfffff, 0xfb, 0xc);
  gdt[UDATA / 8] = descriptor(0, 0xfffff, 0xf3, 0xc);
  gdt[TASK / 8] = descriptor((u32)tss, sizeof tss - 1, 0x89, 0);
  gdt[TASK2 / 8] = descriptor((u32)tss2, sizeof tss2 - 1, 0x89, 0);
  gdt[CODE16 / 8] = descriptor(0, 0xffff, 0x9b, 0);
  gdt[DATA16 / 8] = descriptor(0, 0xffff, 0x93, 0);
  gdt[LIMITED / 8] = descriptor(0x200000, 0xfff, 0x92, 4);
  gdt[DOWN / 8] = descriptor(0x200000, 0xfff, 0x96, 0);
  gdt[READONLY / 8] = descriptor(0x200000, 0xfff, 0x90, 4);
  gdt[EXECONLY / 8] = descriptor(0, 0xfffff, 0x98, 0xc);
  gdt[ABSENT / 8] = descriptor(0, 0xfffff, 0x12, 0xc);
  gdt[CONFORMING / 8] = descriptor(0, 0xfffff, 0x9e, 0xc);
  gdt[SMALLCODE / 8] = descriptor(0, 0xfff, 0x9a, 4);
  gdt[TASKGATE / 8] = gate(TASK2, 0, 0xe5, 0);
  gdt[LDT / 8] = descriptor((u32)ldt, sizeof ldt - 1, 0x82, 0);
  gdt[SYS / 8] = descriptor(0, 0xfff, 0x82, 0);
  lgdt(gdt, sizeof gdt - 1);
  ASM("ljmp $0x08, $1f\n1: mov %0, %%ds\nmov %0, %%es\nmov %0, %%ss\nmov %1, %%fs\nmov %1, %%gs" ::"r"(DATA), "r"(0));
  for (u32 n = 0; n < 64; n++) idt[n] = gate(CODE, (u32)stubs + 16 * n, n == 0x30 || n == BP || n == OF ? 0xee : 0x8e, 0);
  idt[0x31] = gate(CODE, (u32)stubs + 16 * 0x31, 0x8f, 0);
  idt[0x32] = gate(CODE, (u32)stubs + 16 * 0x32, 0x0e, 0);
  lidt(idt, sizeof idt - 1);
  tss[1] = (u32)ring0_stack + sizeof ring0_stack;
  tss[2] = DATA;
  tss[25] = 104 << 16;
  /* ports 0 to 0x3f are allowed but for 0x21; the byte of ones ends the map */
  memset((u8 *)tss + 104, 0xff, 128);
  memset((u8 *)tss + 104, 0, 8);
  ((u8 *)tss)[104 + 4] = 2;
  ASM("ltr %w0\nlldt %w1" ::"r"(TASK), "r"(0));
}

/* Segments */

static void load_fs(u32 selector) { ASM("mov %0, %%fs" ::"r"(selector)); }
static u32 segment_argument;
static void try_fs(void) { load_fs(segment_argument); }
static void try_ss(void) { ASM("mov %0, %%ss" ::"r"(segment_argument)); }
static u32 fs_fault(u32 selector) {
  segment_argument = selector;
  return fault_of(try_fs);
}
static u32 ss_fault(u32 selector) {
  segment_argument = selector;
  return fault_of(try_ss);
}
static void fs_read_last(void) { ASM("mov %%fs:0xffc, %%eax" ::: "eax"); }
static void fs_read_beyond(void) { ASM("mov %%fs:0xffd, %%eax" ::: "eax"); }
static void fs_byte_last(void) { ASM("movb %%fs:0xfff, %%al" ::: "eax"); }
static void fs_write(void) { ASM("movl $1, %%fs:0x10" ::: "memory"); }
static void fs_read_16(void) { ASM("mov %%fs:0x1000, %%eax" ::: "eax"); }
static void fs_read_high(void) { ASM("mov %%fs:0xfffe, %%eax" ::: "eax"); }
static void cs_write(void) { ASM("movl $1, %%cs:0x200000" ::: "memory"); }
static void fs_with(u32 selector, void (*f)(void), u32 wanted, const char *rule) {
  load_fs(selector);
  expect(rule, fault_of(f), wanted);
}

static void segments(void) {
  fs_with(LIMITED, fs_read_last, NONE, "four bytes up to the limit");
  fs_with(LIMITED, fs_read_beyond, FAULT(GP, 0), "a dword that goes beyond the limit");
  fs_with(LIMITED, fs_byte_last, NONE, "the last byte");
  fs_with(LIMITED, fs_write, NONE, "a write to writable data");
  expect("its descriptor is marked accessed", (u32)(gdt[LIMITED / 8] >> 40) & 0xff, 0x93);
  fs_with(DOWN, fs_write, FAULT(GP, 0), "expand-down: below the limit");
  fs_with(DOWN, fs_read_last, FAULT(GP, 0), "expand-down: at the limit");
  fs_with(DOWN, fs_read_16, NONE, "expand-down: above the limit");
  fs_with(DOWN, fs_read_high, FAULT(GP, 0), "expand-down: beyond 64 KiB without B");
  fs_with(READONLY, fs_read_last, NONE, "a read of read-only data");
  fs_with(READONLY, fs_write, FAULT(GP, 0), "a write to read-only data");
  fs_with(CODE, fs_read_last, NONE, "a read of readable code");
  fs_with(0, fs_read_last, FAULT(GP, 0), "an access through a null selector");
  expect("a write through CS", fault_of(cs_write), FAULT(GP, 0));
  expect("null with an RPL", fs_fault(3), NONE);
  expect("execute-only code", fs_fault(EXECONLY), FAULT(GP, EXECONLY));
  expect("absent data", fs_fault(ABSENT), FAULT(NP, ABSENT));
  expect("a system descriptor", fs_fault(SYS), FAULT(GP, SYS));
  expect("beyond the GDT", fs_fault(0x1000), FAULT(GP, 0x1000));
  expect("in an LDT that is not there", fs_fault(4), FAULT(GP, 4));
  expect("RPL 3 of DPL 0", fs_fault(DATA | 3), FAULT(GP, DATA));
  expect("SS null", ss_fault(0), FAULT(GP, 0));
  expect("SS with another DPL", ss_fault(UDATA), FAULT(GP, UDATA & ~3));
  expect("SS read-only", ss_fault(READONLY), FAULT(GP, READONLY));
  expect("SS absent", ss_fault(ABSENT), FAULT(SS, ABSENT));
  load_fs(0);
  ldt[1] = descriptor(0x200000, 0xfff, 0x93, 4);
  ASM("lldt %w0" ::"r"(LDT));
  expect("through the LDT", fs_fault(0xc), NONE);
  expect("beyond the LDT", fs_fault(0x14), FAULT(GP, 0x14));
  ASM("lldt %w0" ::"r"(0));
}

static u32 lar(u32 selector) {
  u32 rights = 0;
  ASM("lar %1, %0\njz 1f\nmov $0, %0\n1:" : "+r"(rights) : "r"(selector) : "cc");
  return rights;
}
static u32 lsl(u32 selector) {
  u32 limit = 0x12345678;
  ASM("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
  return limit;
}
#define VERIFY(instruction, selector)                                                       \
  ({                                                                                        \
    u8 ok;                                                                                  \
    ASM(#instruction " %w1\nsetz %0" : "=q"(ok) : "r"((u32)(selector)) : "cc");             \
    ok;                                                                                     \
  })
static void store_lldt(void) { ASM("lldt %w0" ::"r"(CODE)); }
static void store_ltr(void) { ASM("ltr %w0" ::"r"(TASK)); }
static void questions(void) {
  expect("LAR of code", lar(CODE) & 0xf0ff00, 0x00c09b00);
  expect("LAR of a TSS", lar(TASK), 0x00008b00);
  expect("LAR of a task gate", lar(TASKGATE) & 0xff00, 0xe500);
  expect("LAR beyond the table", lar(0x1000), 0);
  expect("LAR with RPL 3 of DPL 0", lar(DATA | 3), 0);
  expect("LAR of conforming code with RPL 3", lar(CONFORMING | 3) & 0xfe00, 0x9e00);
  expect("LSL with granularity", lsl(DATA), 0xffffffff);
  expect("LSL in bytes", lsl(LIMITED), 0xfff);
  expect("LSL of a gate", lsl(TASKGATE), 0x12345678);
  expect("VERR of data", VERIFY(verr, DATA), 1);
  expect("VERR of execute-only code", VERIFY(verr, EXECONLY), 0);
  expect("VERW of read-only data", VERIFY(verw, READONLY), 0);
  expect("VERW of data", VERIFY(verw, LIMITED), 1);
  expect("VERW of code", VERIFY(verw, CODE), 0);
  u32 tr;
  ASM("str %0" : "=r"(tr));
  expect("STR", tr, TASK);
  expect("the TSS is busy", (u32)(gdt[TASK / 8] >> 40) & 0xff, 0x8b);
  expect("LTR of a busy TSS", fault_of(store_ltr), FAULT(GP, TASK));
  expect("LLDT of code", fault_of(store_lldt), FAULT(GP, CODE));
}

/* Far transfers at one level */

static void far_jump_null(void) { ASM("ljmp $0, $0"); }
static void far_jump_data(void) { ASM("ljmp $0x10, $0"); }
static void far_jump_user(void) { ASM("ljmp $0x18, $0"); }
static void far_jump_limit(void) { ASM("ljmp $0x88, $0x1000"); }
static void far_jump_absent(void) { ASM("ljmp $0x68, $0"); }
static void far_call_gate(void) { ASM("lcall $0x80, $0"); }
static void after_gate(void) { ASM("mov %%cs, %0\nlret" : "=r"(result)); }
static void far_transfers(void) {
  expect("JMP to null", fault_of(far_jump_null), FAULT(GP, 0));
  expect("JMP to data", fault_of(far_jump_data), FAULT(GP, DATA));
  expect("JMP to another DPL", fault_of(far_jump_user), FAULT(GP, UCODE & ~3));
  expect("JMP beyond the limit", fault_of(far_jump_limit), FAULT(GP, 0));
  expect("JMP to absent data", fault_of(far_jump_absent), FAULT(GP, ABSENT));
  u32 cs;
  ASM("ljmp $0x70, $1f\n1: mov %%cs, %0\nljmp $0x08, $2f\n2:" : "=r"(cs));
  expect("JMP to conforming code", cs, CONFORMING);
  ASM("push %%cs\npush $1f\nlret\n1: mov %%cs, %0" : "=r"(cs));
  expect("RET far", cs, CODE);
  ASM("push $7\npush $8\npush %%cs\npush $1f\nlret $8\n1: mov %%cs, %0" : "=r"(cs));
  expect("RET far with a count", cs, CODE);
  u32 before, after;
  gdt[GATE0 / 8] = gate(CODE, (u32)after_gate, 0x8c, 0);
  ASM("mov %%esp, %0\nlcall $0x80, $0\nmov %%esp, %1" : "=&r"(before), "=&r"(after)::"eax", "ecx", "edx");
  expect("CALL through a gate of the same level", before - after, 0);
  gdt[GATE0 / 8] = gate(CODE, 0, 0x0c, 0);
  expect("CALL through an absent gate", fault_of(far_call_gate), FAULT(NP, GATE0));
  gdt[GATE0 / 8] = gate(DATA, 0, 0x8c, 0);
  expect("CALL through a gate to data", fault_of(far_call_gate), FAULT(GP, DATA));
  gdt[GATE0 / 8] = gate(0, 0, 0x8c, 0);
  expect("CALL through a gate to null", fault_of(far_call_gate), FAULT(GP, 0));
}

/* ENTER with 32 bits, where the stack segment has it push at SP */

static void enter_narrow(void) {
  u32 sp, bp;
  gdt[DATA16 / 8] = descriptor((u32)user_stack, 0xffff, 0x93, 0);
  ASM("mov %%esp, %%ecx\n"
      "mov %%ebp, %%edx\n"
      "mov %2, %%ss\n"
      "mov $0x12340400, %%esp\n"
      "enter $16, $0\n"
      "xchg %%esp, %%ecx\n"
      "xchg %%ebp, %%edx\n"
      "mov %3, %%ss"
      : "=&c"(sp), "=&d"(bp)
      : "r"(DATA16), "r"(DATA)
      : "memory");
  expect("ENTER: EBP has all of ESP", bp, 0x123403fc);
  expect("and ESP keeps its upper half", sp, 0x123403ec);
  gdt[DATA16 / 8] = descriptor(0, 0xffff, 0x93, 0);
}

/* User mode */

static void (*user_code)(void);
static u32 user_flags;
static void go_user(void) {
  enter((u32)user_code, UCODE, user_flags, (u32)user_stack + sizeof user_stack - 64, UDATA);
}
/* The vector that ends `f` at CPL 3, with the error code. */
static u32 user_fault(void (*f)(void)) {
  user_code = f;
  return fault_of(go_user);
}
static void user_fault_is(const char *rule, void (*f)(void), u32 wanted) { expect(rule, user_fault(f), wanted); }
#define USER(name, text) \
  static void name(void) { ASM(text "\nint $0x30\njmp ." ::: "eax", "ecx", "edx", "memory"); }
USER(u_nothing, "nop")
USER(u_hlt, "hlt")
USER(u_cli, "cli")
USER(u_lgdt, "lgdt user_word")
USER(u_cr0, "mov %%cr0, %%eax")
USER(u_cr3, "mov %%eax, %%cr3")
USER(u_dr, "mov %%dr7, %%eax")
USER(u_rdmsr, "mov $0x174, %%ecx\nrdmsr")
USER(u_invlpg, "invlpg 0")
USER(u_wbinvd, "wbinvd")
USER(u_clts, "clts")
USER(u_lmsw, "lmsw %%ax")
USER(u_smsw, "smsw %%eax")
USER(u_sgdt, "sgdt user_word")
USER(u_sysexit, "sysexit")
USER(u_in_allowed, "inb $0x20, %%al")
USER(u_in_denied, "inb $0x21, %%al")
USER(u_in_word, "inw $0x20, %%ax")
USER(u_in_beyond, "mov $0x1000, %%edx\ninb %%dx, %%al")
USER(u_int_denied, "int $0x33")
USER(u_int_absent, "int $0x32")
USER(u_int_beyond, "int $0x80")
USER(u_int3, "int3")
USER(u_into, "mov $0x7fffffff, %%eax\nadd $1, %%eax\ninto")
USER(u_popf, "pushl $0x3202\npopf\npushf\npop %%eax\nmov %%eax, result")
USER(u_misaligned, "movl $0, %%fs:1")
USER(u_align, "mov user_word+1, %%eax")
USER(u_load_kernel, "mov $0x10, %%eax\nmov %%eax, %%fs")
USER(u_conforming, "lcall $0x70, $user_conforming")
USER(u_gate, "pushl $0x2222\npushl $0x1111\nlcall $0x7b, $0\nmov %%esp, result")
USER(u_gate0, "lcall $0x80, $0")
USER(u_ljmp_gate, "ljmp $0x7b, $0")
USER(u_lret_inner, "pushl $0x08\npushl $0\nlret")
USER(u_sysenter, "mov %%esp, %%ecx\nmov $1f, %%edx\nsysenter\n1:")
u32 user_word[4];
void user_conforming(void);
__asm__(".globl user_conforming\nuser_conforming: mov %cs, result\nlret");
/* A call gate's handler with two parameters. */
u32 gate_stack[6];
void at_gate(void);
__asm__("at_gate: push %eax\nlea 4(%esp), %eax\npushl (%eax)\npopl %ss:gate_stack\npushl 4(%eax)\npopl %ss:gate_stack+4\npushl 8(%eax)\npopl "
    "%ss:gate_stack+8\npushl 12(%eax)\npopl %ss:gate_stack+12\npushl 16(%eax)\npopl %ss:gate_stack+16\npushl 20(%eax)\npopl "
    "%ss:gate_stack+20\npop %eax\nlret $8");
void at_sysenter(void);
u32 sysenter_cs, sysenter_ss;
__asm__("at_sysenter: mov %cs, %ss:sysenter_cs\nmov %ss, %ss:sysenter_ss\nsysexit");

static void wrmsr(u32 number, u32 value) { ASM("wrmsr" ::"c"(number), "a"(value), "d"(0)); }
static void user_mode(void) {
  user_flags = 2;
  user_fault_is("INT n through a gate of DPL 3", u_nothing, FAULT(0x30, 0));
  expect("SS0:ESP0 is the stack", last_at + sizeof(struct frame) - 16, tss[1]);
  expect("CS pushed", last.cs, UCODE);
  expect("SS pushed", last.ss & 0xffff, UDATA);
  expect("ESP pushed", last.esp, (u32)user_stack + sizeof user_stack - 64);
  user_fault_is("HLT", u_hlt, FAULT(GP, 0));
  user_fault_is("CLI", u_cli, FAULT(GP, 0));
  user_fault_is("LGDT", u_lgdt, FAULT(GP, 0));
  user_fault_is("MOV from CR0", u_cr0, FAULT(GP, 0));
  user_fault_is("MOV to CR3", u_cr3, FAULT(GP, 0));
  user_fault_is("MOV from DR7", u_dr, FAULT(GP, 0));
  user_fault_is("RDMSR", u_rdmsr, FAULT(GP, 0));
  user_fault_is("INVLPG", u_invlpg, FAULT(GP, 0));
  user_fault_is("WBINVD", u_wbinvd, FAULT(GP, 0));
  user_fault_is("CLTS", u_clts, FAULT(GP, 0));
  user_fault_is("LMSW", u_lmsw, FAULT(GP, 0));
  user_fault_is("SMSW is not privileged", u_smsw, FAULT(0x30, 0));
  user_fault_is("SGDT is not privileged", u_sgdt, FAULT(0x30, 0));
  expect("SGDT stores all of the base", user_word[0] >> 16 | user_word[1] << 16, (u32)gdt);
  user_fault_is("SYSEXIT", u_sysexit, FAULT(GP, 0));
  user_fault_is("IN of a port that the bitmap allows", u_in_allowed, FAULT(0x30, 0));
  user_fault_is("IN of one that it denies", u_in_denied, FAULT(GP, 0));
  user_fault_is("IN of two, one of them denied", u_in_word, FAULT(GP, 0));
  user_fault_is("IN beyond the bitmap", u_in_beyond, FAULT(GP, 0));
  user_fault_is("INT n through a gate of DPL 0", u_int_denied, FAULT(GP, 0x33 * 8 + 2));
  user_fault_is("INT n through an absent gate of DPL 0", u_int_absent, FAULT(GP, 0x32 * 8 + 2));
  user_fault_is("INT n beyond the IDT", u_int_beyond, FAULT(GP, 0x80 * 8 + 2));
  user_fault_is("INT3", u_int3, FAULT(BP, 0));
  user_fault_is("INTO", u_into, FAULT(OF, 0));
  user_fault_is("POPF at IOPL 0", u_popf, FAULT(0x30, 0));
  expect("leaves IF and IOPL", result & 0x3200, 0);
  user_flags = 0x3002;
  user_fault_is("CLI at IOPL 3", u_cli, FAULT(0x30, 0));
  user_fault_is("IN at IOPL 3", u_in_denied, FAULT(0x30, 0));
  user_fault_is("POPF at IOPL 3", u_popf, FAULT(0x30, 0));
  expect("sets IF, keeps IOPL", result & 0x3200, 0x3200);
  user_flags = 2;
  user_fault_is("FS is null after IRET from an inner level", u_misaligned, FAULT(GP, 0));
  user_fault_is("data of DPL 0", u_load_kernel, FAULT(GP, DATA));
  user_fault_is("CALL to conforming code", u_conforming, FAULT(0x30, 0));
  expect("keeps CPL", result, CONFORMING | 3);
  gdt[GATE3 / 8] = gate(CODE, (u32)at_gate, 0xec, 2);
  user_fault_is("CALL through a gate to CPL 0, with parameters", u_gate, FAULT(0x30, 0));
  expect("CS on the inner stack", gate_stack[1], UCODE);
  expect("first parameter", gate_stack[2], 0x1111);
  expect("second parameter", gate_stack[3], 0x2222);
  expect("SS on the inner stack", gate_stack[5] & 0xffff, UDATA);
  expect("both stacks are released", result, gate_stack[4] + 8);
  user_fault_is("CALL through a gate of DPL 0", u_gate0, FAULT(GP, GATE0));
  user_fault_is("JMP through a gate to an inner level", u_ljmp_gate, FAULT(GP, CODE));
  user_fault_is("RET to an inner level", u_lret_inner, FAULT(GP, CODE));
  u32 cr0;
  ASM("mov %%cr0, %0" : "=r"(cr0));
  ASM("mov %0, %%cr0" ::"r"(cr0 | 0x40000));
  user_flags = 0x40002;
  user_fault_is("misaligned with AC and AM", u_align, FAULT(AC, 0));
  ASM("mov %0, %%cr0" ::"r"(cr0));
  user_fault_is("misaligned with AC alone", u_align, FAULT(0x30, 0));
  user_flags = 2;
  wrmsr(0x174, 0);
  user_fault_is("SYSENTER without a selector", u_sysenter, FAULT(GP, 0));
  wrmsr(0x174, CODE);
  wrmsr(0x175, (u32)ring0_stack + 2048);
  wrmsr(0x176, (u32)at_sysenter);
  user_fault_is("SYSENTER and SYSEXIT", u_sysenter, FAULT(0x30, 0));
  expect("CS after SYSENTER", sysenter_cs & 0xffff, CODE);
  expect("SS after SYSENTER", sysenter_ss & 0xffff, DATA);
  expect("CS after SYSEXIT", last.cs, UCODE);
}

/* Interrupt and trap gates, exceptions at CPL 0 */

static void i_nothing(void) { ASM("int $0x33"); }
static void i_gate_interrupt(void) { ASM("sti\nnop\nint $0x33"); }
static void i_gate_trap(void) { ASM("sti\nnop\nint $0x31"); }
static void i_absent(void) { ASM("int $0x32"); }
static void i_ud(void) { ASM("ud2"); }
static void i_divide(void) { ASM("xor %%ecx, %%ecx\ndiv %%ecx" ::: "eax", "ecx", "edx"); }
static void i_bound(void) { ASM("mov $100, %%eax\nbound %%eax, user_word" ::: "eax"); }
static void i_fpu(void) { ASM("fninit"); }
static void i_int1(void) { ASM(".byte 0xf1"); }
static void i_step(void) { ASM("pushf\norl $0x100, (%%esp)\npopf\nnop\nstepped: nop" ::: "memory"); }
static void i_lock(void) { ASM(".byte 0xf0, 0x90"); }
static void i_long(void) { ASM(".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90"); }
static void i_cr4(void) { ASM("mov %0, %%cr4" ::"r"(0x80000000)); }
static void i_cr0(void) { ASM("mov %0, %%cr0" ::"r"(0x80000000)); }
static void i_msr(void) { ASM("rdmsr" ::"c"(0xdead0000) : "eax", "edx"); }
static void break_here(void);
static void i_break(void) { break_here(); }
static void break_here(void) { ASM(".globl broken\nbroken: nop"); }
static u32 watched;
static void i_watch(void) { ASM("movl $5, %0\nwatch_next: nop" : "=m"(watched)); }
static u32 watched_vector[4] __attribute__((aligned(16)));
static void i_watch_vector(void) { ASM("movups %%xmm0, %0\nvector_next: nop" : "=m"(watched_vector)); }
static void i_watch_x87(void) { ASM("fldl %0\nx87_next: nop" ::"m"(watched_vector)); }
static void i_shadow_step(void) {
  ASM("mov %%ss, %%ecx\npushf\norl $0x100, (%%esp)\npopf\nmov %%ecx, %%ss\nnop\nshadow_stepped: nop" ::: "ecx", "memory");
}
static void i_shadow_break(void) { ASM("mov %%ss, %%ecx\nmov %%ecx, %%ss\nshadow_broken: nop" ::: "ecx"); }
extern u8 stepped[], broken[], watch_next[], vector_next[], x87_next[], shadow_stepped[], shadow_broken[];
static u32 dr6(void) {
  u32 value;
  ASM("mov %%dr6, %0" : "=r"(value));
  return value;
}
extern u8 broken_next[];
static void i_break_next(void) { ASM("mov %0, %%dr0\nmov %1, %%dr7\nbroken_next: nop" ::"r"(broken_next), "r"(2)); }
extern u8 broken_rep[];
static u8 repeated[4];
static void i_break_rep(void) {
  ASM("mov $broken_rep, %%ecx\n"
      "mov %%ecx, %%dr0\n"
      "mov $2, %%ecx\n"
      "mov %%ecx, %%dr7\n"
      "mov $4, %%ecx\n"
      "pushl $0x10002\n"
      "push %%cs\n"
      "push $broken_rep\n"
      "iret\n"
      "broken_rep: rep stosb" ::"a"(7), "D"(repeated) : "ecx", "memory");
}
static void i_read_dr4(void) { ASM("mov %%dr4, %%eax" ::: "eax"); }
extern u8 x87_long_next[], environment_next[], image_next[], port_next[], rep_copy[], rep_fill[], rep_find[], rep_out[];
static u8 image[512] __attribute__((aligned(16)));
static void i_watch_x87_long(void) { ASM("fninit\nfldz\nfstpt %0\nx87_long_next: nop" : "=m"(image)); }
static void i_watch_last(void) { ASM("mov 0xfffffffc, %%eax" ::: "eax"); }
static void i_watch_environment(void) { ASM("fnstenv %0\nenvironment_next: nop" : "=m"(image)); }
static void i_watch_image(void) { ASM("fxsave %0\nimage_next: nop" : "=m"(image)); }
static void i_watch_copy(void) {
  ASM("rep_copy: rep movsb" ::"S"(image), "D"(image + 16), "c"(4) : "memory");
}
static void i_watch_fill(void) {
  ASM("rep_fill: rep stosl" ::"a"(0), "D"(image), "c"(4) : "memory");
}
static void i_watch_find(void) {
  ASM("rep_find: repne scasb" ::"a"(1), "D"(image), "c"(4) : "memory");
}
static void i_watch_none(void) {
  ASM("rep stosl" ::"a"(0), "D"(image), "c"(0) : "memory");
}
static void i_port(void) { ASM("outb %%al, $0x80\nport_next: nop" ::"a"(0)); }
static void i_other_port(void) { ASM("inb $0x81, %%al" ::: "eax"); }
static void i_port_rep(void) {
  ASM("rep_out: rep outsb" ::"d"(0x80), "S"(image), "c"(3));
}
static u16 stack_selector = DATA;
static void i_shadow_watch(void) { ASM("mov %0, %%ss\nint $0x33" ::"m"(stack_selector)); }
extern u8 held_next[];
static void i_watch_held(void) { ASM("sti\nmov %0, %%ss\nnop\nheld_next: nop\ncli" ::"m"(stack_selector)); }
static void i_shadow_watch_int1(void) { ASM("mov %0, %%ss\n.byte 0xf1" ::"m"(stack_selector)); }
extern u8 shadow_stale[];
static int loads_stack;
static void i_shadow_stale(void) {
  ASM("test %0, %0\njz shadow_stale\nmov %%ss, %%ecx\nmov %%ecx, %%ss\nshadow_stale: nop" ::"r"(loads_stack) : "ecx");
}
static void cr4(u32 off, u32 on) { ASM("mov %%cr4, %%eax\nand %0, %%eax\nor %1, %%eax\nmov %%eax, %%cr4" ::"r"(~off), "r"(on) : "eax"); }
static void i_read_debug(void) { ASM("mov %%dr0, %%eax" ::: "eax"); }
static void debug_registers(u32 address, u32 control) {
  ASM("mov %0, %%dr0\nmov %2, %%dr6\nmov %1, %%dr7" ::"r"(address), "r"(control), "r"(0xffff0ff0));
}

static void exceptions(void) {
  expect("INT n", fault_of(i_nothing), FAULT(0x33, 0));
  expect("INT n at CPL 0 needs no DPL", last.cs & 0xffff, CODE);
  expect("an interrupt gate", fault_of(i_gate_interrupt), FAULT(0x33, 0));
  expect("IF was set", last.eflags & 0x200, 0x200);
  expect("a trap gate", fault_of(i_gate_trap), FAULT(0x31, 0));
  expect("an absent gate", fault_of(i_absent), FAULT(NP, 0x32 * 8 + 2));
  expect("UD2", fault_of(i_ud), FAULT(UD, 0));
  expect("RF is pushed by a fault", last.eflags & 0x10000, 0x10000);
  expect("DIV by zero", fault_of(i_divide), FAULT(DE, 0));
  user_word[0] = 1;
  user_word[1] = 9;
  expect("BOUND", fault_of(i_bound), FAULT(BR, 0));
  expect("LOCK NOP", fault_of(i_lock), FAULT(UD, 0));
  expect("an instruction of 16 bytes", fault_of(i_long), FAULT(GP, 0));
  expect("reserved bits of CR4", fault_of(i_cr4), FAULT(GP, 0));
  expect("PG without PE", fault_of(i_cr0), FAULT(GP, 0));
  expect("an MSR that is not there", fault_of(i_msr), FAULT(GP, 0));
  u32 cr0;
  ASM("mov %%cr0, %0" : "=r"(cr0));
  ASM("mov %0, %%cr0" ::"r"((cr0 & ~4) | 8));
  expect("x87 with TS", fault_of(i_fpu), FAULT(NM, 0));
  ASM("clts");
  expect("x87 after CLTS", fault_of(i_fpu), NONE);
  ASM("mov %0, %%cr0" ::"r"(cr0 & ~4));
  expect("INT1", fault_of(i_int1), FAULT(DB, 0));
  debug_registers(0, 0);
  expect("single step", fault_of(i_step), FAULT(DB, 0));
  expect("after one instruction", last.eip, (u32)stepped);
  expect("DR6.BS", dr6() & 0x400f, 0x4000);
  debug_registers((u32)broken, 2);
  expect("an instruction breakpoint", fault_of(i_break), FAULT(DB, 0));
  expect("before the instruction", last.eip, (u32)broken);
  expect("DR6.B0", dr6() & 0x400f, 1);
  debug_registers((u32)&watched, 0x000d0002);
  expect("a data breakpoint", fault_of(i_watch), FAULT(DB, 0));
  expect("after the store", last.eip, (u32)watch_next);
  expect("which is done", watched, 5);
  expect("DR6.B0 again", dr6() & 0x400f, 1);
  debug_registers((u32)watched_vector, 0x000d0002);
  ASM("mov %%cr4, %%eax\nor $0x200, %%eax\nmov %%eax, %%cr4" ::: "eax");
  expect("a data breakpoint met by MOVUPS", fault_of(i_watch_vector), FAULT(DB, 0));
  expect("after it", last.eip, (u32)vector_next);
  debug_registers((u32)watched_vector, 0x000f0002);
  expect("and by FLD", fault_of(i_watch_x87), FAULT(DB, 0));
  expect("after it, too", last.eip, (u32)x87_next);
  debug_registers((u32)image + 8, 0x00070002);
  expect("and by the end of FSTP's ten bytes", fault_of(i_watch_x87_long), FAULT(DB, 0));
  expect("after it", last.eip, (u32)x87_long_next);
  debug_registers(0xfffffffc, 0x000f0002);
  expect("and by a read of the last bytes that there are", fault_of(i_watch_last), FAULT(DB, 0));
  debug_registers((u32)image + 24, 0x000d0002);
  expect("and by FNSTENV", fault_of(i_watch_environment), FAULT(DB, 0));
  expect("after it", last.eip, (u32)environment_next);
  debug_registers((u32)image + 28, 0x000d0002);
  expect("but not beyond its 28 bytes", fault_of(i_watch_environment), NONE);
  debug_registers((u32)image + 288, 0x000d0002);
  expect("and by FXSAVE", fault_of(i_watch_image), FAULT(DB, 0));
  expect("after it", last.eip, (u32)image_next);
  debug_registers((u32)image + 1, 0x00030002);
  expect("and by the source of REP MOVSB", fault_of(i_watch_copy), FAULT(DB, 0));
  expect("after the element that meets it", last.ecx, 2);
  expect("with the rest to do", last.eip, (u32)rep_copy);
  debug_registers((u32)image + 18, 0x00010002);
  expect("and by its destination", fault_of(i_watch_copy), FAULT(DB, 0));
  expect("after that element", last.ecx, 1);
  debug_registers((u32)image + 4, 0x00010002);
  expect("and by REP STOSD", fault_of(i_watch_fill), FAULT(DB, 0));
  expect("after that element", last.ecx << 16 | (last.eip == (u32)rep_fill), 2 << 16 | 1);
  expect("not if there is none", fault_of(i_watch_none), NONE);
  debug_registers((u32)image + 2, 0x00030002);
  expect("and by REPNE SCASB", fault_of(i_watch_find), FAULT(DB, 0));
  expect("after that element", last.ecx << 16 | (last.eip == (u32)rep_find), 1 << 16 | 1);
  debug_registers((u32)&stack_selector, 0x00070002);
  expect("a data breakpoint met by a load of SS, then INT n", fault_of(i_shadow_watch), FAULT(DB, 0));
  expect("comes before the handler's first instruction", last.eip, (u32)stubs + 16 * 0x33);
  expect("but not at all before INT1's", fault_of(i_shadow_watch_int1), FAULT(DB, 0));
  expect("which is no such trap", last.eip >= (u32)stubs && last.eip < (u32)stubs + 16 * 64, 0);
  debug_registers(0, 0);
  ASM("mov %0, %%dr6" ::"r"(0xffffffff));
  expect("bits of DR6 that are fixed", dr6(), 0xffffefff);
  ASM("mov %0, %%dr6" ::"r"(0));
  expect("the others", dr6(), 0xffff0ff0);
  expect("DR4 is DR6", fault_of(i_read_dr4), NONE);
  debug_registers(0x80, 0x00020002);
  expect("no input or output breakpoint without CR4.DE", fault_of(i_port), NONE);
  cr4(0, 8);
  expect("MOV from DR4 with CR4.DE", fault_of(i_read_dr4), FAULT(UD, 0));
  expect("an output breakpoint", fault_of(i_port), FAULT(DB, 0));
  expect("after the instruction", last.eip, (u32)port_next);
  expect("DR6.B0 of it", dr6() & 0x400f, 1);
  expect("another port", fault_of(i_other_port), NONE);
  debug_registers(0x80, 0x00060002);
  expect("an input breakpoint of two ports", fault_of(i_other_port), FAULT(DB, 0));
  expect("REP OUTSB, too", fault_of(i_port_rep), FAULT(DB, 0));
  expect("after the first element", last.ecx << 16 | (last.eip == (u32)rep_out), 2 << 16 | 1);
  cr4(8, 0);
  debug_registers(0, 0);
  loads_stack = 1;
  i_shadow_stale();
  loads_stack = 0;
  debug_registers((u32)shadow_stale, 2);
  expect("a breakpoint where SS was loaded long before", fault_of(i_shadow_stale), FAULT(DB, 0));
  debug_registers((u32)shadow_broken, 2);
  expect("no breakpoint right after a load of SS", fault_of(i_shadow_break), NONE);
  debug_registers(0, 0);
  ASM("pushl $0x10002\npush %%cs\npush $1f\niret\n1:" ::: "memory");
  expect("a breakpoint, long after IRET with RF", fault_of(i_break_next), FAULT(DB, 0));
  expect("none, with RF, of REP STOSB", fault_of(i_break_rep), NONE);
  expect("which is done", *(u32 *)repeated, 0x07070707);
  debug_registers(0, 0x2000);
  expect("a read of a debug register with DR7.GD", fault_of(i_read_debug), FAULT(DB, 0));
  expect("which the handler's entry clears", fault_of(i_read_debug), NONE);
  expect("DR6.BD", dr6() & 0x200f, 0x2000);
  debug_registers(0, 0);
  expect("a single step", fault_of(i_shadow_step), FAULT(DB, 0));
  expect("passes over the instruction after a load of SS", last.eip, (u32)shadow_stepped);
}

/* Interrupts from the timer, while SS is loaded over and over with selectors that say the same in different ways */

volatile u32 ticks, intrusions;
extern u8 tick[];
__asm__(
  "tick: push %eax\n"
  "mov 4(%esp), %eax\n"
  "cmp $after_ss, %eax\n"
  "je 1f\n"
  "cmp $after_ss_again, %eax\n"
  "je 1f\n"
  "cmp $after_sti, %eax\n"
  "jne 2f\n"
  "1: incl intrusions\n"
  "2: incl ticks\n"
  "mov $0x20, %al\n"
  "out %al, $0x20\n"
  "pop %eax\n"
  "iret");

/* One of the serial port, which may send; after interrupts() has set up the controllers. */
static void interrupt_waits(int does) {
  outb(0x21, does ? 0xef : 0xff);
  outb(0x3fc, does ? 8 : 0);
  outb(0x3f9, does ? 2 : 0);
}
static void interrupts(void) {
  u64 saved = idt[0x38];
  idt[0x38] = gate(CODE, (u32)tick, 0x8e, 0);
  gdt[NEARLY / 8] = descriptor(0, 0xffffe, 0x93, 0xc);
  outb(0x20, 0x11);
  outb(0x21, 0x38);
  outb(0x21, 4);
  outb(0x21, 1);
  outb(0x21, 0xfe);
  /* mode 2 at some 100 kHz */
  outb(0x43, 0x34);
  outb(0x40, 12);
  outb(0x40, 0);
  ASM("sti\n"
      "1: mov %0, %%ss\n"
      "after_ss: nop\n"
      "nop\n"
      "mov %1, %%ss\n"
      "after_ss_again: nop\n"
      "cmpl $200, ticks\n"
      "jb 1b\n"
      "cli" ::"r"(NEARLY), "r"(DATA) : "memory");
  expect("no interrupt right after a load of SS", intrusions, 0);
  ASM("1: mov $20, %%ecx\n"
      "2: loop 2b\n"
      "sti\n"
      "after_sti: jmp 3f\n"
      "3: cli\n"
      "cmpl $400, ticks\n"
      "jb 1b" ::: "ecx", "memory");
  outb(0x21, 0xff);
  expect("nor right after STI", intrusions, 0);
  debug_registers((u32)&stack_selector, 0x00070002);
  interrupt_waits(1);
  u32 fault = fault_of(i_watch_held);
  interrupt_waits(0);
  debug_registers(0, 0);
  expect("a data breakpoint met by a load of SS, while an interrupt waits", fault, FAULT(DB, 0));
  expect("comes after the next instruction", last.eip, (u32)held_next);
  idt[0x38] = saved;
}

/* Tasks */

static volatile u32 task_ran;
static void task_body(void) {
  for (;;) {
    u32 flags, tr;
    ASM("pushf\npop %0\nstr %1" : "=r"(flags), "=r"(tr));
    task_ran = tr | (flags & 0x4000) << 8;
    ASM("iret");
  }
}
static void t_call(void) { ASM("lcall $0x30, $0"); }
static void t_gate(void) { ASM("lcall $0x90, $0"); }
static void t_event(void) { ASM("int $0x34"); }
static void t_call_busy(void) { ASM("lcall $0x28, $0"); }
static void t_bad_iret(void) { ASM("pushf\norl $0x4000, (%%esp)\npopf\niret" :::"memory"); }
extern u8 task16_body[];
__asm__("task16_body: mov %eax, result\niret");
static void t_call16(void) { ASM("lcall $0xb0, $0"); }
static void new_task16(void) {
  tss16[7] = 0;
  tss16[8] = 2;
  tss16[9] = 0x1234;
  tss16[17] = tss16[19] = tss16[20] = DATA;
  tss16[18] = TASK16CODE;
  gdt[TASK16CODE / 8] = descriptor((u32)task16_body, 0xffff, 0x9b, 4);
  gdt[TASK16 / 8] = descriptor((u32)tss16, sizeof tss16 - 1, 0x81, 0);
}
static void new_task(void) {
  tss2[8] = (u32)task_body;
  tss2[9] = 2;
  tss2[14] = (u32)task_stack + sizeof task_stack;
  tss2[18] = DATA;
  tss2[19] = CODE;
  tss2[20] = DATA;
  tss2[21] = DATA;
  tss2[22] = tss2[23] = tss2[24] = 0;
  tss2[25] = 104 << 16;
  gdt[TASK2 / 8] = descriptor((u32)tss2, sizeof tss2 - 1, 0x89, 0);
  task_ran = 0;
}
static void first_task(void) {
  gdt[TASK / 8] = descriptor((u32)tss, sizeof tss - 1, 0x89, 0);
  ASM("ltr %w0\npushl $2\npopf" ::"r"(TASK) : "memory");
}
static void tasks(void) {
  new_task();
  expect("CALL of a TSS and back", fault_of(t_call), NONE);
  expect("ran with TR and NT", task_ran, TASK2 | 0x4000 << 8);
  expect("links to the old task", tss2[0] & 0xffff, TASK);
  expect("is not busy any more", (u32)(gdt[TASK2 / 8] >> 40) & 0xff, 0x89);
  u32 cr0;
  ASM("mov %%cr0, %0\nclts" : "=r"(cr0));
  expect("a switch sets TS", cr0 & 8, 8);
  new_task();
  tss2[25] |= 1;
  debug_registers(0, 0);
  expect("CALL of a task whose T flag is set", fault_of(t_gate), FAULT(DB, 0));
  expect("is a trap before its first instruction", last.eip, (u32)task_body);
  expect("DR6.BT", dr6() & 0xe00f, 0x8000);
  first_task();
  new_task();
  tss2[25] |= 1;
  tss2[9] = 0x202;
  interrupt_waits(1);
  u32 fault = fault_of(t_gate);
  interrupt_waits(0);
  expect("so it is while an interrupt waits", fault, FAULT(DB, 0));
  expect("which comes later", last.eip, (u32)task_body);
  first_task();
  new_task();
  tss2[25] |= 1;
  tss2[1] = (u32)task_stack + sizeof task_stack;
  tss2[2] = DATA;
  tss2[8] = 0;
  tss2[9] = 0x20002;
  tss2[19] = 0x2000;
  tss2[20] = 0x3000;
  expect("and of a task in virtual-8086 mode", fault_of(t_gate), FAULT(DB, 0));
  expect("before its first instruction", last.eip << 16 | (last.cs & 0xffff), 0x2000);
  expect("DR6.BT", dr6() & 0xe00f, 0x8000);
  first_task();
  new_task();
  expect("CALL of a task gate", fault_of(t_gate), NONE);
  expect("ran", task_ran & 0xffff, TASK2);
  new_task16();
  expect("CALL of a 16-bit TSS", fault_of(t_call16), NONE);
  expect("has ones in the upper halves of its registers", result, 0xffff1234);
  new_task();
  idt[0x34] = gate(TASK2, 0, 0x85, 0);
  expect("INT through a task gate", fault_of(t_event), NONE);
  expect("ran, too", task_ran & 0xffff, TASK2);
  expect("CALL of a busy TSS", fault_of(t_call_busy), FAULT(GP, TASK));
  tss[0] = 0;
  expect("IRET with NT and no link", fault_of(t_bad_iret), FAULT(TS, 0));
  ASM("clts");
}

/* Paging: 4 MiB each at 0 (identity), 0x400000 (four KiB pages), 0x800000 (a large page) */

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
static u8 frames[3][4096] __attribute__((aligned(4096)));
static u64 pdpt[4] __attribute__((aligned(32)));
static u64 pae_directory[512] __attribute__((aligned(4096)));
static u64 pae_table[512] __attribute__((aligned(4096)));
#define AT(n) ((volatile u32 *)(0x400000 + (n) * 4096))
u32 page_argument;
static void p_read(void) { (void)*(volatile u32 *)page_argument; }
static void p_write(void) { *(volatile u32 *)page_argument = 7; }
static void p_modify(void) { ASM("incl (%0)" ::"r"(page_argument) : "memory"); }
static void i_efer(void) { wrmsr(0xc0000080, 0x801); }
static void p_execute(void) { ((void (*)(void))page_argument)(); }
static u32 read_fault(u32 at) {
  page_argument = at;
  return fault_of(p_read);
}
static u32 write_fault(u32 at) {
  page_argument = at;
  return fault_of(p_write);
}
static u32 modify_fault(u32 at) {
  page_argument = at;
  return fault_of(p_modify);
}
USER(u_page_read, "mov page_argument, %%eax\nmov (%%eax), %%eax")
USER(u_page_write, "mov page_argument, %%eax\nmovl $7, (%%eax)")
static u32 user_read_fault(u32 at) {
  page_argument = at;
  return user_fault(u_page_read);
}
static u32 user_write_fault(u32 at) {
  page_argument = at;
  return user_fault(u_page_write);
}
static inline void flush(void) {
  u32 cr3;
  ASM("mov %%cr3, %0\nmov %0, %%cr3" : "=r"(cr3)::"memory");
}
static void set_cr4(u32 value) { ASM("mov %0, %%cr4" ::"r"(value) : "memory"); }
static void set_paging(u32 cr3, int on, u32 more) {
  u32 cr0;
  ASM("mov %%cr0, %0" : "=r"(cr0));
  cr0 &= ~0x80010000;
  if (on) ASM("mov %0, %%cr3" ::"r"(cr3) : "memory");
  ASM("mov %0, %%cr0" ::"r"(cr0 | (on ? 0x80000000 : 0) | more) : "memory");
}

static void paging(void) {
  for (u32 n = 0; n < 4; n++) *(volatile u32 *)frames[n % 3] = 0x1000 + n % 3;
  set_cr4(0x10);
  directory[0] = 0x87;
  directory[1] = (u32)table | 7;
  directory[2] = 0x87;
  table[0] = (u32)frames[0] | 3;
  table[1] = (u32)frames[1] | 1;
  table[2] = (u32)frames[2] | 7;
  table[3] = (u32)frames[2] | 5;
  set_paging((u32)directory, 1, 0);
  expect("a page is where its entry says", *AT(0), 0x1000);
  expect("its entry is marked accessed", table[0] & 0x60, 0x20);
  expect("so is the directory's", directory[1] & 0x20, 0x20);
  *AT(0) = 0x1000;
  expect("a store marks it dirty", table[0] & 0x60, 0x60);
  expect("a page that is not there, read", read_fault((u32)AT(9)), FAULT(PF, 0));
  expect("CR2", last_cr2, (u32)AT(9));
  expect("a page that is not there, written", write_fault((u32)AT(9) + 8), FAULT(PF, 2));
  expect("CR2 has all bits", last_cr2, (u32)AT(9) + 8);
  expect("a page that is not there, read and written", modify_fault((u32)AT(9)), FAULT(PF, 2));
  page_argument = (u32)AT(9);
  expect("a page that is not there, executed", fault_of(p_execute) & 0xff, PF);
  expect("EIP of it", last.eip, (u32)AT(9));
  expect("a directory entry that is not there", read_fault(0x1000000), FAULT(PF, 0));
  expect("a read-only page, written at CPL 0 without WP", write_fault((u32)AT(1)), NONE);
  set_paging((u32)directory, 1, 0x10000);
  flush();
  expect("with WP", write_fault((u32)AT(1)), FAULT(PF, 3));
  table[0] &= ~0x20;
  directory[1] &= ~0x20;
  expect("user, a supervisor's page", user_read_fault((u32)AT(0)), FAULT(PF, 5));
  expect("which marks nothing accessed", (table[0] | directory[1]) & 0x20, 0);
  expect("user, its own page", user_write_fault((u32)AT(2)), FAULT(0x30, 0));
  expect("user, a read-only page", user_write_fault((u32)AT(3)), FAULT(PF, 7));
  expect("user, a page that is not there", user_write_fault((u32)AT(9)), FAULT(PF, 6));
  set_paging((u32)directory, 1, 0);
  table[9] = (u32)frames[1] | 7;
  expect("a page that came needs no flush", read_fault((u32)AT(9)), NONE);
  expect("its content", *AT(9) & 0xff00, 0);
  *AT(2) = 0x2222;
  table[2] = (u32)frames[0] | 7;
  ASM("invlpg (%0)" ::"r"(AT(2)) : "memory");
  expect("INVLPG", *AT(2), 0x1000);
  table[2] = (u32)frames[2] | 7;
  flush();
  expect("MOV to CR3", *AT(2), 0x2222);
  u32 crossed;
  table[4] = (u32)frames[0] | 7;
  table[5] = (u32)frames[2] | 7;
  *(volatile u16 *)(frames[0] + 4094) = 0xabcd;
  *(volatile u16 *)frames[2] = 0xef01;
  crossed = *(volatile u32 *)((u32)AT(5) - 2);
  expect("a read across pages", crossed, 0xef01abcd);
  *(volatile u32 *)((u32)AT(5) - 2) = 0x11223344;
  expect("a store across pages, first", *(volatile u16 *)(frames[0] + 4094), 0x3344);
  expect("a store across pages, second", *(volatile u16 *)frames[2], 0x1122);
  *(volatile u16 *)(frames[1] + 4094) = 1;
  table[6] = (u32)frames[1] | 7;
  table[7] = 0;
  flush();
  expect("a store that ends on an absent page", write_fault((u32)AT(7) - 2), FAULT(PF, 2));
  expect("its CR2", last_cr2, (u32)AT(7));
  expect("changes nothing", *(volatile u16 *)(frames[1] + 4094), 1);
  expect("what is read and written there", modify_fault((u32)AT(7) - 2), FAULT(PF, 2));
  expect("its CR2, too", last_cr2, (u32)AT(7));
  set_paging((u32)directory, 1, 0x10000);
  table[6] = (u32)frames[1] | 5;
  flush();
  expect("from a read-only page to an absent one, read", read_fault((u32)AT(7) - 2), FAULT(PF, 0));
  expect("CR2 of that", last_cr2, (u32)AT(7));
  expect("read and written", modify_fault((u32)AT(7) - 2), FAULT(PF, 3));
  expect("CR2 of that is on the first", last_cr2, (u32)AT(7) - 2);
  set_paging((u32)directory, 1, 0);
  directory[2] = 0x87 | 0x2000;
  expect("reserved bits of a large page", read_fault(0x800000) & 0xff, PF);
  directory[2] = 0x87;
  flush();
  expect("a large page", *(volatile u32 *)(0x800000 + (u32)frames[1]), *(volatile u32 *)frames[1]);
  set_cr4(0x90);
  table[2] = (u32)frames[2] | 0x107;
  flush();
  *AT(2) = 0x3333;
  table[2] = (u32)frames[0] | 0x107;
  flush();
  *(volatile u32 *)frames[0] = 0x1000;
  set_cr4(0x10);
  expect("a global page goes when PGE changes", *AT(2), 0x1000);
  set_paging(0, 0, 0);

  /* PAE */
  set_cr4(0x30);
  pdpt[0] = (u32)pae_directory | 1;
  for (u32 n = 0; n < 512; n++) pae_directory[n] = (u64)n << 21 | 0x87;
  pae_directory[2] = (u32)pae_table | 7;
  pae_table[0] = (u32)frames[0] | 7;
  pae_table[1] = (u32)frames[1] | 7 | 1ULL << 50;
  set_paging((u32)pdpt, 1, 0);
  expect("PAE", *AT(0), 0x1000);
  expect("PAE: accessed", (u32)pae_table[0] & 0x60, 0x20);
  expect("PAE: reserved bits", read_fault((u32)AT(1)), FAULT(PF, 9));
  expect("PAE: a page that is not there", read_fault((u32)AT(2)), FAULT(PF, 0));
  expect("PAE: no directory", read_fault(0x40000000), FAULT(PF, 0));
  pae_table[3] = (u32)frames[2] | 7 | 1ULL << 63;
  frames[2][0] = 0xc3; /* ret */
  expect("PAE: XD is reserved without NXE", read_fault((u32)AT(3)), FAULT(PF, 9));
  wrmsr(0xc0000080, 0x800);
  expect("EFER: another bit", fault_of(i_efer), FAULT(GP, 0));
  expect("XD: data may be read", read_fault((u32)AT(3)), NONE);
  page_argument = (u32)AT(3);
  expect("XD: data is executed", fault_of(p_execute), FAULT(PF, 0x11));
  expect("its EIP", last.eip, (u32)AT(3));
  page_argument = (u32)AT(2);
  expect("NXE: absent code", fault_of(p_execute), FAULT(PF, 0x10));
  pae_table[3] = (u32)frames[2] | 7;
  flush();
  page_argument = (u32)AT(3);
  expect("code again", fault_of(p_execute), NONE);
  pae_directory[2] |= 1ULL << 63;
  flush();
  expect("XD of a directory entry", fault_of(p_execute), FAULT(PF, 0x11));
  wrmsr(0xc0000080, 0);
  set_paging(0, 0, 0);
  set_cr4(0);
}

/* Virtual-8086 mode */

static u32 virtual_flags;
static const u8 *virtual_bytes;
static u32 virtual_length;
static void go_virtual(void) {
  memcpy((void *)0x20000, virtual_bytes, virtual_length);
  enter_virtual(0x2000, 0, 0x3000, 0x1000, 0x20002 | virtual_flags, 0x4000);
}
static u32 virtual_fault(const u8 *bytes, u32 length) {
  virtual_bytes = bytes;
  virtual_length = length;
  return fault_of(go_virtual);
}
#define VIRTUAL(...) ({ static const u8 bytes[] = {__VA_ARGS__}; virtual_fault(bytes, sizeof bytes); })
static void virtual_8086(void) {
  virtual_flags = 0;
  /* mov word ptr [0x10], 0x1234; mov ax, es; mov fs, ax; mov fs:[0x20], ax; hlt */
  expect("HLT in virtual-8086 mode", VIRTUAL(0xc7, 0x06, 0x10, 0, 0x34, 0x12, 0x8c, 0xc0, 0x8e, 0xe0, 0x64, 0xa3, 0x20, 0, 0xf4), FAULT(GP, 0));
  expect("IP", last.eip, 14);
  expect("CS", last.cs & 0xffff, 0x2000);
  expect("VM is pushed", last.eflags & 0x20000, 0x20000);
  expect("SS", last.ss & 0xffff, 0x3000);
  expect("ES", last.es & 0xffff, 0x5555);
  expect("DS", last.ds & 0xffff, 0x4000);
  expect("FS, loaded there", last.fs & 0xffff, 0x5555);
  expect("GS", last.gs & 0xffff, 0x7777);
  expect("a store through DS", *(volatile u16 *)0x40010, 0x1234);
  expect("a store through FS", *(volatile u16 *)0x55570, 0x5555);
  expect("INT n at IOPL 0", VIRTUAL(0xcd, 0x30), FAULT(GP, 0));
  expect("PUSHF at IOPL 0", VIRTUAL(0x9c), FAULT(GP, 0));
  expect("CLI at IOPL 0", VIRTUAL(0xfa), FAULT(GP, 0));
  expect("IRET at IOPL 0", VIRTUAL(0xcf), FAULT(GP, 0));
  expect("SLDT is undefined there", VIRTUAL(0x0f, 0x00, 0xc0), FAULT(UD, 0));
  expect("LAR is, too", VIRTUAL(0x0f, 0x02, 0xc0), FAULT(UD, 0));
  expect("IN of a port that the bitmap allows", VIRTUAL(0xe4, 0x20, 0xf4), FAULT(GP, 0));
  expect("goes on", last.eip, 2);
  expect("IN of one that it denies", VIRTUAL(0xe4, 0x21), FAULT(GP, 0));
  expect("stops there", last.eip, 0);
  expect("beyond 64 KiB", VIRTUAL(0xa1, 0xff, 0xff), FAULT(GP, 0));
  virtual_flags = 0x3000;
  expect("INT n at IOPL 3", VIRTUAL(0xcd, 0x30), FAULT(0x30, 0));
  expect("its IP is the next instruction's", last.eip, 2);
  expect("PUSHF at IOPL 3", VIRTUAL(0x9c, 0xf4), FAULT(GP, 0));
  expect("goes on, too", last.eip, 1);
  expect("IN at IOPL 3 still asks the bitmap", VIRTUAL(0xe4, 0x21), FAULT(GP, 0));
}

static void real_mode(void) {
  memcpy((void *)0x8000, real_code, real_code_end - real_code);
  memset((void *)0, 0, 1024);
  memset((void *)0x9000, 0, 32);
  to_real();
  volatile u16 *seen = (volatile u16 *)0x9000;
  expect("real mode: a segment's base", seen[0], 0xbeef);
  expect("real mode: SP wraps", seen[1], 0xfffe);
  expect("real mode: INT clears IF", seen[2] & 0x200, 0);
  expect("real mode: IRET releases three words", seen[3], 0x7c00);
  expect("real mode: an access beyond 64 KiB is vector 13", seen[4], 1);
  expect("real mode: without an error code", seen[5], 0x7c00);
  expect("real mode: far call and return", seen[6], 0x4444);
  expect("real mode: SI wraps", seen[7], 0);
  expect("real mode: LEA with a 32-bit address", seen[8], 0x9acc);
}

/* A handler that cannot be entered: double fault */

static void double_fault(void) {
  u64 saved = idt[GP];
  idt[GP] = gate(CODE, 0, 0x0e, 0);
  expect("#NP while #GP is delivered", fault_of(far_jump_null), FAULT(DF, 0));
  idt[GP] = saved;
  saved = idt[UD];
  idt[UD] = gate(CODE, 0, 0x0e, 0);
  expect("#NP while #UD is delivered", fault_of(i_ud), FAULT(NP, UD * 8 + 3));
  idt[UD] = saved;
}

void main(void) {
  set_up();
  segments();
  questions();
  far_transfers();
  enter_narrow();
  exceptions();
  interrupts();
  user_mode();
  tasks();
  paging();
  virtual_8086();
  real_mode();
  double_fault();
  puts(failures ? "some rules do not hold\n" : "all rules hold\n");
  ASM("outl %0, $0xf4" ::"a"(failures));
  for (;;) ASM("hlt");
}
