/*
 * Runs x86 test cases on the processor itself. A case is a complete register state and a few instructions; the result
 * is the state after them, or at their fault. Cases on standard input, results on standard output, formats below;
 * all integers little-endian. Freestanding i386 Linux program: no libc, no libgcc, no TLS.
 *
 * Everything happens in the signal handler: it stores the frame's state as the last case's result, writes the next
 * case's state into the frame, and returns into it. Every case ends in a signal, since INT3 fills the code page.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum {
  DATA = 0x20000000,
  STACK = 0x20010000,
  CODE = 0x20020000,
  READ_ONLY = 0x20030000,
  CODE_WRITABLE = 0x2f000000,
  PAGE = 4096,
  SYS_exit = 1,
  SYS_read = 3,
  SYS_write = 4,
  SYS_mmap = 90,
  SYS_ftruncate = 93,
  SYS_setitimer = 104,
  SYS_modify_ldt = 123,
  SYS_mprotect = 125,
  SYS_sigreturn = 119,
  SYS_prctl = 172,
  SYS_rt_sigaction = 174,
  SYS_sigaltstack = 186,
  SYS_set_thread_area = 243,
  SYS_memfd_create = 356,
  SIGILL = 4,
  SIGTRAP = 5,
  SIGBUS = 7,
  SIGFPE = 8,
  SIGSEGV = 11,
  SIGVTALRM = 26,
};

enum { HAS_FPU = 1, HAS_FS = 2 };

enum {
  PR_SET_SECCOMP = 22,
  PR_SET_NO_NEW_PRIVS = 38,
  SECCOMP_MODE_FILTER = 2,
  AUDIT_ARCH_I386 = 0x40000003,
  LOAD = 0x20,
  EQUAL = 0x15,
  RETURN = 0x06,
  KILL = 0,
  ALLOW = 0x7fff0000,
};

/* An instruction of the classic BPF: how far to go on if it holds, if not, and its constant. */
struct filter_code {
  u16 operation;
  u8 yes, no;
  u32 constant;
};

struct test_case {
  u32 regs[8]; /* eax ecx edx ebx esp ebp esi edi */
  u32 eflags;
  u32 eip;
  u32 flags; /* HAS_… */
  u32 code_length;
  u32 data_offset; /* where `data` goes in the data page */
  u32 stack_offset;
  u32 reserved[2];
  u8 code[64]; /* placed at eip, which is in the code page */
  u8 data[128];
  u8 stack[64];
  u8 fxsave[512];
};

struct result {
  u32 signal;
  u32 trap; /* vector */
  u32 error;
  u32 address; /* CR2 */
  u32 regs[8];
  u32 eflags;
  u32 eip;
  u32 selectors[6]; /* es cs ss ds fs gs */
  u32 changes; /* how many words follow: byte index in data page then stack page, << 8 | new value */
  u8 fxsave[512];
};

struct fpstate {
  u32 cw, sw, tag, ipoff, cssel, dataoff, datasel;
  u8 st[8][10];
  u16 status, magic;
  u8 fxsave[512];
};

struct sigcontext {
  u32 gs, fs, es, ds;
  u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
  u32 trapno, err, eip, cs, eflags, esp_at_signal, ss;
  struct fpstate *fpstate;
  u32 oldmask, cr2;
};

static u8 alternate_stack[65536] __attribute__((aligned(64)));
static struct test_case input;
static u8 output[1 << 16];
static u32 output_length;
static u8 initial[2 * PAGE] __attribute__((aligned(16)));
static u8 before[2 * PAGE] __attribute__((aligned(16)));
static u32 running, cases, cases_at_tick, dirty_code;
static u32 user_cs, user_ds, thread_selector;

