// Descriptors of what is no regular file: pseudoterminals, timers, signals, FIFOs, pipes. Prints the same on every Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static const char *error(long result) { return result < 0 ? strerror(errno) : "ok"; }

/* At least so many bytes: what is written at once may come in parts. */
static void showAll(const char *what, int fd, int least) {
  char text[512];
  ssize_t count = read(fd, text, sizeof text);
  for (ssize_t more = count; more > 0 && count < least; count += more > 0 ? more : 0) more = read(fd, text + count, sizeof text - count);
  printf("%s: %zd %s \"", what, count, error(count));
  for (ssize_t i = 0; i < count; i++) {
    if (text[i] < 32 || text[i] > 126) printf("\\x%02x", text[i] & 0xff);
    else putchar(text[i]);
  }
  printf("\"\n");
}

static void show(const char *what, int fd) { showAll(what, fd, 0); }

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
  showAll("master", master, 9);
  put(master, "typed\rmore\n");
  show("a line", slave);
  show("the next", slave);
  showAll("echo", master, 13);
  put(master, "ax\177y\n\004");
  show("edited", slave);
  show("end of file", slave);
  showAll("echo", master, 8);
  struct termios mode;
  tcgetattr(slave, &mode);
  cfmakeraw(&mode);
  tcsetattr(slave, TCSANOW, &mode);
  put(master, "k\r\003");
  showAll("raw", slave, 3);
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
  showAll("what was left", master, 4);
  show("then", master);
  printf("ready %x\n", ready(master));
  close(master);
}

static void winched(int signal) { write(1, "size changed\n", 13); (void)signal; }

static void woken(int signal) {}

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
  showAll("the child", master, 14);
  put(master, "\003");
  waitpid(pid, &status, 0);
  printf("ended by %d\n", WTERMSIG(status));
  showAll("echo", master, 2);
  close(master);

  pid = forkpty(&master, 0, 0, 0);
  if (pid == 0) {
    put(1, "there");
    for (;;) pause();
  }
  showAll("the next", master, 5);
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
  int found = poll(&one, 1, 60000);
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

static void fifos(void) {
  char text[64];
  struct stat status;
  printf("mkfifo: %s, ", error(mkfifo("fifo", 0640)));
  printf("again: %s\n", error(mkfifo("fifo", 0640)));
  stat("fifo", &status);
  printf("mode %o, %ld bytes\n", status.st_mode, (long)status.st_size);
  printf("nobody reads: %s\n", error(open("fifo", O_WRONLY | O_NONBLOCK)));
  int both = open("fifo", O_RDWR);
  put(both, "to itself");
  show("both", both);
  close(both);
  int in = open("fifo", O_RDONLY | O_NONBLOCK);
  printf("ready %x\n", ready(in));
  show("nobody writes", in);
  int out = open("fifo", O_WRONLY);
  printf("ready %x\n", ready(in));
  printf("nothing there: %s\n", error(read(in, text, 1)));
  put(out, "abc");
  close(out);
  printf("ready %x\n", ready(in));
  show("in", in);
  show("end", in);
  close(in);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    out = open("fifo", O_WRONLY);
    put(out, "from the child");
    _exit(0);
  }
  in = open("fifo", O_RDONLY);
  show("in", in);
  show("end", in);
  close(in);
  waitpid(pid, 0, 0);
  struct sigaction action = {.sa_handler = woken};
  sigaction(SIGALRM, &action, 0);
  // again and again, since the first may come before the call
  struct itimerval often = {{0, 100000}, {0, 100000}}, never = {0};
  setitimer(ITIMER_REAL, &often, 0);
  const char *alone = error(open("fifo", O_RDONLY));
  setitimer(ITIMER_REAL, &never, 0);
  printf("alone: %s\n", alone);
  printf("renamed: %s\n", error(rename("fifo", "other")));
  printf("chmod: %s\n", error(chmod("other", 0600)));
  printf("gone: %s\n", error(unlink("other")));
}

