// What a program has that may be saved while it waits for a character. Prints the same on every Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int caught;
static void handler(int signal) {
  char here;
  stack_t stack;
  sigaltstack(NULL, &stack);
  caught = signal == SIGUSR2 && (stack.ss_flags & SS_ONSTACK) && &here >= (char *)stack.ss_sp;
}

static __thread int local = 1;
static volatile double one = 1, three = 3;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

static void wait_for_character(void) {
  char c;
  printf("ready\n");
  fflush(stdout);
  if (read(0, &c, 1) != 1) c = 'x';
  printf("read %c\n", c);
}

int main(int argc, char **argv) {
  int ends[2];
  if (argc > 1 && !strcmp(argv[1], "pipe")) pipe(ends);
  if (argc > 1 && !strcmp(argv[1], "timer")) alarm(100);
  if (argc > 1) {
    wait_for_character();
    return 3;
  }

  char folder[] = "/tmp/saved-XXXXXX";
  mkdtemp(folder);
  chdir(folder);
  umask(027);
  int fd = open("file", O_RDWR | O_CREAT, 0640);
  write(fd, "abcdefgh", 8);
  lseek(fd, 2, SEEK_SET);
  int twin = dup2(fd, 17);
  fcntl(twin, F_SETFD, FD_CLOEXEC);
  link("file", "twin");
  symlink("file", "link");
  mkdir("below", 0700);
  int directory = open("below", O_RDONLY | O_DIRECTORY);

  char *heap = malloc(1 << 20);
  for (int i = 0; i < 1 << 20; i++) heap[i] = i * 7 >> 3;
  char *hidden = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(hidden + 4000, "hidden");
  mprotect(hidden, 8192, PROT_NONE);
  char *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(common, "common");
  int own = open("/proc/self/exe", O_RDONLY);
  char *image = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, own, 0);

  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR2, &action, NULL);
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  sigprocmask(SIG_BLOCK, &usr2, NULL);
  raise(SIGUSR2);

  local = 42;
  fesetround(FE_UPWARD);
  double before = seconds();
  double quotient = one / three;
  errno = EXDEV;

  wait_for_character();

  char text[16] = {0}, path[64], link[16] = {0};
  printf("errno %d, local %d, %a %a\n", errno, local, quotient, one / three);
  printf("clock goes on: %d\n", seconds() >= before && seconds() < before + 3600);
  printf("folder %d\n", !strcmp(getcwd(path, sizeof path), folder));
  read(twin, text, 2);
  read(fd, text + 2, 3);
  readlink("link", link, sizeof link - 1);
  struct stat status;
  stat("twin", &status);
  printf("file %s, %ld of %ld bytes, %d names, mode %o, %s\n", text, (long)lseek(twin, 0, SEEK_CUR), (long)status.st_size,
         (int)status.st_nlink, status.st_mode & 0777, link);
  printf("close-on-exec %d %d, descriptors %d %d\n", fcntl(fd, F_GETFD), fcntl(twin, F_GETFD), directory, own);
  printf("umask %o, below %d\n", umask(0), faccessat(directory, ".", W_OK, 0));
  int wrong = 0;
  for (int i = 0; i < 1 << 20; i++) wrong += heap[i] != (char)(i * 7 >> 3);
  mprotect(hidden, 8192, PROT_READ);
  printf("heap %d, %s, %s, image %d\n", wrong, hidden + 4000, common, !memcmp(image + 1, "ELF", 3));
  munmap(hidden, 8192);
  hidden = mmap(hidden, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("again '%s'\n", hidden + 4000);
  sigpending(&usr2);
  printf("pending %d, caught %d", sigismember(&usr2, SIGUSR2), caught);
  sigprocmask(SIG_UNBLOCK, &usr2, NULL);
  printf(" %d\n", caught);
  unlink("file");
  unlink("twin");
  unlink("link");
  rmdir("below");
  chdir("/");
  printf("removed %d\n", rmdir(folder));
  return 7;
}
