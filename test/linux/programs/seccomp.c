/* What filters of seccomp(2) do with calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __mips__
#define ARCH (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? AUDIT_ARCH_MIPS : AUDIT_ARCH_MIPSEL)
#else
#define ARCH AUDIT_ARCH_I386
#endif
#define DATA(field) offsetof(struct seccomp_data, field)
#define LOW (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, n)

static int filter(struct sock_filter *code, int length, int flags) {
  struct sock_fprog program = {length, code};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
#define FILTER(...) filter((struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter), 0)
#define ON(call, action) LOAD(DATA(nr)), SKIP_UNLESS(call, 1), RETURN(action), RETURN(SECCOMP_RET_ALLOW)

static const char *name(void) { return errno == ENOSYS ? "ENOSYS" : errno == EDEADLK ? "EDEADLK" : strerror(errno); }
static void told(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? name() : ""); }

static void trapped(int signal, siginfo_t *info, void *context) {
  printf("SIGSYS %d: code %d, call %d, architecture %d, data %d, address %d\n", signal == SIGSYS, info->si_code, info->si_syscall == SYS_getppid,
         info->si_arch == ARCH, info->si_errno, info->si_call_addr != 0);
}

/* How a child ends that does this. */
static void child(const char *what, void (*act)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    act();
    fflush(stdout);
    _exit(7);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("%s: ", what);
  if (WIFEXITED(status)) printf("exit %d\n", WEXITSTATUS(status));
  else printf("%s\n", strsignal(WTERMSIG(status)));
}

static void kill_process(void) { FILTER(ON(SYS_getsid, SECCOMP_RET_KILL_PROCESS)); getsid(0); }
static void kill_thread(void) { FILTER(ON(SYS_getsid, SECCOMP_RET_KILL_THREAD)); getsid(0); }
static void unhandled(void) { FILTER(ON(SYS_getsid, SECCOMP_RET_TRAP)); getsid(0); }
static void strict_kill(void) { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); syscall(SYS_getsid, 0); }
static void strict_exit(void) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  write(1, "strict\n", 7);
  syscall(SYS_exit, 3);
}
static void divides(void) {
  /* getsid(0): A / X with X = 0 returns 0 */
  FILTER(LOAD(DATA(nr)), SKIP_UNLESS(SYS_getsid, 3), LOAD(DATA(args[0]) + LOW), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
         RETURN(SECCOMP_RET_ALLOW));
  getsid(0);
}
static void unprivileged(void) {
  setresuid(65534, 65534, 65534);
  told("without no_new_privs", FILTER(RETURN(SECCOMP_RET_ALLOW)));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  told("with no_new_privs", FILTER(RETURN(SECCOMP_RET_ALLOW)));
  told("mode", prctl(PR_GET_SECCOMP));
}
static void computes(void) {
  /* dup(fd): fails with (((fd * 3 + 5) ^ 1) << 2 >> 1) - memory[3] */
  FILTER(LOAD(DATA(nr)), SKIP_UNLESS(SYS_dup, 14), LOAD(DATA(args[0]) + LOW), BPF_STMT(BPF_LDX | BPF_IMM, 4), BPF_STMT(BPF_STX, 3),
         BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 1),
         BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), BPF_STMT(BPF_LDX | BPF_MEM, 3),
         BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
         BPF_STMT(BPF_RET | BPF_A, 0), RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ALLOW));
  for (int fd = 0; fd < 4; fd++) {
    int result = dup(fd);
    printf("dup(%d) = %d, %d\n", fd, result, errno);
  }
}
static void shifts(void) {
  /* getsid(0): fails with 1 << 35, of which 5 bits count */
  FILTER(LOAD(DATA(nr)), SKIP_UNLESS(SYS_getsid, 5), BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LDX | BPF_IMM, 35), BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
         BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0), RETURN(SECCOMP_RET_ALLOW));
  told("shifted", getsid(0));
}
static void notifies(void) {
  FILTER(ON(SYS_getsid, SECCOMP_RET_USER_NOTIF));
  told("without listener", getsid(0));
}
static void asks_tracer(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  FILTER(ON(SYS_getsid, SECCOMP_RET_TRACE | 21));
  told("traced", getsid(0) >= 0); /* 0 if the session began outside the namespace of process ids */
}

int main(void) {
  told("mode", prctl(PR_GET_SECCOMP));
  unsigned action = SECCOMP_RET_TRAP;
  told("has trap", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  action = 0x12340000;
  told("has none", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  told("operation", syscall(SYS_seccomp, 77, 0, 0));
  told("flags", filter((struct sock_filter[]){RETURN(0)}, 1, 0x8000));
  told("pointer", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 1));
  told("empty", filter(0, 0, 0));
  told("no end", FILTER(LOAD(0)));
  told("outside", FILTER(LOAD(64), RETURN(0)));
  told("unaligned", FILTER(LOAD(2), RETURN(0)));
  told("half", FILTER(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)));
  told("far jump", FILTER(BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(0)));
  told("far branch", FILTER(SKIP_UNLESS(0, 1), RETURN(0)));
  told("unwritten", FILTER(SKIP_UNLESS(0, 1), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LD | BPF_MEM, 2), RETURN(0)));
  told("division", FILTER(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)));
  told("shift", FILTER(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)));
  told("modulo", FILTER(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)));
  told("mode", prctl(PR_GET_SECCOMP));
  child("unprivileged", unprivileged);
  child("kill process", kill_process);
  child("kill thread", kill_thread);
  child("trap", unhandled);
  child("division by 0", divides);
  child("strict", strict_kill);
  child("strict and exit", strict_exit);
  child("computes", computes);
  child("shift of 35", shifts);
  child("notification", notifies);

  struct sigaction action_ = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action_, 0);
  told("architecture", FILTER(LOAD(DATA(arch)), SKIP_UNLESS(ARCH, 1), RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_KILL_PROCESS)));
  told("trap", FILTER(ON(SYS_getppid, SECCOMP_RET_TRAP | 9)));
  getppid();
  told("errno", FILTER(ON(SYS_uname, SECCOMP_RET_ERRNO | EDEADLK)));
  struct utsname uts;
  told("uname", uname(&uts));
  told("errno 0", FILTER(ON(SYS_getpgid, SECCOMP_RET_ERRNO)));
  told("getpgid", getpgid(0));
  told("stricter of two", FILTER(ON(SYS_uname, SECCOMP_RET_TRACE)));
  told("uname", uname(&uts));
  told("trace", FILTER(ON(SYS_getsid, SECCOMP_RET_TRACE)));
  told("getsid without tracer", getsid(0));
  told("log", FILTER(ON(SYS_getsid, SECCOMP_RET_LOG)));
  told("mode", prctl(PR_GET_SECCOMP));
  told("strict now", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));

  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    asks_tracer();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  unsigned long message = 0;
  ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
  printf("stop %x, message %lu\n", status, message);
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  printf("ended %x\n", status);
  return 0;
}
