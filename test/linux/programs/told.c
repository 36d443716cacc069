/* Signals that tell of files, seals, sizes of pipes, locks of open files, and epoll that watches epoll; what it prints is compared with the processor's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/toldXXXXXX";

static const char *failed(long result) { return result < 0 ? strerror(errno) : "fine"; }
#define SHOW(what) printf("%s: %s\n", #what, failed(what))
#define VALUE(what) printf("%s: %ld\n", #what, (long)(what))

static volatile int got, code, band, from;
static void handler(int signal, siginfo_t *info, void *context) {
  got = signal, code = info->si_code, band = info->si_band, from = info->si_fd;
}
static void report(const char *when, int fd) {
  printf("%s: signal %s", when, got ? (got == SIGIO ? "SIGIO" : "another") : "none");
  if (got > SIGIO) printf(", code %d, band %s%s, descriptor %s", code, band & POLLIN ? "in" : "", band & POLLOUT ? "out" : "", from == fd ? "right" : "wrong");
  else if (got) printf(", code %d", code);
  printf("\n");
  got = 0;
}

static void told(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGIO, &action, 0);
  sigaction(SIGRTMIN + 3, &action, 0);
  int p[2], s[2];
  char byte;
  pipe(p);
  VALUE(fcntl(p[0], F_GETOWN));
  VALUE(fcntl(p[0], F_GETSIG));
  SHOW(fcntl(p[0], F_SETOWN, 5000000));
  SHOW(fcntl(p[0], F_SETSIG, 65000));
  SHOW(fcntl(p[0], F_SETOWN, getpid()));
  VALUE(fcntl(p[0], F_GETOWN) == getpid());
  write(p[1], "a", 1);
  report("not asynchronous", p[0]);
  SHOW(fcntl(p[0], F_SETFL, O_ASYNC));
  VALUE((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  write(p[1], "b", 1);
  report("written", p[0]);
  read(p[0], &byte, 1);
  report("read", p[0]);
  SHOW(fcntl(p[0], F_SETSIG, SIGRTMIN + 3));
  VALUE(fcntl(p[0], F_GETSIG) == SIGRTMIN + 3);
  write(p[1], "c", 1);
  report("written with a signal of its own", p[0]);
  SHOW(fcntl(p[0], F_SETFL, 0));
  write(p[1], "d", 1);
  report("switched off", p[0]);

  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  int on = 1;
  struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()};
  SHOW(ioctl(s[0], FIOASYNC, &on));
  SHOW(fcntl(s[0], F_SETOWN_EX, &owner));
  memset(&owner, 0, sizeof owner);
  SHOW(fcntl(s[0], F_GETOWN_EX, &owner));
  VALUE(owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
  VALUE(fcntl(s[0], F_GETOWN) == -getpgrp());
  owner.type = 7;
  SHOW(fcntl(s[0], F_SETOWN_EX, &owner));
  owner.type = F_OWNER_TID, owner.pid = getpid();
  SHOW(fcntl(s[0], F_SETOWN_EX, &owner));
  fcntl(s[0], F_SETSIG, SIGRTMIN + 3);
  write(s[1], "a", 1);
  report("socket", s[0]);
  int file = open("told", O_RDWR | O_CREAT, 0600);
  SHOW(ioctl(file, FIOASYNC, &on));
  fcntl(file, F_SETFL, O_ASYNC);
  VALUE((fcntl(file, F_GETFL) & O_ASYNC) != 0);

  SHOW(fcntl(file, F_NOTIFY, DN_CREATE));
  int directory = open(".", O_RDONLY);
  SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
  fcntl(directory, F_SETSIG, SIGRTMIN + 3);
  close(open("new", O_CREAT | O_WRONLY, 0600));
  report("a file is made", directory);
  rename("new", "newer");
  report("renamed", directory);
  chmod("newer", 0644);
  report("another mode", directory);
  SHOW(fcntl(directory, F_NOTIFY, DN_ATTRIB));
  chmod("newer", 0600);
  report("another mode, once", directory);
  chmod("newer", 0644);
  report("another mode, again", directory);
  unlink("newer");
  close(directory), close(file), unlink("told");
}

static void seals(void) {
  char text[100];
  int plain = memfd_create("plain", 0), fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  VALUE(fcntl(plain, F_GET_SEALS));
  SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW));
  VALUE(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, 0x1000));
  write(fd, "0123456789", 10);
  struct stat status;
  fstat(fd, &status);
  printf("links %ld, mode %o\n", (long)status.st_nlink, status.st_mode);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  VALUE(fcntl(fd, F_GET_SEALS));
  SHOW(ftruncate(fd, 5));
  SHOW(ftruncate(fd, 20));
  SHOW(ftruncate(fd, 10));
  SHOW(pwrite(fd, "abc", 3, 8));
  SHOW(pwrite(fd, "abc", 3, 7));
  char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  SHOW(pwrite(fd, "x", 1, 0));
  shared[0] = 'M';
  VALUE(pread(fd, text, 10, 0));
  printf("%.10s\n", text);
  munmap(shared, 4096);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  VALUE(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0);
  VALUE(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0);
  SHOW(fcntl(0, F_GET_SEALS) < 0 && errno == EINVAL ? 0 : -1);
  close(fd), close(plain);
}

/* Descriptors and shared mappings of a file see each other's changes, in memory and on disk. */
static void mapped(int fd) {
  char text[20] = "";
  ftruncate(fd, 0);
  write(fd, "0123456789", 10);
  char *shared = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  shared[0] = 'M';
  pread(fd, text, 10, 0);
  printf("stored, then read: %s\n", text);
  pwrite(fd, "W", 1, 1);
  printf("written, then seen: %.10s\n", shared);
  pwrite(fd, "far", 3, 4096 + 100);
  printf("grown, then seen: %.3s\n", shared + 4096 + 100);
  if (fork() == 0) {
    pwrite(fd, "C", 1, 2);
    _exit(0);
  }
  wait(0);
  printf("written by a child, then seen: %.10s\n", shared);
  munmap(shared, 3 * 4096);
  pread(fd, text, 10, 0);
  printf("unmapped, then read: %s\n", text);
  close(fd);
}

