// Threads: what pthreads ask of the kernel, and what programs ask of it directly. Prints the same on every Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what) printf("%s: %s\n", #what, (what) ? "yes" : "no")

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int guarded, atomic, turn, rounds = 5000;
static __thread int local = 5;

static void *count(void *argument) {
  for (int i = 0; i < rounds; i++) {
    if (i % 4 == 0) {
      pthread_mutex_lock(&mutex);
      guarded++;
      pthread_mutex_unlock(&mutex);
    }
    __sync_fetch_and_add(&atomic, 1);
  }
  local += (intptr_t)argument;
  return (void *)(intptr_t)local;
}

static void *alternate(void *argument) {
  const int me = (intptr_t)argument;
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != me) pthread_cond_wait(&changed, &mutex);
    turn = !turn;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void counting(void) {
  pthread_t threads[6];
  void *result;
  int sum = 0;
  for (intptr_t i = 0; i < 6; i++) pthread_create(&threads[i], NULL, count, (void *)i);
  for (int i = 0; i < 6; i++) pthread_join(threads[i], &result), sum += (intptr_t)result;
  printf("counted %d %d, thread-local %d and %d\n", guarded, atomic, sum, local);
  for (intptr_t i = 0; i < 2; i++) pthread_create(&threads[i], NULL, alternate, (void *)i);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  puts("alternated");
}

static volatile int spinning;
static void *spin(void *argument) {
  while (!spinning) (void)argument;
  spinning = 2;
  return NULL;
}

// a thread that never calls the kernel is interrupted, and one that waits holds nobody up
static void waiting(void) {
  pthread_t thread;
  int ends[2];
  char byte = 0;
  pthread_create(&thread, NULL, spin, NULL);
  spinning = 1;
  while (spinning != 2) {}
  pthread_join(thread, NULL);
  CHECK(pipe(ends) == 0);
  void *reader(void *end) {
    char got = 0;
    ssize_t n = read((intptr_t)end, &got, 1);
    return (void *)(intptr_t)(n * 1000 + got);
  }
  pthread_create(&thread, NULL, reader, (void *)(intptr_t)ends[0]);
  struct timespec moment = {0, 2000000};
  nanosleep(&moment, NULL);
  byte = 42;
  CHECK(write(ends[1], &byte, 1) == 1);
  void *result;
  pthread_join(thread, &result);
  printf("read through a pipe: %d\n", (int)(intptr_t)result);
  void *poller(void *end) {
    struct pollfd wanted = {(intptr_t)end, POLLIN, 0};
    return (void *)(intptr_t)(poll(&wanted, 1, 60000) * 100 + wanted.revents);
  }
  pthread_create(&thread, NULL, poller, (void *)(intptr_t)ends[0]);
  sched_yield();
  CHECK(write(ends[1], &byte, 1) == 1);
  pthread_join(thread, &result);
  printf("polled: %d\n", (int)(intptr_t)result);
}

static long futex(int *word, int operation, int value, const void *timeout, int *second, int third) {
  return syscall(SYS_futex, word, operation, value, timeout, second, third);
}

static int words[2];
static void *wait_at_word(void *bits) {
  return (void *)futex(words, bits ? FUTEX_WAIT_BITSET : FUTEX_WAIT, 0, NULL, NULL, (intptr_t)bits);
}

/*
 * Until so many wait at the first word: they are counted on their way back from the second, where all have been moved. One that is
 * woken for nothing as it begins to wait, which Linux may do, waits at the first again.
 */
static void settle(int number) {
  for (int settled = 0; settled < 5; usleep(1000)) {
    futex(words, FUTEX_CMP_REQUEUE, 0, (void *)99, &words[1], 0);
    settled = futex(&words[1], FUTEX_CMP_REQUEUE, 0, (void *)99, words, 0) == number ? settled + 1 : 0;
  }
}

