/* What a program may take of the host through the kernel: each thing ends with Linux's error, after how many is printed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
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
#include <time.h>
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

int main(void) {
  struct rlimit files = {1 << 20, 1 << 20};
  printf("more files: %d\n", setrlimit(RLIMIT_NOFILE, &files));
  UNTIL("eventfd", 1 << 20, eventfd(0, 0));
  closing(3);
  for (int i = 0; i < 1100; i++) pipe(p);
  printf("the last of 1100 pipes: %d\n", fcntl(p[0], F_GETPIPE_SZ));
  closing(3);
  pipe(p);
  printf("the next one: %d\n", fcntl(p[0], F_GETPIPE_SZ));
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
  UNTIL("timers", 1 << 16, ({ struct sigevent event = {.sigev_notify = SIGEV_NONE}; timer_t timer; timer_create(CLOCK_MONOTONIC, &event, &timer); }));
  for (int number = 100000; number < 101000; number++) syscall(number);
  return 0;
}
