/* System calls with pointers to what is not there, and lengths that do not fit: their results are compared with Linux's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char *edge; /* the page before it can be read and written, the one behind it cannot be touched */
static char *constant; /* a page that can only be read */
static int zero, null, file, ends[2];
static long good[512];

struct Pointer {
  const char *name;
  long value;
};
static struct Pointer pointers[12];
static int count;

static void show(const char *call, const char *pointer, long result) {
  printf("%s %s: ", call, pointer);
  if (result == -1) printf("%s\n", strerrorname_np(errno));
  else if (result < -4096 || result > 65536 && result % 4096 == 0) printf("address\n");
  else printf("%ld\n", result);
}

#define EACH(call, ...)                                   \
  for (int i = 0; i < count; i++) {                       \
    long P = pointers[i].value;                           \
    (void)P;                                              \
    show(call, pointers[i].name, syscall(__VA_ARGS__));   \
  }
#define CALL(call, ...) show(call, "", syscall(__VA_ARGS__))

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  char *pages = mmap(0, 3 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  edge = pages + 65536;
  munmap(edge, 65536);
  constant = pages + 2 * 65536;
  mprotect(constant, 65536, PROT_READ);
  memset(pages, 'x', 65536);
  zero = open("/dev/zero", O_RDWR);
  null = open("/dev/null", O_RDWR);
  file = memfd_create("f", 0);
  char text[64];
  memset(text, 'y', sizeof text);
  write(file, text, sizeof text);
  struct Pointer list[] = {
      {"null", 0},          {"low", 0x1000},      {"unmapped", 0x30000000}, {"kernel", 0xd0000000},          {"top", 0xfffffff0},
      {"last", 0xffffffff}, {"edge", (long)edge}, {"cut", (long)edge - 1},  {"constant", (long)constant + 8},
  };
  count = sizeof list / sizeof *list;
  memcpy(pointers, list, sizeof list);

  EACH("read", SYS_read, zero, P, 16)
  EACH("read file", SYS_pread64, file, P, 16, 0, 0, 0, 0)
  EACH("write memfd", SYS_write, file, P, 16)
  EACH("read nothing", SYS_read, zero, P, 0)
  EACH("open", SYS_open, P, 0, 0)
  EACH("openat", SYS_openat, AT_FDCWD, P, 0, 0)
  EACH("access", SYS_access, P, 0)
  EACH("stat64", SYS_stat64, "/dev/null", P)
  EACH("stat64 path", SYS_stat64, P, good)
  EACH("fstat64", SYS_fstat64, null, P)
  EACH("getcwd", SYS_getcwd, P, 100)
  EACH("uname", SYS_uname, P)
  EACH("pipe2", SYS_pipe2, P, -1)
  EACH("gettimeofday", SYS_gettimeofday, P ? P : 0xfffffff1, 0)
  EACH("clock_gettime", SYS_clock_gettime, 0, P)
  EACH("clock_getres", SYS_clock_getres, 0, P)
  EACH("nanosleep", SYS_nanosleep, P, 0)
  EACH("getrandom", SYS_getrandom, P, 16, 0)
  EACH("readlink", SYS_readlink, "/proc/self/exe", P, 1)
  EACH("writev", SYS_writev, null, P, 2)
  EACH("readv", SYS_readv, zero, P, 2)
  EACH("poll", SYS_poll, P, 1, 0)
  EACH("rt_sigaction", SYS_rt_sigaction, 10, P, 0, sizeof(long) == 4 && SYS_rt_sigaction > 4000 ? 16 : 8)
  EACH("rt_sigaction old", SYS_rt_sigaction, 10, 0, P, SYS_rt_sigaction > 4000 ? 16 : 8)
  EACH("rt_sigprocmask", SYS_rt_sigprocmask, SIG_BLOCK, 0, P, SYS_rt_sigprocmask > 4000 ? 16 : 8)
  EACH("sigaltstack", SYS_sigaltstack, 0, P)
  EACH("rt_sigpending", SYS_rt_sigpending, P, 8)
  EACH("getdents64", SYS_getdents64, zero, P, 100)
  EACH("ioctl", SYS_ioctl, ends[0], 0x5413, P)
  EACH("fcntl lock", SYS_fcntl, file, F_GETLK, P)
  EACH("select", SYS__newselect, 8, P, 0, 0, good)
  EACH("getrlimit", SYS_getrlimit, 0, P)
  EACH("prlimit64", SYS_prlimit64, 0, 3, 0, P)
  EACH("getrusage", SYS_getrusage, 0, P)
  EACH("times", SYS_sysinfo, P)
  EACH("statfs64", SYS_statfs64, "/", 84, P)
  EACH("prctl name", SYS_prctl, 16, P)
  EACH("mincore", SYS_mincore, pages, 4096, P)
  EACH("getresuid", SYS_getresuid, good, good, P)
  EACH("sched_getaffinity", SYS_sched_getaffinity, 0, 0, P)
  EACH("chdir", SYS_chdir, P)
  EACH("mkdir", SYS_mkdir, P, 0)
  EACH("rename", SYS_rename, P, P)
  EACH("unlink", SYS_unlink, P)
  EACH("utimensat", SYS_utimensat, AT_FDCWD, P ? P : 1, 0, 0)

  EACH("_llseek", SYS__llseek, file, 0, 0, P, 0)
  EACH("munmap", SYS_munmap, P | 1, 4096)
  EACH("mprotect", SYS_mprotect, P & ~4095, 8192, 7)
  EACH("mremap", SYS_mremap, P & ~4095, 4096, 8192, 0)
  EACH("msync", SYS_msync, P & ~4095, 4096, 4)

  CALL("write huge", SYS_write, file, edge - 10, 0xfffffff0);
  CALL("write wraps", SYS_write, file, edge - 10, 0xf0000000);
  CALL("read huge", SYS_read, zero, edge - 10, 0x7fffffff);
  CALL("read file huge", SYS_pread64, file, edge - 10, 0x7fffffff, 0, 0, 0, 0);
  CALL("getrandom huge", SYS_getrandom, edge - 10, 0x10000, 0);
  CALL("getcwd 0", SYS_getcwd, good, 0);
  CALL("getcwd 1", SYS_getcwd, good, 1);
  CALL("poll many", SYS_poll, good, 1 << 20, 0);
  CALL("readv many", SYS_readv, zero, good, 1025);
  CALL("readv negative", SYS_readv, zero, good, -1);
  struct iovec segments[3] = {{edge - 4, 4}, {edge, 4}, {pages, 4}};
  CALL("writev gap", SYS_writev, null, segments, 3);
  CALL("readv gap", SYS_readv, zero, segments, 3);
  segments[1].iov_len = -1;
  CALL("writev length", SYS_writev, null, segments, 3);
  segments[0] = (struct iovec){edge - 4, 8};
  CALL("readv cut", SYS_readv, zero, segments, 1);
  memset(edge - 8192, 'a', 8192);
  CALL("open long", SYS_open, edge - 8192, 0, 0);
  CALL("open unterminated", SYS_open, edge - 100, 0, 0);
  CALL("mmap 0", SYS_mmap2, 0, 0, 3, 0x2 | MAP_ANONYMOUS, -1, 0);
  CALL("mmap huge", SYS_mmap2, 0, 0xfffff000, 3, 0x2 | MAP_ANONYMOUS, -1, 0);
  CALL("mmap top", SYS_mmap2, 0xfffff000, 4096, 3, 0x2 | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  CALL("mmap unaligned", SYS_mmap2, pages + 1, 4096, 3, 0x2 | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  CALL("mmap no file", SYS_mmap2, 0, 4096, 3, 0x2, 77, 0);
  CALL("mmap flags", SYS_mmap2, 0, 4096, 3, 0, -1, 0);
  CALL("munmap 0", SYS_munmap, pages, 0);
  CALL("munmap huge", SYS_munmap, pages, 0xfffff000);
  CALL("mprotect huge", SYS_mprotect, pages, 0xfffff000, 3);
  CALL("mprotect flags", SYS_mprotect, pages, 4096, 0x100);
  CALL("madvise", SYS_madvise, pages, 4096, 999);

  CALL("select negative", SYS__newselect, -1, 0, 0, 0, 0);
  CALL("close", SYS_close, 999999);
  CALL("dup2", SYS_dup2, 0, 1 << 30);
  CALL("kill", SYS_kill, 0x7ffffff0, 9);
  CALL("tgkill", SYS_tgkill, -1, -1, 9);
  CALL("signal", SYS_rt_sigaction, 9, good, 0, SYS_rt_sigaction > 4000 ? 16 : 8);
  CALL("set", SYS_rt_sigprocmask, 77, good, 0, SYS_rt_sigprocmask > 4000 ? 16 : 8);
  CALL("none", 5999);
  CALL("negative", -1);
  CALL("ftruncate", SYS_ftruncate, file, -1);
  CALL("nanosleep", SYS_nanosleep, (long[]){0, 1000000000}, 0);
  CALL("clock", SYS_clock_gettime, 99, good);
  return 0;
}