static int syscall5(int n, u32 a, u32 b, u32 c, u32 d, u32 e) {
  int r;
  __asm__ volatile("int $0x80" : "=a"(r) : "0"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return r;
}

static __attribute__((noreturn)) void finish(int code) {
  for (;;) syscall5(SYS_exit, code, 0, 0, 0, 0);
}

static void copy(void *to, const void *from, u32 n) {
  void *d = to;
  const void *s = from;
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
}

static void fill(void *to, u8 value, u32 n) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

static void flush(void) {
  u32 done = 0;
  while (done < output_length) {
    int n = syscall5(SYS_write, 1, (u32)(output + done), output_length - done, 0, 0);
    if (n <= 0) finish(3);
    done += n;
  }
  output_length = 0;
}

static void put(const void *bytes, u32 n) {
  if (output_length + n > sizeof output) flush();
  copy(output + output_length, bytes, n);
  output_length += n;
}

/* 0 at the end of the input */
static int get_case(void) {
  u32 done = 0;
  while (done < sizeof input) {
    int n = syscall5(SYS_read, 0, (u32)&input + done, sizeof input - done, 0, 0);
    if (n <= 0) {
      if (n == 0 && done == 0) return 0;
      finish(4);
    }
    done += n;
  }
  return 1;
}

static u32 changes[2 * PAGE];

static u32 find_changes(void) {
  u32 n = 0;
  for (u32 page = 0; page < 2; page++) {
    const u8 *now = (const u8 *)(page == 0 ? DATA : STACK);
    const u8 *old = before + page * PAGE;
    for (u32 word = 0; word < PAGE / 4; word++) {
      if (((const u32 *)now)[word] == ((const u32 *)old)[word]) continue;
      for (u32 i = word * 4; i < word * 4 + 4; i++)
        if (now[i] != old[i]) changes[n++] = (page * PAGE + i) << 8 | now[i];
    }
  }
  return n;
}

/* abridged tag byte of FXSAVE <-> tag word of FSAVE, which only needs to tell empty from not empty when restored */
static u32 full_tag(u32 abridged) {
  u32 tag = 0;
  for (u32 i = 0; i < 8; i++)
    if (!(abridged >> i & 1)) tag |= 3 << i * 2;
  return tag;
}

static void store_result(int signal, struct sigcontext *c) {
  static struct result r;
  r.signal = signal;
  r.trap = c->trapno;
  r.error = c->err;
  r.address = c->cr2;
  const u32 regs[8] = {c->eax, c->ecx, c->edx, c->ebx, c->esp_at_signal, c->ebp, c->esi, c->edi};
  copy(r.regs, regs, sizeof regs);
  r.eflags = c->eflags;
  r.eip = c->eip;
  const u32 selectors[6] = {c->es & 0xffff, c->cs & 0xffff, c->ss & 0xffff, c->ds & 0xffff, c->fs & 0xffff, c->gs & 0xffff};
  copy(r.selectors, selectors, sizeof selectors);
  if (c->fpstate) copy(r.fxsave, c->fpstate->fxsave, 512);
  else fill(r.fxsave, 0, 512);
  r.changes = find_changes();
  put(&r, sizeof r);
  put(changes, r.changes * 4);
}

static void start_case(struct sigcontext *c) {
  copy((void *)DATA, initial, PAGE);
  copy((void *)STACK, initial + PAGE, PAGE);
  copy((void *)(DATA + (input.data_offset & (PAGE - 1))), input.data, sizeof input.data);
  copy((void *)(STACK + (input.stack_offset & (PAGE - 1))), input.stack, sizeof input.stack);
  copy(before, (void *)DATA, PAGE);
  copy(before + PAGE, (void *)STACK, PAGE);
  if (dirty_code) fill((void *)dirty_code, 0xcc, 64);
  u32 at = input.eip - CODE;
  u32 length = input.code_length < PAGE - at ? input.code_length : PAGE - at;
  if (at >= PAGE || length > 64) finish(12);
  copy((void *)(CODE_WRITABLE + at), input.code, length);
  dirty_code = CODE_WRITABLE + (at < PAGE - 64 ? at : PAGE - 64);
  c->eax = input.regs[0];
  c->ecx = input.regs[1];
  c->edx = input.regs[2];
  c->ebx = input.regs[3];
  c->esp = c->esp_at_signal = input.regs[4];
  c->ebp = input.regs[5];
  c->esi = input.regs[6];
  c->edi = input.regs[7];
  c->eflags = input.eflags;
  c->eip = input.eip;
  c->cs = user_cs;
  c->ds = c->es = c->ss = user_ds;
  c->fs = c->gs = input.flags & HAS_FS ? thread_selector : 0;
  struct fpstate *f = c->fpstate;
  if (f) {
    if (input.flags & HAS_FPU) {
      const u16 *fx = (const u16 *)input.fxsave;
      copy(f->fxsave, input.fxsave, 416); /* what follows is the kernel's */
      f->cw = 0xffff0000 | fx[0];
      f->sw = 0xffff0000 | fx[1];
      f->tag = 0xffff0000 | full_tag(fx[2] & 0xff);
      for (u32 i = 0; i < 8; i++) copy(f->st[i], input.fxsave + 32 + i * 16, 10);
      f->ipoff = f->cssel = f->dataoff = f->datasel = 0;
    } else {
      f->cw = 0xffff037f;
      f->sw = 0xffff0000;
      f->tag = 0xffffffff;
      fill(f->fxsave, 0, 416);
      fill(f->st, 0, sizeof f->st);
      f->fxsave[0] = 0x7f;
      f->fxsave[1] = 0x03;
      f->fxsave[24] = 0x80;
      f->fxsave[25] = 0x1f;
    }
  }
}

__attribute__((used)) void handle(int signal, struct sigcontext *c) {
  if (signal == SIGVTALRM) {
    u32 stuck = running && cases == cases_at_tick;
    cases_at_tick = cases;
    if (!stuck) return;
  }
  if (running) store_result(signal, c);
  running = 1;
  cases++;
  if (!get_case()) {
    flush();
    finish(0);
  }
  start_case(c);
}

/* The handler runs with the test's EFLAGS: AC and ID are cleared, and its DS is the kernel's choice. */
__asm__(".globl entry\n"
        "entry:\n"
        "  mov %ss, %eax\n"
        "  mov %eax, %ds\n"
        "  mov %eax, %es\n"
        "  push $0x202\n"
        "  popf\n"
        "  mov 4(%esp), %ecx\n"
        "  lea 8(%esp), %edx\n"
        "  push %edx\n"
        "  push %ecx\n"
        "  call handle\n"
        "  add $8, %esp\n"
        "  ret\n"
        ".globl restorer\n"
        "restorer:\n"
        "  pop %eax\n"
        "  mov $119, %eax\n" /* sigreturn */
        "  int $0x80\n"
        ".globl _start\n"
        "_start:\n"
        "  and $-16, %esp\n"
        "  call start\n");
void entry(void);
void restorer(void);

enum { READ = 1, WRITE = 2, EXECUTE = 4, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32 };

static void map_page(u32 address, u32 protection, u32 flags, int fd) {
  const u32 arguments[6] = {address, PAGE, protection, flags | MAP_FIXED, fd, 0};
  if (syscall5(SYS_mmap, (u32)arguments, 0, 0, 0, 0) != (int)address) finish(5);
}

__attribute__((used, noreturn)) void start(void) {
  map_page(DATA, READ | WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  map_page(STACK, READ | WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  map_page(READ_ONLY, READ | WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  /* cases may not write to the code page: the runner does, through a second mapping */
  int memory = syscall5(SYS_memfd_create, (u32) "code", 0, 0, 0, 0);
  if (memory < 0 || syscall5(SYS_ftruncate, memory, PAGE, 0, 0, 0)) finish(11);
  map_page(CODE, READ | EXECUTE, MAP_SHARED, memory);
  map_page(CODE_WRITABLE, READ | WRITE, MAP_SHARED, memory);
  for (u32 i = 0; i < 2 * PAGE; i++) initial[i] = i * 37 + (i >> 8) + 11;
  copy((void *)READ_ONLY, initial, PAGE);
  if (syscall5(SYS_mprotect, READ_ONLY, PAGE, READ, 0, 0)) finish(6);
  fill((void *)CODE_WRITABLE, 0xcc, PAGE);

  /* FS and GS: base a page below DATA, a 4 GiB limit; entry number, base, limit, 32-bit, in pages, usable */
  u32 descriptor[4] = {-1, DATA - PAGE, 0xfffff, 0x51};
  if (syscall5(SYS_set_thread_area, (u32)descriptor, 0, 0, 0, 0)) finish(7);
  thread_selector = descriptor[0] << 3 | 3;
  /* LDT: entry n has flags n; those that the kernel refuses stay empty */
  for (u32 n = 0; n < 128; n++) {
    u32 local[4] = {n, PAGE * (n + 1), 0x1111 + n, n};
    syscall5(SYS_modify_ldt, 0x11, (u32)local, sizeof local, 0, 0);
  }
  __asm__ volatile("mov %%cs, %0\n mov %%ds, %1" : "=r"(user_cs), "=r"(user_ds));

  const u32 stack[3] = {(u32)alternate_stack, 0, sizeof alternate_stack};
  if (syscall5(SYS_sigaltstack, (u32)stack, 0, 0, 0, 0)) finish(8);
  const u8 signals[6] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGVTALRM};
  for (u32 i = 0; i < 6; i++) {
    /* handler, SA_ONSTACK | SA_RESTORER, restorer, mask of all signals */
    const u32 action[5] = {(u32)entry, 0x0c000000, (u32)restorer, ~0u, ~0u};
    if (syscall5(SYS_rt_sigaction, signals[i], (u32)action, 0, 8, 0)) finish(9);
  }
  /* A case that has not ended between two ticks of the processor time that it takes (ITIMER_VIRTUAL) is a loop. */
  const u32 interval[4] = {0, 100000, 0, 100000};
  syscall5(SYS_setitimer, 1, (u32)interval, 0, 0, 0);
  /*
   * From here on i386's read, write, exit and sigreturn only, whatever the cases do. A filter, since strict mode forbids RDTSC:
   * seccomp(2), the architecture at 4 and the number at 0 of its data.
   */
  static const struct filter_code code[] = {
      {LOAD, 0, 0, 4}, {EQUAL, 0, 5, AUDIT_ARCH_I386}, {LOAD, 0, 0, 0},        {EQUAL, 4, 0, SYS_read}, {EQUAL, 3, 0, SYS_write},
      {EQUAL, 2, 0, SYS_exit}, {EQUAL, 1, 0, SYS_sigreturn}, {RETURN, 0, 0, KILL}, {RETURN, 0, 0, ALLOW},
  };
  const struct { u16 length; const struct filter_code *code; } filter = {sizeof code / sizeof *code, code};
  if (syscall5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) finish(12);
  if (syscall5(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (u32)&filter, 0, 0)) finish(13);
  __asm__ volatile("int3");
  finish(10);
}
