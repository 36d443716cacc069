// Descriptors of what has no file: pseudoterminals, timers, signals. Prints the same on every Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static const char *error(long result) { return result < 0 ? strerror(errno) : "ok"; }

static void show(const char *what, int fd) {
  char text[512];
  ssize_t count = read(fd, text, sizeof text);
  printf("%s: %zd %s \"", what, count, error(count));
  for (ssize_t i = 0; i < count; i++) {
    if (text[i] < 32 || text[i] > 126) printf("\\x%02x", text[i] & 0xff);
    else putchar(text[i]);
  }
  printf("\"\n");
}

static int ready(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};
  poll(&one, 1, 0);
  return one.revents;
}

static void put(int fd, const char *text) {
  ssize_t count = write(fd, text, strlen(text));
  if (count != (ssize_t)strlen(text)) printf("write: %zd %s\n", count, error(count));
}

static void terminal(void) {
  int master, slave;
  struct winsize size = {24, 80, 0, 0};
  if (openpty(&master, &slave, 0, 0, &size) < 0) {
    perror("openpty");
    return;
  }
  struct stat status;
  fstat(slave, &status);
  printf("terminal %d %d, character device %d, named %d\n", isatty(master), isatty(slave), S_ISCHR(status.st_mode),
         strncmp(ttyname(slave), "/dev/pts/", 9) == 0);
  memset(&size, 0, sizeof size);
  ioctl(slave, TIOCGWINSZ, &size);
  printf("%d rows, %d columns; ready %x %x\n", size.ws_row, size.ws_col, ready(master), ready(slave));
  put(slave, "shown\nso");
  show("master", master);
  put(master, "typed\rmore\n");
  show("a line", slave);
  show("the next", slave);
  show("echo", master);
  put(master, "ax\177y\n\004");
  show("edited", slave);
  show("end of file", slave);
  show("echo", master);
  struct termios mode;
  tcgetattr(slave, &mode);
  cfmakeraw(&mode);
  tcsetattr(slave, TCSANOW, &mode);
  put(master, "k\r\003");
  show("raw", slave);
  put(slave, "\n");
  show("raw", master);
  mode.c_cc[VMIN] = 0;
  tcsetattr(slave, TCSANOW, &mode);
  show("polled", slave);
  put(master, "dropped");
  tcflush(slave, TCIFLUSH);
  show("after tcflush", slave);
  put(slave, "last");
  close(slave);
  printf("ready %x\n", ready(master));
  show("what was left", master);
  show("then", master);
  printf("ready %x\n", ready(master));
  close(master);
}

static void winched(int signal) { write(1, "size changed\n", 13); (void)signal; }

static void session(void) {
  int master, status;
  fflush(stdout);
  pid_t pid = forkpty(&master, 0, 0, 0);
  if (pid == 0) {
    signal(SIGWINCH, winched);
    int tty = open("/dev/tty", O_RDWR);
    printf("leader %d, foreground %d, tty %d\n", getsid(0) == getpid(), tcgetpgrp(0) == getpid(), tty > 2);
    fflush(stdout);
    sigset_t none;
    sigemptyset(&none);
    sigsuspend(&none);
    for (;;) pause();
  }
  char text[256];
  size_t length = 0;
  while (length < 5 || memcmp(text + length - 2, "\r\n", 2) != 0) {
    ssize_t count = read(master, text + length, sizeof text - length);
    if (count <= 0) break;
    length += count;
  }
  printf("%.*s\n", (int)length - 2, text);
  struct winsize size = {10, 20, 0, 0};
  ioctl(master, TIOCSWINSZ, &size);
  show("the child", master);
  put(master, "\003");
  waitpid(pid, &status, 0);
  printf("ended by %d\n", WTERMSIG(status));
  show("echo", master);
  close(master);

  pid = forkpty(&master, 0, 0, 0);
  if (pid == 0) {
    put(1, "there");
    for (;;) pause();
  }
  show("the next", master);
  close(master);
  waitpid(pid, &status, 0);
  printf("hung up: %d\n", WTERMSIG(status));
}

static void timers(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  uint64_t count = 0;
  ssize_t got = read(fd, &count, 8);
  printf("not armed: %s, ready %x\n", error(got), ready(fd));
  struct itimerspec setting = {{0, 5000000}, {0, 20000000}}, now;
  printf("set: %d\n", timerfd_settime(fd, 0, &setting, 0));
  timerfd_gettime(fd, &now);
  printf("interval %ld, left %d\n", now.it_interval.tv_nsec, now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
  struct pollfd one = {.fd = fd, .events = POLLIN};
  int found = poll(&one, 1, 5000);
  printf("poll %d %x\n", found, one.revents);
  usleep(30000);
  got = read(fd, &count, 8);
  printf("read %zd, expired often %d\n", got, count > 1);
  fcntl(fd, F_SETFL, 0);
  got = read(fd, &count, 8);
  printf("waited for %zd: %d\n", got, count >= 1);
  memset(&setting, 0, sizeof setting);
  timerfd_settime(fd, 0, &setting, &now);
  printf("was %ld, now ready %x; too small: ", now.it_interval.tv_nsec, ready(fd));
  got = read(fd, &count, 4);
  printf("%s\n", error(got));
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  int other = timerfd_create(CLOCK_REALTIME, 0);
  setting.it_value = at;
  timerfd_settime(other, TFD_TIMER_ABSTIME, &setting, 0);
  got = read(other, &count, 8);
  printf("absolute: %zd %d\n", got, (int)count);
  printf("no timer: %s, ", error(timerfd_settime(1, 0, &setting, 0)));
  printf("no clock: %s\n", error(timerfd_create(77, 0)));
}

static void signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, 0);
  int fd = signalfd(-1, &set, SFD_NONBLOCK);
  struct signalfd_siginfo info[3];
  printf("none: %s\n", error(read(fd, info, sizeof info)));
  kill(getpid(), SIGUSR1);
  printf("ready %x\n", ready(fd));
  ssize_t count = read(fd, info, sizeof info);
  printf("%zd: signal %d, from me %d\n", count, info[0].ssi_signo == SIGUSR1, info[0].ssi_pid == (uint32_t)getpid());
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(7);
  fcntl(fd, F_SETFL, 0);
  count = read(fd, info, sizeof info[0]);
  printf("%zd: child %d, status %d\n", count, info[0].ssi_pid == (uint32_t)pid, info[0].ssi_status);
  waitpid(pid, 0, 0);
  sigdelset(&set, SIGUSR1);
  printf("changed: %d\n", signalfd(fd, &set, 0) == fd);
  kill(getpid(), SIGUSR1);
  printf("ready %x, too small: %s\n", ready(fd), error(read(fd, info, 20)));
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 65536);
  terminal();
  session();
  timers();
  signals();
  return 0;
}
