// What processes can rely on, told in lines that are the same on every kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static const char *self;
static volatile int handled;

static void handler(int signal, siginfo_t *info, void *context) {
  handled++;
  if (signal == SIGCHLD) printf("SIGCHLD: code %d, status %d\n", info->si_code, info->si_status);
}

static void catch(int signal, int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  sigaction(signal, &action, NULL);
}

static void tell(const char *what, pid_t found, pid_t child, int status) {
  printf("%s: %s", what, found < 0 ? strerror(errno) : found == child ? "child" : found == 0 ? "none" : "another");
  if (found > 0 && WIFEXITED(status)) printf(" exited %d", WEXITSTATUS(status));
  if (found > 0 && WIFSIGNALED(status)) printf(" killed: %s", strsignal(WTERMSIG(status)));
  if (found > 0 && WIFSTOPPED(status)) printf(" stopped: %s", strsignal(WSTOPSIG(status)));
  if (found > 0 && WIFCONTINUED(status)) printf(" continued");
  printf("\n");
}

static void waitAndTell(const char *what, pid_t child, int options) {
  int status = 0;
  pid_t found = waitpid(child, &status, options);
  tell(what, found, child, status);
}

static pid_t child(int code) {
  pid_t pid = fork();
  if (pid == 0) _exit(code);
  return pid;
}

static pid_t sleeper(void) {
  pid_t pid = fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

static void memory(void) {
  static int global = 1;
  int local = 2, pipes[2];
  char *heap = malloc(300000), *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(heap + 200000, "heap");
  strcpy(mapped + 500000, "mapped");
  pipe(pipes);
  pid_t pid = fork();
  if (pid == 0) {
    char text[100];
    sprintf(text, "child sees %d %d %s %s", global, local, heap + 200000, mapped + 500000);
    global = local = 9;
    strcpy(heap + 200000, "CHILD");
    strcpy(mapped + 500000, "CHILD");
    write(pipes[1], text, strlen(text));
    _exit(0);
  }
  close(pipes[1]);
  char text[200] = "";
  for (int at = 0, n; (n = read(pipes[0], text + at, sizeof text - at)) > 0;) at += n;
  waitAndTell("copy", pid, 0);
  printf("%s; parent has %d %d %s %s\n", text, global, local, heap + 200000, mapped + 500000);
}

static void waiting(void) {
  waitAndTell("no child", -1, 0);
  pid_t pid = child(3);
  siginfo_t info = {0};
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  printf("waitid: %d %d %d\n", info.si_signo == SIGCHLD, info.si_code, info.si_status);
  waitAndTell("zombie", pid, 0);
  waitAndTell("again", pid, 0);
  pid = sleeper();
  waitAndTell("running", pid, WNOHANG);
  kill(pid, SIGSTOP);
  waitAndTell("stop", pid, WUNTRACED);
  kill(pid, SIGCONT);
  waitAndTell("continue", pid, WCONTINUED);
  kill(pid, SIGTERM);
  waitAndTell("kill", pid, 0);
  int ends[2];
  char c;
  pipe2(ends, O_NONBLOCK);
  pid = fork();
  if (pid == 0) {
    kill(getpid(), SIGSTOP);
    write(ends[1], "x", 1);
    _exit(4);
  }
  waitAndTell("stops itself", pid, WUNTRACED);
  printf("and does no more: %d\n", (int)read(ends[0], &c, 1));
  kill(pid, SIGCONT);
  waitAndTell("goes on", pid, 0);
  pid = fork();
  if (pid == 0) {
    struct sigevent killed = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &killed, &timer);
    timer_settime(timer, 0, &soon, NULL);
    for (;;) pause();
  }
  waitAndTell("by its own timer, while all wait", pid, 0);
  int failed = kill(pid, 0);
  printf("kill of none: %d %s\n", failed, strerror(errno));
  catch(SIGCHLD, SA_RESTART);
  pid = child(5);
  waitAndTell("with handler", pid, 0);
  signal(SIGCHLD, SIG_IGN);
  pid = child(6);
  waitAndTell("ignored", pid, 0);
  signal(SIGCHLD, SIG_DFL);
}

