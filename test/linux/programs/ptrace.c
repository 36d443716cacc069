// what a tracer sees: stops, registers, memory, system calls, events
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __mips__
#define WORD_PC 64
#define WORD_RESULT 2
#else
#define WORD_PC (12 * 4)
#define WORD_RESULT (6 * 4)
#endif

static const char *self;
static volatile int shared = 17;

static void show(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: killed by %s\n", what, strsignal(WTERMSIG(status)));
  else if (WIFSTOPPED(status))
    printf("%s: stopped by %s%s, event %d\n", what, strsignal(WSTOPSIG(status) & 0x7f), WSTOPSIG(status) & 0x80 ? " (call)" : "", status >> 16);
  else printf("%s: status %x\n", what, status);
}

static int await(pid_t pid, const char *what) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) {
    printf("%s: wait failed: %s\n", what, strerror(errno));
    exit(1);
  }
  show(what, status);
  return status;
}

static long ask(int request, pid_t pid, void *addr, void *data) {
  errno = 0;
  long got = ptrace(request, pid, addr, data);
  if (errno) printf("request %x: %s\n", request, strerror(errno));
  return got;
}

static void go(int request, pid_t pid, int signal) { ask(request, pid, 0, (void *)(intptr_t)signal); }

static pid_t child(void (*run)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    run();
    _exit(0);
  }
  await(pid, "start");
  return pid;
}

static void usr1(int signal) { shared += signal == SIGUSR1; }
static void signals(void) {
  signal(SIGUSR1, usr1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGTERM);
  _exit(shared);
}

static void test_signals(void) {
  pid_t pid = child(signals);
  go(PTRACE_CONT, pid, 0);
  await(pid, "first");
  siginfo_t info = {0};
  ask(PTRACE_GETSIGINFO, pid, 0, &info);
  printf("signal %d from itself: %d, code %d\n", info.si_signo == SIGUSR1, info.si_pid == pid, info.si_code == SI_TKILL);
  go(PTRACE_CONT, pid, SIGUSR1);
  await(pid, "second");
  go(PTRACE_CONT, pid, 0);
  await(pid, "third");
  go(PTRACE_CONT, pid, SIGUSR1);
  await(pid, "fourth");
  go(PTRACE_CONT, pid, 0);
  await(pid, "end");
}

static void calls(void) {
  syscall(SYS_getppid);
  syscall(SYS_close, -1);
  syscall(SYS_getuid);
  _exit(3);
}

static void test_calls(void) {
  pid_t pid = child(calls);
  ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD);
  for (int call = 0;; call++) {
    go(PTRACE_SYSCALL, pid, 0);
    if (!WIFSTOPPED(await(pid, "before"))) break;
    struct __ptrace_syscall_info info = {0};
    long size = ask(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info);
    int number = info.entry.nr;
    const char *name = number == SYS_getppid  ? "getppid"
                       : number == SYS_close  ? "close"
                       : number == SYS_getuid ? "getuid"
                       : number == SYS_exit_group ? "exit_group"
                                                  : "another";
    printf("op %d, %ld bytes, %s(%d)\n", info.op, size, name, call == 1 || call == 3 ? (int)info.entry.args[0] : 0);
    // the third is not made
    if (call == 2) {
#ifdef __mips__
      ask(PTRACE_POKEUSER, pid, (void *)2, (void *)-1);
#else
      ask(PTRACE_POKEUSER, pid, (void *)(11 * 4), (void *)-1);
#endif
    }
    go(PTRACE_SYSCALL, pid, 0);
    if (!WIFSTOPPED(await(pid, "after"))) break;
    memset(&info, 0, sizeof info);
    size = ask(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info);
    long long result = info.exit.rval;
    printf("op %d, %ld bytes, error %d: %s\n", info.op, size, info.exit.is_error, result == getpid() ? "me" : info.exit.is_error ? strerror(-result) : "some");
  }
}

static void memory(void) {
  raise(SIGSTOP);
  _exit(shared);
}