static void pipes(void) {
  int one[2], two[2];
  char text[64];
  pipe(one);
  pipe(two);
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  put(file, "0123456789");
  loff_t at = 2;
  ssize_t count = splice(file, &at, one[1], 0, 5, 0);
  printf("splice %zd, then at %d\n", count, (int)at);
  printf("tee %zd\n", tee(one[0], two[1], 100, 0));
  show("one", one[0]);
  show("two", two[0]);
  put(one[1], "into the file");
  at = 3;
  count = splice(one[0], 0, file, &at, 100, 0);
  printf("splice %zd, then at %d\n", count, (int)at);
  pread(file, text, 16, 0);
  printf("file %.16s\n", text);
  printf("empty: %s, ", error(splice(one[0], 0, file, 0, 1, SPLICE_F_NONBLOCK)));
  printf("no pipe: %s, ", error(splice(file, 0, file, 0, 1, 0)));
  printf("an offset: %s, ", error(splice(one[0], &at, file, 0, 1, 0)));
  printf("with itself: %s\n", error(tee(one[0], one[1], 1, 0)));
  struct iovec parts[2] = {{"gath", 4}, {"ered", 4}};
  printf("vmsplice %zd\n", vmsplice(one[1], parts, 2, 0));
  printf("to another %zd\n", splice(one[0], 0, two[1], 0, 6, 0));
  show("two", two[0]);
  show("one", one[0]);
  printf("ends: %d", close(one[1]));
  printf(" %zd\n", splice(one[0], 0, two[1], 0, 6, 0));

  struct stat status;
  printf("punch %d", fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
  printf(" zero %d", fallocate(file, FALLOC_FL_ZERO_RANGE, 12, 8));
  printf(" keep %d", fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 100));
  fstat(file, &status);
  printf(" size %d\n", (int)status.st_size);
  lseek(file, 0, SEEK_SET);
  show("file", file);
  printf("punch with the size: %s\n", error(fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, 1)));
  struct open_how how = {.flags = O_RDONLY};
  int fd = syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how);
  show("openat2", fd);
  how.flags = 1ull << 40;
  printf("openat2: %s\n", error(syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how)));
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 5};
  epoll_ctl(poll, EPOLL_CTL_ADD, two[0], &event);
  struct timespec soon = {0, 1000000};
  printf("epoll_pwait2 %d", epoll_pwait2(poll, &event, 1, &soon, 0));
  put(two[1], "x");
  int found = epoll_pwait2(poll, &event, 1, 0, 0);
  printf(" %d %d\n", found, (int)event.data.u64);
  unlink("file");
}

static void asynchronous(void) {
  int on = 1, pair[2], file = open("plain", O_RDWR | O_CREAT, 0600);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  printf("asynchronous: %s", error(ioctl(pair[0], FIOASYNC, &on)));
  printf(", %s\n", error(ioctl(file, FIOASYNC, &on)));
  close(pair[0]), close(pair[1]), close(file);
  unlink("plain");
}

static void late(int signal, siginfo_t *info, void *context) {
  printf("signal %d, code %s, value %d, own %d\n", signal - SIGRTMIN, info->si_code == SI_MESGQ ? "SI_MESGQ" : "?", info->si_value.sival_int,
         info->si_pid == getpid());
}

static void receive(mqd_t queue, unsigned length) {
  char text[100];
  unsigned priority = 99;
  ssize_t count = mq_receive(queue, text, length, &priority);
  printf("receive: %zd %s %.*s %u\n", count, error(count), count < 0 ? 0 : (int)count, text, priority);
}