static void orphans(void) {
  int pipes[2];
  char text[16] = "";
  pipe(pipes);
  pid_t pid = fork();
  if (pid == 0) {
    pid_t parent = getpid();
    if (fork() == 0) {
      while (getppid() == parent) usleep(1000);
      write(pipes[1], "adopted", 7);
      _exit(0);
    }
    _exit(0);
  }
  waitAndTell("parent of an orphan", pid, 0);
  read(pipes[0], text, 7);
  printf("orphan: %s\n", text);
  waitAndTell("orphan is another's", -1, 0);
}

static void groups(void) {
  pid_t pids[3], leader = 0;
  for (int i = 0; i < 3; i++) {
    pids[i] = sleeper();
    if (i == 0) leader = pids[0];
    setpgid(pids[i], leader);
  }
  printf("group: %d %d\n", getpgid(pids[2]) == leader, getpgid(0) == leader);
  kill(-leader, SIGUSR1);
  for (int i = 0; i < 3; i++) waitAndTell("of the group", pids[i], 0);
  pid_t pid = fork();
  if (pid == 0) _exit(setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid() && setsid() == -1 ? 0 : 1);
  waitAndTell("session", pid, 0);
}

static void pipes(void) {
  int ends[2];
  static char block[100000];
  pipe(ends);
  pid_t writer = fork();
  if (writer == 0) {
    close(ends[0]);
    for (int i = 0; i < 5; i++) write(ends[1], block, sizeof block);
    _exit(0);
  }
  close(ends[1]);
  int total = 0, n;
  while ((n = read(ends[0], block, 30000)) > 0) total += n;
  printf("through a pipe: %d\n", total);
  waitAndTell("writer", writer, 0);
  close(ends[0]);
  pipe(ends);
  close(ends[0]);
  pid_t broken = fork();
  if (broken == 0) {
    write(ends[1], "x", 1);
    _exit(0);
  }
  waitAndTell("SIGPIPE", broken, 0);
  signal(SIGPIPE, SIG_IGN);
  n = write(ends[1], "x", 1);
  printf("EPIPE: %d %s\n", n, strerror(errno));
  FILE *file = tmpfile();
  int fd = fileno(file);
  write(fd, "abcdef", 6);
  lseek(fd, 1, SEEK_SET);
  pid_t reader = fork();
  char c = 0;
  if (reader == 0) _exit(read(fd, &c, 1) == 1 && c == 'b' ? 0 : 1);
  waitAndTell("reader", reader, 0);
  read(fd, &c, 1);
  printf("common position: %c\n", c);
}

static void common(void) {
  volatile int *words = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sem_t *semaphores = (sem_t *)words + 64;
  sem_init(semaphores, 1, 0);
  sem_init(semaphores + 1, 1, 0);
  words[0] = 1;
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 50; i++) {
      sem_wait(semaphores);
      words[1] += words[0];
      sem_post(semaphores + 1);
    }
    munmap((void *)(words + 1024), 4096);
    _exit(words[1] == 2500 ? 0 : 1);
  }
  for (int i = 0; i < 50; i++) {
    words[0] = 2 * i + 1;
    sem_post(semaphores);
    sem_wait(semaphores + 1);
  }
  waitAndTell("common memory", pid, 0);
  printf("sum %d\n", words[1]);
  int ends[2];
  pipe(ends);
  pid = fork();
  if (pid == 0) _exit(read(ends[0], (char *)(words + 8), 4) == 4 ? 0 : 1);
  usleep(20000);
  write(ends[1], "abc", 4);
  waitAndTell("read into it", pid, 0);
  printf("%s\n", (char *)(words + 8));
}

enum { PAGE = 4096, HANDS = 24 };

// what one of them has written, cleared or closed off others see, and much of it is no more for being shown to many
static void large(void) {
  size_t size = 64 << 20;
  volatile char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bytes[10 * PAGE] = bytes[20 * PAGE] = 1;
  pid_t pid = fork();
  if (pid == 0) {
    bytes[10 * PAGE] = 0;
    bytes[size - 1] = 5;
    mprotect((void *)bytes, size, PROT_READ);
    _exit(bytes[20 * PAGE]);
  }
  waitAndTell("large memory", pid, 0);
  printf("cleared %d, written %d\n", bytes[10 * PAGE], bytes[size - 1]);
  sem_t *turns = (sem_t *)bytes;
  for (int i = 0; i <= HANDS; i++) sem_init(turns + i, 1, 0);
  for (int i = 0; i < HANDS; i++)
    if (fork() == 0) {
      sem_wait(turns + i);
      bytes[(100 * i + 200) * PAGE] = bytes[(100 * i + 100) * PAGE] + 1;
      sem_post(turns + i + 1);
      _exit(0);
    }
  sem_post(turns);
  sem_wait(turns + HANDS);
  while (wait(NULL) > 0);
  printf("from hand to hand %d\n", bytes[(100 * HANDS + 100) * PAGE]);
  munmap((void *)bytes, size);
}