static void test_memory(void) {
  pid_t pid = child(memory);
  go(PTRACE_CONT, pid, 0);
  await(pid, "again");
  printf("peek %ld\n", ask(PTRACE_PEEKDATA, pid, (void *)&shared, 0));
  ask(PTRACE_POKEDATA, pid, (void *)&shared, (void *)41);
  printf("peek %ld, mine %d\n", ask(PTRACE_PEEKDATA, pid, (void *)&shared, 0), shared);
  int value = 0;
  struct iovec local = {&value, sizeof value};
  struct iovec remote = {(void *)&shared, sizeof shared};
  printf("process_vm_readv %ld\n", (long)process_vm_readv(pid, &local, 1, &remote, 1, 0));
  printf("value %d\n", value);
  value = 42;
  printf("process_vm_writev %ld\n", (long)process_vm_writev(pid, &local, 1, &remote, 1, 0));
  ask(PTRACE_PEEKDATA, pid, (void *)8, 0);
  char name[64];
  snprintf(name, sizeof name, "/proc/%d/mem", pid);
  FILE *file = fopen(name, "r");
  if (file && fseeko(file, (off_t)(uintptr_t)&shared, SEEK_SET) == 0 && fread(&value, sizeof value, 1, file) == 1) printf("mem %d\n", value);
  if (file) fclose(file);
  snprintf(name, sizeof name, "/proc/%d/status", pid);
  file = fopen(name, "r");
  char line[256];
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "State:", 6) == 0) fputs(line, stdout);
    if (strncmp(line, "TracerPid:", 10) == 0) printf("traced by me: %d\n", atoi(line + 10) == getpid());
  }
  if (file) fclose(file);
  go(PTRACE_CONT, pid, 0);
  await(pid, "end");
}

static void forks(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(5);
  int status;
  waitpid(pid, &status, 0);
  execl(self, self, "leaf", NULL);
}

static void test_events(void) {
  pid_t pid = child(forks);
  ask(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
  go(PTRACE_CONT, pid, 0);
  await(pid, "parent");
  unsigned long second = 0;
  ask(PTRACE_GETEVENTMSG, pid, 0, &second);
  await(second, "child");
  go(PTRACE_CONT, second, 0);
  await(second, "child");
  unsigned long message = 0;
  ask(PTRACE_GETEVENTMSG, second, 0, &message);
  printf("exit status %lx\n", message);
  go(PTRACE_CONT, second, 0);
  await(second, "child");
  go(PTRACE_CONT, pid, 0);
  int status = await(pid, "parent");
  if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGCHLD) {
    go(PTRACE_CONT, pid, SIGCHLD);
    await(pid, "parent");
  }
  ask(PTRACE_GETEVENTMSG, pid, 0, &message);
  printf("exec of %d\n", message == (unsigned long)pid);
  go(PTRACE_CONT, pid, 0);
  await(pid, "parent");
  go(PTRACE_CONT, pid, 0);
  await(pid, "parent");
}

static void *second_thread(void *argument) { return argument; }
static void threads(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, second_thread, NULL);
  pthread_join(thread, NULL);
  _exit(6);
}

static void test_threads(void) {
  pid_t pid = child(threads);
  ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACECLONE);
  go(PTRACE_CONT, pid, 0);
  await(pid, "first");
  unsigned long thread = 0;
  ask(PTRACE_GETEVENTMSG, pid, 0, &thread);
  printf("another: %d\n", thread != (unsigned long)pid);
  await(thread, "second");
  go(PTRACE_CONT, thread, 0);
  go(PTRACE_CONT, pid, 0);
  // its end may be that of all
  int status;
  printf("second gone: %d\n", waitpid(thread, &status, __WALL) == (pid_t)thread && WIFEXITED(status));
  await(pid, "first");
}

static void loops(void) {
  for (;;) pause();
}

static void test_attach(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) loops();
  ask(PTRACE_ATTACH, pid, 0, 0);
  await(pid, "attached");
  ask(PTRACE_ATTACH, pid, 0, 0);
  ask(PTRACE_DETACH, pid, 0, 0);
  ask(PTRACE_CONT, pid, 0, 0);
  ask(PTRACE_SEIZE, pid, 0, (void *)PTRACE_O_TRACESYSGOOD);
  ask(PTRACE_PEEKDATA, pid, (void *)&shared, 0);
  ask(PTRACE_INTERRUPT, pid, 0, 0);
  await(pid, "interrupted");
  go(PTRACE_CONT, pid, 0);
  kill(pid, SIGSTOP);
  await(pid, "signal");
  go(PTRACE_CONT, pid, SIGSTOP);
  await(pid, "whole");
  siginfo_t info;
  ask(PTRACE_GETSIGINFO, pid, 0, &info);
  ask(PTRACE_LISTEN, pid, 0, 0);
  kill(pid, SIGCONT);
  await(pid, "continued");
  go(PTRACE_CONT, pid, 0);
  await(pid, "signal");
  go(PTRACE_CONT, pid, SIGCONT);
  kill(pid, SIGTERM);
  await(pid, "signal");
  go(PTRACE_CONT, pid, SIGTERM);
  await(pid, "end");
  ask(PTRACE_ATTACH, pid, 0, 0);
  ask(PTRACE_ATTACH, getpid(), 0, 0);
}