static void pipes(void) {
  int p[2];
  static char many[200000];
  pipe2(p, O_NONBLOCK);
  VALUE(fcntl(p[0], F_GETPIPE_SZ));
  VALUE(write(p[1], many, sizeof many));
  VALUE(fcntl(p[1], F_SETPIPE_SZ, 100000));
  VALUE(write(p[1], many, sizeof many));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
  VALUE(read(p[0], many, 130000));
  VALUE(fcntl(p[1], F_SETPIPE_SZ, 1));
  VALUE(read(p[0], many, sizeof many));
  SHOW(fcntl(0x7fff, F_SETPIPE_SZ, 4096));
  int file = open("told", O_RDWR | O_CREAT, 0600);
  SHOW(fcntl(file, F_GETPIPE_SZ));
  unlink("told");
}

static void locks(void) {
  int a = open("told", O_RDWR | O_CREAT, 0600), b = open("told", O_RDWR);
  struct flock64 lock = {F_WRLCK, SEEK_SET, 10, 5}, other = {F_WRLCK, SEEK_SET, 12, 1};
  SHOW(fcntl(a, F_OFD_SETLK, &lock));
  SHOW(fcntl(b, F_OFD_SETLK, &other));
  SHOW(fcntl(b, F_OFD_GETLK, &other));
  printf("type %d, from %ld, length %ld, process %d\n", other.l_type, (long)other.l_start, (long)other.l_len, other.l_pid);
  other.l_pid = getpid(), other.l_type = F_WRLCK;
  SHOW(fcntl(b, F_OFD_SETLK, &other));
  other.l_pid = 0, other.l_start = 20;
  SHOW(fcntl(b, F_OFD_SETLK, &other));
  struct flock64 classic = {F_WRLCK, SEEK_SET, 0, 0};
  SHOW(fcntl(a, F_SETLK64, &classic));
  close(a);
  other.l_start = 10, other.l_type = F_WRLCK;
  SHOW(fcntl(b, F_OFD_SETLK, &other));
  unlink("told");
}

static int watch(int epoll, int fd) {
  struct epoll_event event = {EPOLLIN};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}
static void nesting(void) {
  int e[8], p[2];
  pipe(p);
  for (int i = 0; i < 8; i++) e[i] = epoll_create1(0);
  SHOW(watch(e[0], e[0]));
  SHOW(watch(e[0], e[1]));
  SHOW(watch(e[1], e[0]));
  SHOW(watch(e[1], e[2]));
  SHOW(watch(e[2], e[0]));
  SHOW(watch(e[2], p[0]));
  struct epoll_event event;
  VALUE(epoll_wait(e[0], &event, 1, 0));
  write(p[1], "a", 1);
  VALUE(epoll_wait(e[0], &event, 1, 0));
  SHOW(epoll_ctl(e[1], EPOLL_CTL_DEL, e[2], &event));
  SHOW(watch(e[2], e[1]));
  close(e[0]);
  SHOW(watch(e[1], e[3]));
  SHOW(watch(e[3], e[2]));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  mkdtemp(folder);
  chdir(folder);
  setpgid(0, 0);
  told();
  seals();
  mapped(memfd_create("mapped", 0));
  mapped(open("told", O_RDWR | O_CREAT, 0600));
  unlink("told");
  pipes();
  locks();
  nesting();
  chdir("/");
  SHOW(rmdir(folder));
  return 0;
}