static void futexes(void) {
  pthread_t threads[4];
  void *result;
  struct timespec soon = {0, 1000000};
  CHECK(futex(words, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
  CHECK(futex(words, FUTEX_WAIT, 0, &soon, NULL, 0) == -1 && errno == ETIMEDOUT);
  CHECK(futex((int *)16, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EFAULT);
  CHECK(futex((int *)((char *)words + 1), FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINVAL);
  CHECK(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0) == -1 && errno == EINVAL);
  CHECK(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
  CHECK(futex(words, 99, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, wait_at_word, (void *)(intptr_t)(i == 3 ? 8 : 0));
  settle(4);
  CHECK(futex(words, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0) == -1 && errno == EINVAL);
  CHECK(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, &words[1], 7) == -1 && errno == EAGAIN);
  CHECK(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, &words[1], 0) == 2);
  CHECK(futex(&words[1], FUTEX_WAKE, 9, NULL, NULL, 0) == 1);
  // 2 left: wake those at the second word if it was 0, and add 5 to it
  CHECK(futex(words, FUTEX_WAKE_OP, 1, (void *)9, &words[1], FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) >= 1);
  printf("the second word is %d\n", words[1]);
  futex(words, FUTEX_WAKE, 9, NULL, NULL, 0);
  futex(&words[1], FUTEX_WAKE, 9, NULL, NULL, 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], &result), CHECK(result == NULL);
}

static void locks(void) {
  pthread_mutexattr_t kind;
  pthread_mutex_t robust, inheriting;
  pthread_t thread;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &kind);
  void *keep(void *mutex) {
    pthread_mutex_lock(mutex);
    return NULL;
  }
  pthread_create(&thread, NULL, keep, &robust);
  pthread_join(thread, NULL);
  CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD);
  CHECK(pthread_mutex_consistent(&robust) == 0);
  CHECK(pthread_mutex_unlock(&robust) == 0);
  pthread_mutexattr_init(&kind);
  CHECK(pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT) == 0);
  CHECK(pthread_mutex_init(&inheriting, &kind) == 0);
  pthread_mutex_lock(&inheriting);
  int inside = 0;
  void *enter(void *argument) {
    pthread_mutex_lock(&inheriting);
    inside++;
    pthread_mutex_unlock(&inheriting);
    return NULL;
  }
  pthread_create(&thread, NULL, enter, NULL);
  struct timespec moment = {0, 2000000};
  nanosleep(&moment, NULL);
  CHECK(inside == 0);
  pthread_mutex_unlock(&inheriting);
  pthread_join(thread, NULL);
  CHECK(inside == 1);
  struct timespec past;
  clock_gettime(CLOCK_REALTIME, &past);
  past.tv_nsec = past.tv_nsec < 900000000 ? past.tv_nsec + 5000000 : 999999999;
  pthread_mutex_lock(&mutex);
  void *timed(void *argument) { return (void *)(intptr_t)pthread_mutex_timedlock(&mutex, &past); }
  pthread_create(&thread, NULL, timed, NULL);
  void *result;
  pthread_join(thread, &result);
  pthread_mutex_unlock(&mutex);
  CHECK((intptr_t)result == ETIMEDOUT);
  pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
  CHECK(pthread_rwlock_rdlock(&shared) == 0 && pthread_rwlock_trywrlock(&shared) == EBUSY && pthread_rwlock_unlock(&shared) == 0);
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, 2);
  void *meet(void *argument) { return (void *)(intptr_t)(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD); }
  pthread_create(&thread, NULL, meet, NULL);
  const int serial = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
  pthread_join(thread, &result);
  CHECK(serial + (intptr_t)result == 1);
}

static volatile int caught;
static volatile pthread_t catcher;
static void note(int number) {
  caught++;
  catcher = pthread_self();
}

static sem_t go;
static volatile int interrupted;
/* Takes the signal while it sleeps, not before. */
static void *sleeper(void *argument) {
  struct timespec hour = {3600, 0};
  sigset_t none;
  sigemptyset(&none);
  sem_post(&go);
  interrupted = ppoll(NULL, 0, &hour, &none) == -1 && errno == EINTR;
  return NULL;
}