__attribute__((noinline)) static int broken(int x) {
  asm volatile("" ::: "memory");
  return x + 1;
}
static void breaks(void) { _exit(broken(30)); }

static void test_break(void) {
  pid_t pid = child(breaks);
  uintptr_t at = (uintptr_t)broken;
  long old = ask(PTRACE_PEEKTEXT, pid, (void *)at, 0);
#ifdef __mips__
  long trap = 0x0005000d;
#else
  long trap = (old & ~0xffl) | 0xcc;
#endif
  ask(PTRACE_POKETEXT, pid, (void *)at, (void *)trap);
  go(PTRACE_CONT, pid, 0);
  await(pid, "breakpoint");
  uintptr_t pc = ask(PTRACE_PEEKUSER, pid, (void *)WORD_PC, 0);
#ifndef __mips__
  pc--;
#endif
  printf("at the function: %d\n", pc == at);
  ask(PTRACE_POKETEXT, pid, (void *)at, (void *)old);
  ask(PTRACE_POKEUSER, pid, (void *)WORD_PC, (void *)pc);
  go(PTRACE_CONT, pid, 0);
  await(pid, "end");
}

#ifdef __mips__
static void test_steps(void) {}
#else
static void asks(void) {
  long a, b, c, d;
  syscall(SYS_kill, getpid(), SIGSTOP);
  asm volatile("int $0x80" : "=a"(a) : "0"(SYS_getpid), "b"(1), "c"(2), "d"(3));
  asm volatile("int $0x80" : "=a"(b) : "0"(SYS_gettid));
  asm volatile("int $0x80" : "=a"(c) : "0"(SYS_exit), "b"(1));
  asm volatile("int $0x80" : "=a"(d) : "0"(SYS_exit), "b"(2));
  _exit(a == 100 && b == -ENOSYS && c == 5 && d == 6 ? 42 : 43);
}
static void registers(pid_t pid, const char *what, int result) {
  struct user_regs_struct regs;
  ask(PTRACE_GETREGS, pid, 0, &regs);
  printf("%s: call %ld (%ld, %ld), result %ld\n", what, regs.orig_eax, regs.ebx, regs.ecx, regs.eax);
  if (result) {
    regs.eax = result;
    ask(PTRACE_SETREGS, pid, 0, &regs);
  }
}
static void test_emulated(void) {
  pid_t pid = child(asks);
  go(PTRACE_CONT, pid, 0);
  await(pid, "stop");
  ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD);
  go(PTRACE_SYSEMU, pid, 0);
  await(pid, "first");
  registers(pid, "first", 100);
  // no stop after it
  go(PTRACE_SYSEMU, pid, 0);
  await(pid, "second");
  registers(pid, "second", 0);
  // stops after each instruction, and before a call
  int steps = 0;
  int status;
  do {
    go(PTRACE_SYSEMU_SINGLESTEP, pid, 0);
    waitpid(pid, &status, 0);
  } while (WSTOPSIG(status) == SIGTRAP && ++steps < 100);
  printf("steps: %d\n", steps > 0 && steps < 100);
  show("third", status);
  registers(pid, "third", 5);
  // what it goes on with tells whether it stops after it
  go(PTRACE_SYSCALL, pid, 0);
  await(pid, "after it");
  registers(pid, "after it", 0);
  go(PTRACE_SYSEMU, pid, 0);
  await(pid, "fourth");
  registers(pid, "fourth", 6);
  ask(PTRACE_DETACH, pid, 0, 0);
  await(pid, "end");
}

