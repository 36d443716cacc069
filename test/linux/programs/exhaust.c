/* What a program may take of the host through the kernel: each thing ends with Linux's error, and how much it was is printed in powers of two. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char block[1 << 20];

/* Repeats until it fails. */
#define UNTIL(name, most, what)                                                                    \
  do {                                                                                             \
    long count = 0;                                                                                \
    errno = 0;                                                                                     \
    while (count < (most) && (what) >= 0) count++;                                                 \
    printf("%s: %ld, %s\n", name, count, count == (most) ? "no end" : strerror(errno));            \
    fflush(stdout);                                                                                \
  } while (0)

static int fd, p[2];
static void closing(int from) { syscall(SYS_close_range, from, ~0u, 0); }

static int filled_memfd(void) {
  int made = memfd_create("x", 0);
  return made < 0 || write(made, block, sizeof block) < (long)sizeof block ? -1 : made;
}
static int filled_pipe(void) {
  if (pipe2(p, O_NONBLOCK) < 0) return -1;
  while (write(p[1], block, 65536) > 0);
  return 0;
}
static int filled_box(void) {
  struct { long type; char text[8000]; } message = {1};
  int box = msgget(IPC_PRIVATE, 0600);
  struct msqid_ds status;
  if (box < 0 || msgctl(box, IPC_STAT, &status) < 0) return -1;
  status.msg_qbytes = 1 << 24;
  msgctl(box, IPC_SET, &status);
  for (int i = 0; i < 500; i++) if (msgsnd(box, &message, sizeof message.text, IPC_NOWAIT) < 0) return -1;
  return 0;
}
static int attached(void) {
  int id = shmget(IPC_PRIVATE, 16 << 20, 0600);
  void *at = id < 0 ? (void *)-1 : shmat(id, 0, 0);
  if (id >= 0) shmctl(id, IPC_RMID, 0);
  return at == (void *)-1 ? -1 : 0;
}
static int lock(long at) {
  struct flock64 wanted = {F_WRLCK, SEEK_SET, at, 1};
  return fcntl(fd, F_SETLK64, &wanted);
}
static int queue(int number) {
  char name[20];
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
  sprintf(name, "/q%d", number);
  return mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
}
static void *waiting(void *argument) { return pause(), argument; }
static int thread(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  pthread_t made;
  errno = pthread_create(&made, &attributes, waiting, 0);
  return errno ? -1 : 0;
}
static int deeper(void) { return mkdir("d", 0700) < 0 ? -1 : chdir("d"); }

int main(void) {
  struct rlimit files = {1 << 20, 1 << 20};
  printf("more files: %d\n", setrlimit(RLIMIT_NOFILE, &files));
  UNTIL("eventfd", 1 << 20, eventfd(0, 0));
  closing(3);
  UNTIL("pipes", 1 << 20, filled_pipe());
  closing(3);
  UNTIL("memory files of 1 MiB", 4096, filled_memfd());
  closing(3);
  UNTIL("memory files again", 10, filled_memfd());
  closing(3);
  UNTIL("inotify", 1 << 16, inotify_init1(0));
  closing(3);
  UNTIL("messages", 1 << 12, filled_box());
  UNTIL("semaphores", 1 << 15, semget(IPC_PRIVATE, 32000, 0600));
  UNTIL("shared memory", 1 << 12, attached());
  UNTIL("message queues", 1000, queue(count));
  closing(3);
  fd = open("/tmp/exhaust", O_RDWR | O_CREAT, 0600);
  UNTIL("locks", 1 << 20, lock(2 * count));
  closing(3);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, 0);
  union sigval value = {0};
  UNTIL("queued signals", 1 << 20, sigqueue(getpid(), SIGRTMIN + 1, value));
  UNTIL("timers", 1 << 16, ({ struct sigevent event = {.sigev_notify = SIGEV_NONE}; timer_t timer; timer_create(CLOCK_MONOTONIC, &event, &timer); }));
  UNTIL("mappings", 1 << 20, mmap(0, 4096, count & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  chdir("/tmp");
  UNTIL("directories in each other", 3000, deeper());
  printf("path: %s\n", getcwd(block, sizeof block) ? "fine" : strerror(errno));
  for (int number = 100000; number < 101000; number++) syscall(number);
  return 0;
}