static void queues(void) {
  char name[40], other[40];
  struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 20}, now;
  struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 20}, large = {.mq_maxmsg = 10, .mq_msgsize = 1 << 25};
  struct timespec past = {1, 0}, wrong = {1, 2000000000};
  snprintf(name, sizeof name, "/wasmvisor-%d", getpid());
  snprintf(other, sizeof other, "%s-other", name);
  printf("%s", error(mq_open(name, O_RDWR)));
  printf(", %s", error(mq_open(name, O_RDWR | O_CREAT, 0600, &bad)));
  printf(", %s", error(mq_open(name, O_RDWR | O_CREAT, 0600, &large)));
  printf(", %s", error(mq_open("/a/b", O_RDWR | O_CREAT, 0600, &attributes)));
  printf(", %s\n", error(mq_open("/", O_RDWR | O_CREAT, 0600, &attributes)));
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0640, &attributes);
  mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY | O_NONBLOCK);
  printf("again: %s, close on exec %d\n", error(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, 0)), fcntl(queue, F_GETFD));
  printf("send: %s", error(mq_send(queue, "one", 3, 1)));
  printf(", %s", error(mq_send(queue, "two", 3, 5)));
  printf(", %s", error(mq_send(reader, "x", 1, 0)));
  printf(", %s", error(mq_send(queue, "one more", 8, 1)));
  printf(", full %s", error(mq_send(writer, "three", 5, 1)));
  printf(", %s", error(mq_timedsend(queue, "three", 5, 1, &past)));
  printf(", %s", error(mq_timedsend(queue, "three", 5, 1, &wrong)));
  printf(", %s", error(mq_send(queue, "three", 21, 1)));
  printf(", %s", error(mq_send(queue, "three", 5, 32768)));
  printf(", %s", error(mq_send(queue, (char *)8, 5, 1)));
  printf(", %s\n", error(mq_send(1, "x", 1, 0)));
  mq_getattr(writer, &now);
  printf("%d %ld %ld %ld, ready %x %x\n", (now.mq_flags & O_NONBLOCK) != 0, now.mq_maxmsg, now.mq_msgsize, now.mq_curmsgs, ready(reader), ready(writer));
  receive(queue, 19);
  receive(writer, 20);
  receive(reader, 20);
  receive(queue, 100);
  receive(queue, 20);
  now.mq_flags = 1;
  printf("set: %s", error(mq_setattr(queue, &now, 0)));
  now.mq_flags = O_NONBLOCK;
  printf(", %s", error(mq_setattr(queue, &now, &attributes)));
  printf(" %ld\n", attributes.mq_flags);
  receive(queue, 20);
  printf("late: %s, %x\n", error(mq_timedreceive(reader, name, 20, 0, &past)), ready(queue));
  if (fork() == 0) {
    usleep(30000);
    mq_send(queue, "from a child", 12, 7);
    _exit(0);
  }
  receive(reader, 20);
  wait(0);
  struct sigaction action = {.sa_sigaction = late, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 1, &action, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
  printf("notify: %s", error(mq_notify(queue, &event)));
  printf(", %s", error(mq_notify(queue, &event)));
  printf(", %s\n", error(mq_notify(queue, 0)));
  mq_notify(queue, &event);
  mq_send(queue, "a", 1, 0);
  mq_send(queue, "b", 1, 0);
  show("status", reader);
  mq_close(writer);
  printf("unlink: %s", error(mq_unlink(name)));
  printf(", %s", error(mq_unlink(name)));
  printf(", %s\n", error(mq_open(name, O_RDWR)));
  receive(queue, 20);
  mq_close(queue), mq_close(reader);
  queue = mq_open(other, O_RDWR | O_CREAT, 0600, 0);
  mq_getattr(queue, &now);
  printf("default %ld %ld\n", now.mq_maxmsg, now.mq_msgsize);
  mq_unlink(other);
}

int main(void) {
  char folder[] = "/tmp/descriptorsXXXXXX";
  if (!mkdtemp(folder) || chdir(folder) < 0) return 1;
  umask(022);
  setvbuf(stdout, 0, _IOFBF, 65536);
  terminal();
  session();
  timers();
  signals();
  fifos();
  pipes();
  asynchronous();
  queues();
  rmdir(folder);
  return 0;
}