// with not enough memory for what both of two processes then have
static int hog(void) {
  size_t size = 30 << 20;
  char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  pipe(ends);
  pid_t pid = fork();
  if (pid == 0) _exit(read(ends[0], &size, 1));
  memset(bytes, 1, size);
  write(ends[1], "", 1);
  waitAndTell("too much", pid, 0);
  return 0;
}

static void segments(void) {
  int id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0640);
  char *here = shmat(id, NULL, 0);
  strcpy(here, "before");
  pid_t pid = fork();
  if (pid == 0) {
    char *again = shmat(id, NULL, 0);
    int same = strcmp(here, "before") == 0 && strcmp(again, "before") == 0;
    shmdt(here);
    strcpy(again + 4999, "!");
    _exit(same ? 0 : 1);
  }
  waitAndTell("segment", pid, 0);
  struct shmid_ds about;
  shmctl(id, IPC_STAT, &about);
  printf("%zu bytes, mode %o, %d, by me %d, %c\n", (size_t)about.shm_segsz, about.shm_perm.mode & 0777, (int)about.shm_nattch, about.shm_cpid == getpid(), here[4999]);
  shmctl(id, IPC_RMID, NULL);
  printf("still %s\n", here);
  printf("not there: %d", shmdt(here + 4096));
  printf(" %s\n", strerror(errno));
  mprotect(here, 4096, PROT_READ);
  printf("gone: %d", shmdt(here));
  printf(", all of it: %d", mprotect(here + 4096, 4096, PROT_READ));
  printf(" %d", shmdt(here));
  printf(" %s\n", strerror(errno));
  printf("none: %d", shmget(0x7a7b7c, 1, 0));
  printf(" %s\n", strerror(errno));
}

// each counts by compare-and-swap, and loses nothing when another has its turn in the midst of that
static int counting(int each) {
  volatile int *count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 3; i++)
    if (fork() == 0) {
      for (int n = 0, old; n < each; n++) do old = *count;
        while (!__sync_bool_compare_and_swap(count, old, old + 1));
      _exit(0);
    }
  while (wait(NULL) > 0);
  printf("counted %d\n", *count);
  return 0;
}

// children that nobody waits for, until somebody does
static void zombies(void) {
  int sum = 0, status, count = 0;
  for (int i = 0; i < 300; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(i & 127);
    if (pid < 0) break;
  }
  while (wait(&status) > 0) {
    count++;
    sum += WEXITSTATUS(status);
  }
  printf("%d ended, %d\n", count, sum);
}

static void sockets(void) {
  int ends[2], type;
  socklen_t length = sizeof type;
  char text[64] = "";
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &type, &length);
  printf("stream: %d\n", type == SOCK_STREAM);
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    for (int n; (n = read(ends[1], text, sizeof text)) > 0;) {
      for (int i = 0; i < n; i++) text[i] ^= 32;
      send(ends[1], text, n, 0);
    }
    _exit(0);
  }
  close(ends[1]);
  write(ends[0], "through", 7);
  int n = recv(ends[0], text, sizeof text, 0);
  printf("socket: %.*s %zd\n", n, text, recv(ends[0], text, 1, MSG_DONTWAIT));
  shutdown(ends[0], SHUT_WR);
  printf("end: %zd\n", read(ends[0], text, 1));
  waitAndTell("socket", pid, 0);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  write(ends[0], "first", 5);
  write(ends[0], "second", 6);
  n = read(ends[1], text, 3);
  n = n * 10 + read(ends[1], text, sizeof text);
  printf("datagrams: %d\n", n);
  close(ends[1]);
  n = send(ends[0], "x", 1, MSG_NOSIGNAL);
  printf("no peer: %d\n", n);
  int event = eventfd(3, 0);
  pid = fork();
  if (pid == 0) {
    eventfd_t value;
    eventfd_read(event, &value);
    eventfd_read(event, &value);
    _exit(value);
  }
  // or the child would have both at once
  while (poll(&(struct pollfd){event, POLLIN}, 1, 0) == 1) usleep(1000);
  usleep(20000);
  eventfd_write(event, 40);
  waitAndTell("eventfd", pid, 0);
}