static void test_steps(void) {
  pid_t pid = child(breaks);
  uintptr_t at = (uintptr_t)broken;
  uintptr_t pc;
  int steps = 0;
  int inside = 0;
  do {
    go(PTRACE_SINGLESTEP, pid, 0);
    int status;
    waitpid(pid, &status, 0);
    pc = ask(PTRACE_PEEKUSER, pid, (void *)WORD_PC, 0);
    inside += pc >= at && pc < at + 8;
  } while (++steps < 5000 && (inside == 0 || (pc >= at && pc < at + 8)));
  printf("stepped through it: %d\n", steps < 5000);
  unsigned words[32];
  struct iovec set = {words, sizeof words};
  ask(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &set);
  printf("%d bytes, result %u\n", (int)set.iov_len, words[6]);
  words[6] = 77;
  ask(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &set);
  unsigned char fp[512];
  ask(PTRACE_GETFPREGS, pid, 0, fp);
  printf("control word %x\n", fp[0] | fp[1] << 8);
  ask(PTRACE_SETFPREGS, pid, 0, fp);
  ask(PTRACE_GETFPXREGS, pid, 0, fp);
  printf("MXCSR %x\n", fp[24] | fp[25] << 8);
  fp[25] ^= 0x60;
  ask(PTRACE_SETFPXREGS, pid, 0, fp);
  ask(PTRACE_GETFPXREGS, pid, 0, fp);
  printf("MXCSR %x\n", fp[24] | fp[25] << 8);
  go(PTRACE_CONT, pid, 0);
  await(pid, "end");
  test_emulated();
}
#endif

static void parent(void) {
  syscall(SYS_kill, getpid(), SIGSTOP);
  _exit(syscall(SYS_getppid) == getppid() ? 40 : 41);
}

static void test_leave(void) {
  pid_t pid = child(parent);
  go(PTRACE_CONT, pid, 0);
  await(pid, "stop");
  go(PTRACE_SYSCALL, pid, 0);
  await(pid, "before a call");
  ask(PTRACE_DETACH, pid, 0, 0);
  await(pid, "end");
}

static void waits(void) {
  signal(SIGUSR1, SIG_IGN);
  syscall(SYS_kill, getpid(), SIGSTOP);
  pause();
}
/** A signal that comes before the call is made interrupts it, is seen after that, and the call is made again if it is ignored. */
static void test_interrupted(void) {
  pid_t pid = child(waits);
  go(PTRACE_CONT, pid, 0);
  await(pid, "stop");
  ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD);
  go(PTRACE_SYSCALL, pid, 0);
  await(pid, "before");
  kill(pid, SIGUSR1);
  go(PTRACE_SYSCALL, pid, 0);
  await(pid, "after");
  go(PTRACE_SYSCALL, pid, 0);
  await(pid, "signal");
  go(PTRACE_SYSCALL, pid, SIGUSR1);
  await(pid, "before");
  kill(pid, SIGKILL);
  await(pid, "end");
}

static void test_sigwait(void) {
  int number;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(sigwait(&set, &number) == 0 && number == SIGUSR1 ? 3 : 4);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  // most often it waits by then
  usleep(20000);
  ask(PTRACE_SEIZE, pid, 0, 0);
  ask(PTRACE_INTERRUPT, pid, 0, 0);
  await(pid, "interrupted");
  kill(pid, SIGUSR1);
  go(PTRACE_CONT, pid, 0);
  await(pid, "end");
}

static void faults(void) {
  *(volatile int *)0x10 = 1;
}
static void test_fault(void) {
  pid_t pid = child(faults);
  go(PTRACE_CONT, pid, 0);
  await(pid, "fault");
  siginfo_t info;
  ask(PTRACE_GETSIGINFO, pid, 0, &info);
  printf("address %p\n", info.si_addr);
  go(PTRACE_CONT, pid, SIGSEGV);
  await(pid, "end");
  fflush(stdout);
  pid = child(loops);
  ask(PTRACE_KILL, pid, 0, 0);
  await(pid, "end");
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "leaf") == 0) return 9;
  self = argv[0];
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  struct {
    const char *name;
    void (*run)(void);
  } tests[] = {{"signals", test_signals}, {"calls", test_calls}, {"memory", test_memory}, {"events", test_events},
               {"threads", test_threads}, {"attach", test_attach}, {"break", test_break}, {"fault", test_fault}, {"leave", test_leave}, {"interrupted", test_interrupted},
               {"sigwait", test_sigwait},
               {"steps", test_steps}};
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
    if (argc > 1 && strcmp(argv[1], tests[i].name)) continue;
    printf("== %s\n", tests[i].name);
    tests[i].run();
    fflush(stdout);
  }
  return 0;
}