static void signals(void) {
  pthread_t thread;
  sigset_t set, old;
  struct sigaction action = {0};
  action.sa_handler = note;
  sigaction(SIGUSR1, &action, NULL);
  sem_init(&go, 0, 0);
  // a new thread has its maker's mask
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_create(&thread, NULL, sleeper, NULL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  sem_wait(&go);
  CHECK(pthread_kill(thread, SIGUSR1) == 0);
  pthread_join(thread, NULL);
  CHECK(caught == 1 && interrupted && pthread_equal(catcher, thread));
  interrupted = 0;
  // each has a mask of its own: what the process gets goes to who does not block it
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_create(&thread, NULL, sleeper, NULL);
  sem_wait(&go);
  kill(getpid(), SIGUSR1);
  pthread_join(thread, NULL);
  CHECK(caught == 2 && interrupted && pthread_equal(catcher, thread));
  kill(getpid(), SIGUSR1);
  sigpending(&old);
  CHECK(sigismember(&old, SIGUSR1) && caught == 2);
  void *waits(void *argument) {
    int number = 0;
    sigwait(&set, &number);
    return (void *)(intptr_t)number;
  }
  void *result;
  pthread_create(&thread, NULL, waits, NULL);
  pthread_join(thread, &result);
  CHECK((intptr_t)result == SIGUSR1 && caught == 2);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  kill(getpid(), SIGUSR1);
  CHECK(caught == 3 && pthread_equal(catcher, pthread_self()));
  CHECK(syscall(SYS_tgkill, getpid(), 1 << 20, SIGUSR1) == -1 && errno == ESRCH);
  CHECK(syscall(SYS_gettid) == getpid());
  void *self(void *argument) { return (void *)(intptr_t)(syscall(SYS_gettid) != getpid()); }
  pthread_create(&thread, NULL, self, NULL);
  pthread_join(thread, &result);
  CHECK(result != NULL);
}

static void *cancelled(void *argument) {
  sem_post(&go);
  for (;;) pause();
}

static void ends(void) {
  pthread_t thread;
  void *result;
  pthread_create(&thread, NULL, cancelled, NULL);
  sem_wait(&go);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  CHECK(result == PTHREAD_CANCELED);
  // so many that their stacks must be given back
  rounds = 100, atomic = 0;
  for (int i = 0; i < 160; i++) {
    pthread_create(&thread, NULL, count, NULL);
    pthread_detach(thread);
    if (i % 20 == 19)
      while (atomic < (i + 1) * rounds) sched_yield();
  }
  printf("detached: %d\n", atomic);
}

static void *outlives(void *argument) {
  struct timespec moment = {0, 5000000};
  nanosleep(&moment, NULL);
  puts("the first thread has ended");
  fflush(stdout);
  if (argument) exit(7);
  return NULL;
}

// threads without end, which share a stack that they do not use
static void multiply(void) {
  static char stack[4096];
  int made = 0;
  long result;
  do {
#ifdef __i386__
    __asm__ volatile("int $0x80; test %%eax, %%eax; jnz 1f; 2: mov $29, %%eax; int $0x80; jmp 2b; 1:"
                     : "=a"(result) : "a"(SYS_clone), "b"(0x50f00), "c"(stack + 4000), "d"(0), "S"(0), "D"(0) : "memory");
#else
    register long number __asm__("$2") = SYS_clone;
    register long flags __asm__("$4") = 0x50f00, top __asm__("$5") = (long)(stack + 4000), none __asm__("$6") = 0, failed __asm__("$7") = 0;
    __asm__ volatile(".set push; .set noreorder; syscall; bnez $2, 1f; nop; 2: li $2, 4029; syscall; b 2b; nop; 1: .set pop"
                     : "+r"(number), "+r"(failed) : "r"(flags), "r"(top), "r"(none)
                     : "memory", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25");
    result = failed ? -number : number;
#endif
  } while (result > 0 && ++made < 1000000);
  printf("%d threads, then %s\n", made + 1, strerror(-result));
  fflush(stdout);
}

static void *blocks(void *argument) { return pause(), NULL; }

static int watched, above;
static sem_t seen;

static void *watch(void *argument) {
  for (int i = 0; i < 3; i++) {
    struct epoll_event event;
    int found = epoll_wait(i < 2 ? watched : above, &event, 1, 60000);
    printf("found %d: %d\n", found, (int)event.data.u32);
    sem_post(&seen);
  }
  return NULL;
}

// a thread that waits for events is told of what others add
static void told(void) {
  pthread_t thread;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
  int ends[2];
  above = epoll_create1(0), watched = epoll_create1(0);
  pipe(ends);
  write(ends[1], "", 1);
  epoll_ctl(above, EPOLL_CTL_ADD, watched, &event);
  sem_init(&seen, 0, 0);
  pthread_create(&thread, NULL, watch, NULL);
  event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 8};
  for (int i = 0; i < 3; i++) {
    usleep(20000);
    epoll_ctl(watched, i == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, ends[0], &event);
    sem_wait(&seen);
  }
  pthread_join(thread, NULL);
}

int main(int count, char **arguments) {
  pthread_t thread;
  const char *how = count > 1 ? arguments[1] : "";
  if (!strcmp(how, "outlive") || !strcmp(how, "exit")) {
    pthread_create(&thread, NULL, outlives, !strcmp(how, "exit") ? &thread : NULL);
    pthread_exit(NULL);
  }
  if (!strcmp(how, "fault")) {
    pthread_create(&thread, NULL, blocks, NULL);
    void *jump(void *to) { return (*(int *volatile)to = 1), NULL; }
    pthread_create(&thread, NULL, jump, NULL);
    pthread_join(thread, NULL);
  }
  if (!strcmp(how, "deadlock")) {
    puts("all wait");
    fflush(stdout);
    pthread_create(&thread, NULL, blocks, NULL);
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
  }
  if (!strcmp(how, "multiply")) return multiply(), 0;
  counting();
  waiting();
  futexes();
  locks();
  signals();
  told();
  ends();
  return 3;
}