static void locks(void) {
  char path[] = "/tmp/wasmvisor-XXXXXX";
  int fd = mkstemp(path), ends[2];
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  pipe(ends);
  fcntl(fd, F_SETLK, &lock);
  flock(fd, LOCK_EX);
  pid_t pid = fork();
  if (pid == 0) {
    int other = open(path, O_RDWR);
    struct flock wanted = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 12};
    fcntl(other, F_GETLK, &wanted);
    int found = wanted.l_type == F_WRLCK && wanted.l_start == 10 && wanted.l_len == 5 && wanted.l_pid == getppid();
    wanted = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 12};
    int refused = fcntl(other, F_SETLK, &wanted) == -1 && errno == EAGAIN;
    wanted = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15};
    int beside = fcntl(other, F_SETLK, &wanted) == 0;
    int busy = flock(other, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    int same = flock(fd, LOCK_EX | LOCK_NB) == 0;
    write(ends[1], "x", 1);
    wanted = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int waited = fcntl(other, F_SETLKW, &wanted) == 0;
    printf("locks: %d %d %d %d %d %d\n", found, refused, beside, busy, same, waited);
    fflush(stdout);
    _exit(0);
  }
  char c;
  read(ends[0], &c, 1);
  usleep(20000);
  lock.l_type = F_UNLCK;
  fcntl(fd, F_SETLK, &lock);
  waitAndTell("locks", pid, 0);
  unlink(path);
}

static void programs(void) {
  char *args[] = {(char *)self, "show", "one", "two words", NULL}, *env[] = {"A=1", "B=", NULL};
  int kept = dup(1), closed = fcntl(1, F_DUPFD_CLOEXEC, 60);
  char numbers[32];
  sprintf(numbers, "%d %d", kept, closed);
  char *more[] = {(char *)self, "descriptors", numbers, NULL};
  signal(SIGUSR1, SIG_IGN);
  catch(SIGUSR2, 0);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    execve(self, args, env);
    _exit(99);
  }
  waitAndTell("execve", pid, 0);
  fflush(stdout);
  pid = vfork();
  if (pid == 0) {
    execve(self, more, env);
    _exit(99);
  }
  waitAndTell("vfork", pid, 0);
  fflush(stdout);
  printf("posix_spawn: %d\n", posix_spawn(&pid, self, NULL, NULL, args, env));
  waitAndTell("spawned", pid, 0);
  printf("no such program: %s\n", strerror(posix_spawn(&pid, "/nonexistent/x", NULL, NULL, args, env)));
  fflush(stdout);
  char path[] = "/tmp/wasmvisor-XXXXXX";
  int fd = mkstemp(path);
  dprintf(fd, "\177ELF and nothing more");
  fchmod(fd, 0755);
  close(fd);
  errno = 0;
  execve(path, args, env);
  printf("garbage: %s\n", strerror(errno));
  truncate(path, 0);
  execve(path, args, env);
  printf("empty: %s\n", strerror(errno));
  fd = open(path, O_WRONLY);
  dprintf(fd, "#! %s show \n", self);
  close(fd);
  char *script[] = {"script", "x", NULL};
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    chdir("/tmp");
    execve(path + 5, script, env);
    _exit(99);
  }
  waitAndTell("script", pid, 0);
  chmod(path, 0644);
  execve(path, args, env);
  printf("not executable: %s\n", strerror(errno));
  unlink(path);
  execve("/", args, env);
  printf("directory: %s\n", strerror(errno));
  static char big[200000];
  memset(big, 'x', sizeof big - 1);
  char *huge[] = {(char *)self, big, NULL};
  execve(self, huge, env);
  printf("long argument: %s\n", strerror(errno));
  execve(self, (char **)8, env);
  printf("bad arguments: %s\n", strerror(errno));
}

/** The new program. */
static int show(int count, char **args) {
  struct sigaction action;
  printf("%s:", strrchr(args[0], '/') ? "path" : args[0]);
  for (int i = 1; i < count; i++) printf(" [%s]", strncmp(args[i], "/tmp/", 5) && strncmp(args[i], "wasmvisor-", 10) ? args[i] : "script");
  for (char **variable = environ; *variable; variable++) printf(" %s", *variable);
  sigaction(SIGUSR1, NULL, &action);
  printf(" USR1 %s", action.sa_handler == SIG_IGN ? "ignored" : "not ignored");
  sigaction(SIGUSR2, NULL, &action);
  printf(" USR2 %s\n", action.sa_handler == SIG_DFL ? "default" : "handled");
  return 0;
}

/** As many children as there may be. */
static int bomb(void) {
  int number = 0;
  pid_t pid;
  while ((pid = fork()) > 0) number++;
  if (pid == 0)
    for (;;) pause();
  fprintf(stdout, "%d processes, then %s\n", number, strerror(errno));
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  int gone = 0;
  while (wait(NULL) > 0) gone++;
  printf("%d gone\n", gone);
  return 0;
}

/** Children that nobody waits for, then all at once; memory of those that are gone is free again. */
static int many(int rounds) {
  static char weight[2 << 20];
  memset(weight, 1, sizeof weight);
  for (int i = 0; i < rounds; i++) {
    pid_t pid = child(i & 127);
    int status;
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != (i & 127)) return 1;
  }
  printf("%d children\n", rounds);
  return 0;
}

static int deadlock(void) {
  int ends[2];
  pipe(ends);
  printf("all wait\n");
  fflush(stdout);
  fork();
  char c;
  return read(ends[0], &c, 1);
}

static void priorities(void) {
  int before = getpriority(PRIO_PROCESS, 0), after = before + 3 > 19 ? 19 : before + 3;
  int given = nice(3);
  printf("nice: %d %d", given == after, getpriority(PRIO_PROCESS, 0) == after);
  fflush(stdout);
  if (fork() == 0) {
    printf(", inherited %d\n", getpriority(PRIO_PROCESS, 0) == after);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  // Linux has no more than 4 M processes
  printf("nobody: %d\n", getpriority(PRIO_PROCESS, 5000000) == -1 && errno == ESRCH);
  struct timespec turn;
  // init may have any policy, or SCHED_RESET_ON_FORK
  printf("turns: %d, init has a policy: %d\n", sched_rr_get_interval(0, &turn) == 0, sched_getscheduler(1) >= 0);
  printf("no such kind: %d\n", getpriority(9, 0) == -1 && errno == EINVAL);
}

static void cores(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    // too small for a file, and what tells a program that is given cores to make none
    struct rlimit least = {1, 1};
    setrlimit(RLIMIT_CORE, &least);
    raise(SIGQUIT);
  }
  waitpid(child, &status, 0);
  printf("killed %d, core dumped %d\n", WTERMSIG(status), WCOREDUMP(status));
}

static int word;

static void *dozer(void *unused) {
  struct timespec soon = {30, 0};
  long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &soon, 0, 0);
  printf("dozer: %s\n", result < 0 ? strerror(errno) : "woken");
  return 0;
}

// Where a thread waits is of no account to the next program, though both were started by vfork.
static int sleep_in(const char *how) {
  pthread_t thread;
  pthread_create(&thread, 0, dozer, 0);
  usleep(50000);
  if (!strcmp(how, "leave")) _exit(0);
  long woken = 0;
  // the thread may not wait yet; which of the two prints first is open until they meet
  for (int i = 0; i < 20000 && woken == 0; i++) {
    woken = syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    if (woken == 0) usleep(1000);
  }
  pthread_join(thread, 0);
  printf("wakes %ld\n", woken);
  return 0;
}

static void dozers(void) {
  for (int i = 0; i < 2; i++) {
    char *args[] = {(char *)self, "sleep", i ? "wake" : "leave", 0};
    pid_t child;
    int status;
    posix_spawn(&child, self, 0, 0, args, 0);
    waitpid(child, &status, 0);
  }
}

static void *reads(void *end) {
  char text[8];
  read(*(int *)end, text, sizeof text);
  return 0;
}

static int reads_next(int from, int to) {
  char text[8] = "";
  pid_t pid = fork();
  if (pid == 0) {
    usleep(20000);
    write(to, "data", 4);
    _exit(0);
  }
  int count = read(from, text, 4);
  waitpid(pid, NULL, 0);
  printf("the next program reads %d: %s\n", count, text);
  return 0;
}

// What a thread waits for when another begins a program is that program's.
static void heir(void) {
  pid_t pid = fork();
  if (pid == 0) {
    int ends[2];
    char from[16], to[16];
    pthread_t thread;
    pipe(ends);
    sprintf(from, "%d", ends[0]);
    sprintf(to, "%d", ends[1]);
    pthread_create(&thread, 0, reads, ends);
    usleep(20000);
    execl(self, self, "reads", from, to, NULL);
  }
  waitAndTell("heir", pid, 0);
}

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};

static int change(int set, int n, int by, int flags) {
  struct sembuf operation = {n, by, flags};
  return semop(set, &operation, 1);
}
#define TELL(call) \
  do { \
    long got = (call); \
    printf("%s: %ld %s\n", #call, got < 0 ? -1 : got, got < 0 ? strerror(errno) : ""); \
  } while (0)

// semaphores and messages of System V
static void system_v(void) {
  int set = semget(IPC_PRIVATE, 3, 0600), status;
  unsigned short values[3] = {1, 2, 3};
  union semun arg = {.array = values};
  TELL(semctl(set, 0, SETALL, arg));
  TELL(semctl(set, 1, GETVAL));
  TELL(change(set, 1, -3, IPC_NOWAIT));
  TELL(change(set, 1, -2, 0));
  TELL(change(set, 1, 0, IPC_NOWAIT));
  TELL(change(set, 3, 1, 0));
  struct sembuf both[] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}};
  TELL(semop(set, both, 2));
  TELL(semctl(set, 0, GETVAL));
  arg.val = 40000;
  TELL(semctl(set, 0, SETVAL, arg));
  struct timespec moment = {0, 20000000};
  struct sembuf take = {1, -1, 0};
  TELL(semtimedop(set, &take, 1, &moment));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    change(set, 2, -3, SEM_UNDO);
    change(set, 1, 1, 0);
    change(set, 0, -2, 0);
    _exit(4);
  }
  TELL(change(set, 1, -1, 0));
  while (semctl(set, 0, GETNCNT) == 0) usleep(1000);
  TELL(semctl(set, 2, GETVAL));
  TELL(change(set, 0, 1, 0));
  waitpid(pid, &status, 0);
  TELL(semctl(set, 2, GETVAL));
  printf("by the child: %d\n", semctl(set, 2, GETPID) == pid);
  struct semid_ds about;
  arg.buf = &about;
  TELL(semctl(set, 0, IPC_STAT, arg));
  printf("%ld semaphores, mode %o\n", (long)about.sem_nsems, about.sem_perm.mode);
  fflush(stdout);
  if (fork() == 0) {
    TELL(change(set, 0, -9, 0));
    fflush(stdout);
    _exit(0);
  }
  while (semctl(set, 0, GETNCNT) == 0) usleep(1000);
  TELL(semctl(set, 0, IPC_RMID));
  wait(NULL);
  TELL(semctl(set, 0, GETVAL));
  TELL(semget(0x7777abcd, 1, 0));

  struct {
    long type;
    char text[16];
  } message = {3, "third"};
  // whoever else runs this has another key
  int key = 0x77000000 | getpid(), queue;
  while ((queue = msgget(key, IPC_CREAT | IPC_EXCL | 0600)) < 0 && errno == EEXIST) key++;
  TELL(msgget(key, IPC_CREAT | IPC_EXCL));
  TELL(msgsnd(queue, &message, 6, 0));
  message.type = 1;
  strcpy(message.text, "first");
  TELL(msgsnd(queue, &message, 6, 0));
  message.type = 0;
  TELL(msgsnd(queue, &message, 6, 0));
  TELL(msgrcv(queue, &message, 3, 0, 0));
  TELL(msgrcv(queue, &message, sizeof message.text, -2, 0));
  printf("%ld %s\n", message.type, message.text);
  TELL(msgrcv(queue, &message, sizeof message.text, 1, IPC_NOWAIT));
  TELL(msgrcv(queue, &message, 2, 1, MSG_EXCEPT | MSG_NOERROR));
  printf("%ld %.2s\n", message.type, message.text);
  fflush(stdout);
  if (fork() == 0) {
    message.type = 7;
    usleep(10000);
    msgsnd(queue, &message, 1, 0);
    _exit(0);
  }
  TELL(msgrcv(queue, &message, sizeof message.text, 7, 0));
  wait(NULL);
  struct msqid_ds box;
  TELL(msgctl(queue, IPC_STAT, &box));
  printf("%lu messages, room for more: %d, from a child: %d\n", (long)box.msg_qnum, box.msg_qbytes >= 8192, box.msg_lspid != getpid());
  TELL(msgctl(queue, IPC_RMID, NULL));
  TELL(msgrcv(queue, &message, sizeof message.text, 0, 0));
}

static void asked(int signal) { handled += signal == SIGUSR1; }
static int shares_handlers(void *unused) {
  signal(SIGUSR1, asked);
  return 0;
}

// descriptors of processes, and processes with the same handlers
static void descriptors(void) {
  int status;
  int ready[2];
  pipe(ready);
  pid_t pid = fork();
  if (pid == 0) {
    read(ready[0], &status, 1);
    _exit(8);
  }
  int fd = syscall(SYS_pidfd_open, pid, 0);
  printf("pidfd %d, cloexec %d\n", fd > 0, fcntl(fd, F_GETFD));
  struct pollfd poller = {fd, POLLIN};
  printf("poll: %d\n", poll(&poller, 1, 0));
  int copy = syscall(SYS_pidfd_getfd, fd, ready[1], 0);
  printf("pidfd_getfd: %d\n", copy > 0);
  write(copy, "x", 1);
  printf("poll: %d\n", poll(&poller, 1, -1));
  printf("signal to a zombie: %ld\n", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  siginfo_t info = {0};
  printf("waitid: %d", waitid(3, fd, &info, WEXITED));
  printf(", %d, %d\n", info.si_pid == pid, info.si_status);
  printf("signal: %s\n", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) < 0 ? strerror(errno) : "sent");
  printf("not one: %s\n", syscall(SYS_pidfd_send_signal, 0, SIGTERM, NULL, 0) < 0 ? strerror(errno) : "sent");
  char folder[32];
  snprintf(folder, sizeof folder, "/proc/%d", getpid());
  copy = open(folder, O_DIRECTORY);
  printf("by /proc: %ld\n", syscall(SYS_pidfd_send_signal, copy, 0, NULL, 0));
  close(copy);
  printf("none: %s\n", syscall(SYS_pidfd_open, 0, 0) < 0 ? strerror(errno) : "opened");
  close(fd);
  fd = -1;
  static char stack[65536];
  pid = clone(shares_handlers, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | CLONE_PIDFD | SIGCHLD, NULL, &fd);
  printf("clone: %d, pidfd %d\n", pid > 0, fd > 0);
  waitpid(pid, &status, 0);
  handled = 0;
  raise(SIGUSR1);
  printf("its handler ran: %d\n", handled);
  signal(SIGUSR1, SIG_DFL);
}

int main(int count, char **args) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  self = args[0];
  if (count > 1 && !strcmp(args[1], "show")) return show(count, args);
  if (count > 2 && !strcmp(args[1], "sleep")) return sleep_in(args[2]);
  if (count > 3 && !strcmp(args[1], "reads")) return reads_next(atoi(args[2]), atoi(args[3]));
  if (count > 1 && !strcmp(args[1], "bomb")) return bomb();
  if (count > 1 && !strcmp(args[1], "many")) return many(atoi(args[2]));
  if (count > 1 && !strcmp(args[1], "deadlock")) return deadlock();
  if (count > 1 && !strcmp(args[1], "hog")) return hog();
  if (count > 1 && !strcmp(args[1], "counting")) return counting(1000000);
  if (count > 1 && !strcmp(args[1], "again")) {
    int left = atoi(args[2]);
    char number[16];
    sprintf(number, "%d", left - 1);
    if (left == 0) return 7;
    execl(self, self, "again", number, NULL);
    return 1;
  }
  if (count > 1 && !strcmp(args[1], "descriptors")) {
    int kept = atoi(args[2]), closed = atoi(strchr(args[2], ' '));
    printf("descriptors: %d %d\n", fcntl(kept, F_GETFD), fcntl(closed, F_GETFD));
    return 4;
  }
  if (count > 1 && !strcmp(args[1], "zombies")) {
    zombies();
    return 0;
  }
  void (*all[])(void) = {memory, waiting, orphans, groups, pipes, common, large, segments, sockets, locks, priorities, cores, descriptors, system_v, programs, dozers, heir};
  for (int i = 0; i < sizeof all / sizeof *all; i++) {
    all[i]();
    fflush(stdout);
  }
  return 0;
}
