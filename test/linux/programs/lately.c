// Calls that Linux got later, or that few programs make. Prints the same on every Linux since 5.16.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *error(long result) { return result < 0 ? strerror(errno) : "ok"; }

static void make(const char *name, const char *text) {
  int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static void show(const char *name) {
  char text[64];
  int fd = open(name, O_RDONLY);
  ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text);
  printf("%s: %.*s (%s)\n", name, count < 0 ? 0 : (int)count, text, error(count));
  close(fd);
}

static long rename2(const char *from, const char *to, unsigned flags) { return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags); }

static void exchange(void) {
  make("one", "first");
  make("two", "second");
  mkdir("folder", 0755);
  make("folder/inside", "inner");
  printf("no replace: %s\n", error(rename2("one", "two", 1)));
  printf("to a new name: %s\n", error(rename2("one", "three", 1)));
  printf("exchange: %s\n", error(rename2("two", "three", 2)));
  show("two");
  show("three");
  printf("file and folder: %s\n", error(rename2("two", "folder", 2)));
  show("folder");
  show("two/inside");
  printf("into itself: %s, %s\n", error(rename2("two", "two/inside", 2)), error(rename2("two/inside", "two", 2)));
  printf("with nothing: %s\n", error(rename2("three", "none", 2)));
  printf("both flags: %s, others: %s\n", error(rename2("three", "folder", 3)), error(rename2("three", "folder", 8)));
  mkfifo("fifo", 0600);
  printf("file and fifo: %s\n", error(rename2("three", "fifo", 2)));
  struct stat status;
  stat("three", &status);
  printf("a fifo: %d\n", S_ISFIFO(status.st_mode));
  show("fifo");
  for (const char **name = (const char *[]){"two/inside", "folder", "three", "fifo", 0}; *name; name++) unlink(*name);
  printf("left: %s\n", error(rmdir("two")));
}

static void packets(void) {
  int ends[2];
  char text[9000];
  printf("pipe2: %s\n", error(pipe2(ends, O_DIRECT | O_NONBLOCK)));
  printf("flags: %d %d\n", !!(fcntl(ends[1], F_GETFL) & O_DIRECT), !!(fcntl(ends[0], F_GETFL) & O_DIRECT));
  write(ends[1], "a", 1);
  write(ends[1], "packet", 6);
  writev(ends[1], (struct iovec[]){{"two ", 4}, {"parts", 5}}, 2);
  for (int i = 0; i < 3; i++) {
    char first[4], second[40];
    ssize_t count = readv(ends[0], (struct iovec[]){{first, sizeof first}, {second, sizeof second}}, 2);
    printf("%zd: %.*s|%.*s\n", count, count < 4 ? (int)count : 4, first, count < 4 ? 0 : (int)count - 4, second);
  }
  memset(text, 'x', sizeof text);
  ssize_t long1 = write(ends[1], text, 5000), first = read(ends[0], text, sizeof text), rest = read(ends[0], text, sizeof text);
  printf("a long one: %zd, then %zd and %zd\n", long1, first, rest);
  write(ends[1], "cut off", 7);
  write(ends[1], "next", 4);
  ssize_t count = read(ends[0], text, 3);
  printf("%.*s, ", (int)count, text);
  count = read(ends[0], text, sizeof text);
  printf("%.*s, then %s\n", (int)count, text, error(read(ends[0], text, sizeof text)));
  int written = 0;
  while (write(ends[1], "y", 1) == 1) written++;
  struct pollfd one = {.fd = ends[1], .events = POLLOUT};
  printf("%d packets of a byte, can be written: %d\n", written, poll(&one, 1, 0));
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  while (read(ends[0], text, sizeof text) == 1) {}
  write(ends[1], "no ", 3);
  write(ends[1], "packets", 7);
  count = read(ends[0], text, sizeof text);
  printf("%.*s\n", (int)count, text);
}

static int kcmp(pid_t one, pid_t two, int kind, unsigned long a, unsigned long b) { return syscall(SYS_kcmp, one, two, kind, a, b); }

static void *thread(void *ids) {
  ((int *)ids)[0] = kcmp(getpid(), syscall(SYS_gettid), KCMP_VM, 0, 0);
  ((int *)ids)[1] = kcmp(getpid(), syscall(SYS_gettid), KCMP_SIGHAND, 0, 0);
  return 0;
}

static void compare(void) {
  pid_t me = getpid();
  int fd = open("/dev/null", O_RDONLY), copy = dup(fd), other = open("/dev/null", O_RDONLY);
  int first = kcmp(me, me, KCMP_FILE, fd, other), second = kcmp(me, me, KCMP_FILE, other, fd);
  printf("dup: %d, another: %d %d\n", kcmp(me, me, KCMP_FILE, fd, copy), first == 1 || first == 2, first + second);
  printf("closed: %s\n", error(kcmp(me, me, KCMP_FILE, fd, 900)));
  printf("unknown: %s\n", error(kcmp(me, me, 99, 0, 0)));
  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  printf("a child: file %d, memory %d, files %d, handlers %d, undo %d\n", kcmp(me, child, KCMP_FILE, fd, fd),
         kcmp(me, child, KCMP_VM, 0, 0) > 0, kcmp(me, child, KCMP_FILES, 0, 0) > 0, kcmp(me, child, KCMP_SIGHAND, 0, 0) > 0,
         kcmp(me, child, KCMP_SYSVSEM, 0, 0));
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
  printf("it has ended: %s\n", error(kcmp(me, child, KCMP_VM, 0, 0)));
  int ids[2];
  pthread_t one;
  pthread_create(&one, 0, thread, ids);
  pthread_join(one, 0);
  printf("a thread: %d %d\n", ids[0], ids[1]);
  int epoll = epoll_create1(0), ends[2];
  pipe(ends);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  struct kcmp_epoll_slot slot = {epoll, ends[0], 0};
  printf("watched: %d\n", kcmp(me, me, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot));
  slot.tfd = ends[1];
  printf("not watched: %s\n", error(kcmp(me, me, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot)));
}

struct waitv {
  uint64_t value, address;
  uint32_t flags, reserved;
};
static uint32_t words[3];
static struct timespec64 {
  int64_t seconds, nanoseconds;
} past = {0, 0};

static void *wake(void *unused) {
  // until somebody waits there
  while (syscall(SYS_futex, &words[1], 1 | 128, 1, 0, 0, 0) == 0) usleep(1000);
  return unused;
}

static void waitAny(void) {
  struct waitv list[3];
  for (int i = 0; i < 3; i++) list[i] = (struct waitv){0, (uintptr_t)&words[i], 2 | 128, 0};
  pthread_t one;
  pthread_create(&one, 0, wake, 0);
  printf("woken: %ld\n", syscall(SYS_futex_waitv, list, 3, 0, 0, 0));
  pthread_join(one, 0);
  printf("too late: %s\n", error(syscall(SYS_futex_waitv, list, 3, 0, &past, CLOCK_MONOTONIC)));
  words[2] = 5;
  printf("changed: %s\n", error(syscall(SYS_futex_waitv, list, 3, 0, 0, 0)));
  list[0].flags = 1;
  printf("two bytes: %s\n", error(syscall(SYS_futex_waitv, list, 3, 0, 0, 0)));
  printf("none: %s, too many: %s\n", error(syscall(SYS_futex_waitv, list, 0, 0, 0, 0)), error(syscall(SYS_futex_waitv, list, 129, 0, 0, 0)));
}

static void remap(void) {
  size_t page = sysconf(_SC_PAGESIZE);
  int fd = memfd_create("pages", 0);
  for (char c = 'a'; c < 'e'; c++) {
    char text[page];
    memset(text, c, page);
    write(fd, text, page);
  }
  char *shown = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("remap_file_pages: %s, %s\n", error(remap_file_pages(shown, page, 0, 3, 0)), error(remap_file_pages(shown + 2 * page, 2 * page, 0, 0, 0)));
  printf("pages: %c%c%c%c\n", shown[0], shown[page], shown[2 * page], shown[3 * page]);
  shown[0] = 'z';
  msync(shown, page, MS_SYNC);
  char last;
  pread(fd, &last, 1, 3 * page);
  printf("in the file: %c\n", last);
  printf("with a protection: %s\n", error(remap_file_pages(shown, page, PROT_READ, 1, 0)));
  char *own = mmap(0, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("not shared: %s\n", error(remap_file_pages(own, page, 0, 0, 0)));
  char *both = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  both[0] = 'a', both[page] = 'b';
  remap_file_pages(both, page, 0, 1, 0);
  printf("without a file: %c, ", both[0]);
  remap_file_pages(both, page, 0, 0, 0);
  printf("%c\n", both[0]);
}

static int lease(int fd, int type) { return fcntl(fd, F_SETLEASE, type); }

static void openIt(const char *name, int flags) {
  int fd = open(name, flags | O_NONBLOCK);
  printf(" %s", error(fd));
  if (fd >= 0) close(fd);
}

static void leases(void) {
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, 0);
  make("leased", "text");
  int fd = open("leased", O_RDONLY), both = open("leased", O_RDWR);
  printf("none: %d, beside a writer: %s", fcntl(fd, F_GETLEASE), error(lease(fd, F_RDLCK)));
  printf(", %s\n", error(lease(both, F_RDLCK)));
  close(both);
  printf("for writing: %s", error(lease(fd, F_WRLCK)));
  printf(", %d; nothing to give up: %s\n", fcntl(fd, F_GETLEASE), error(lease(open("/dev/null", O_RDONLY), F_UNLCK)));
  printf("open:");
  openIt("leased", O_RDONLY);
  printf(", told by %d, to be %d\n", sigwaitinfo(&set, 0) == SIGIO, fcntl(fd, F_GETLEASE));
  printf("less: %s, open:", error(lease(fd, F_RDLCK)));
  openIt("leased", O_RDONLY);
  openIt("leased", O_WRONLY);
  printf(", to be %d, ", fcntl(fd, F_GETLEASE));
  printf("given up: %s, open:", error(lease(fd, F_UNLCK)));
  openIt("leased", O_WRONLY);
  printf(", again: %s\n", error(lease(fd, F_UNLCK)));
  sigwaitinfo(&set, 0);
  printf("a folder: %s\n", error(lease(open(".", O_RDONLY), F_RDLCK)));
  for (int i = 0; i < 3; i++) {
    // giving a lease up takes the signal away
    printf("signal %d, ", fcntl(fd, F_GETSIG));
    if (i != 1) fcntl(fd, F_SETSIG, SIGRTMIN);
    printf("lease: %s, ", error(lease(fd, F_RDLCK)));
    pid_t child = fork();
    if (child == 0) close(fd);
    if (child == 0) _exit(i == 0 ? truncate("leased", 2) : i == 1 ? open("leased", O_WRONLY) < 0 : open("leased", O_WRONLY | O_TRUNC) < 0);
    int signal = sigwaitinfo(&set, &info), status;
    printf("told %d %d %d, ", signal == SIGRTMIN, info.si_code - POLL_MSG, info.si_fd == fd);
    if (i < 2) printf("given up: %s, ", error(lease(fd, F_UNLCK)));
    else close(fd);
    waitpid(child, &status, 0);
    printf("the child: %d\n", status);
  }
  show("leased");
  unlink("leased");
}

static void mounts(void) {
  char text[20000];
  struct statfs found;
  memset(text, 'm', sizeof text);
  int here = open(".", O_RDONLY);
  mkdir("mnt", 0755);
  printf("options: %s", error(mount("none", "mnt", "tmpfs", 0, "size=many")));
  printf(", %s", error(mount("none", "mnt", "tmpfs", 0, "colour=red")));
  printf(", %s\n", error(mount("none", "mnt", "tmpfs", 0, "size=15k,nr_inodes=4,mode=755")));
  statfs("mnt", &found);
  printf("%ld blocks, %ld free, %ld files, %ld free\n", (long)found.f_blocks, (long)found.f_bfree, (long)found.f_files, (long)found.f_ffree);
  int fd = open("mnt/one", O_CREAT | O_RDWR, 0600);
  ssize_t first = write(fd, text, sizeof text);
  printf("%zd, then %s\n", first, error(write(fd, text, 1)));
  printf("less: %s", error(mount("none", "mnt", "tmpfs", MS_REMOUNT, "size=8k")));
  printf(", more: %s\n", error(mount("none", "mnt", "tmpfs", MS_REMOUNT, "size=32k")));
  printf("%zd\n", write(fd, text, 10000));
  printf("files: %d", mkdir("mnt/two", 0700));
  printf(" %d", link("mnt/one", "mnt/three"));
  printf(" %s\n", error(mkdir("mnt/four", 0700)));
  char *shown = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  printf("mapped: %s", error(umount("mnt")));
  munmap(shown, 4096);
  printf(", unmapped: %s\n", error(umount("mnt")));
  mount("none", "mnt", "tmpfs", 0, "size=1m");
  chdir("mnt");
  printf("in it: %s", error(umount("../mnt")));
  printf(", detached: %s\n", error(umount2("../mnt", MNT_DETACH)));
  make("file", "is lost");
  show("file");
  fchdir(here);
  printf("back: %s\n", error(rmdir("mnt")));
}

struct handle {
  struct file_handle head;
  unsigned char rest[128];
};

static void handles(void) {
  struct handle handle = {0};
  int id, folder = open(".", O_RDONLY | O_DIRECTORY);
  make("named", "by a handle");
  printf("too small: %s", error(name_to_handle_at(AT_FDCWD, "named", &handle.head, &id, 0)));
  printf(", %d\n", handle.head.handle_bytes > 0);
  handle.head.handle_bytes = 129;
  printf("too large: %s\n", error(name_to_handle_at(AT_FDCWD, "named", &handle.head, &id, 0)));
  handle.head.handle_bytes = 128;
  printf("a name: %s", error(name_to_handle_at(AT_FDCWD, "named", &handle.head, &id, 0)));
  printf(", none: %s", error(name_to_handle_at(AT_FDCWD, "other", &handle.head, &id, 0)));
  handle.head.handle_bytes = 128;
  printf(", a descriptor: %s\n", error(name_to_handle_at(open("named", O_RDONLY), "", &handle.head, &id, AT_EMPTY_PATH)));
  int fd = open_by_handle_at(folder, &handle.head, O_RDONLY);
  char text[20];
  ssize_t count = read(fd, text, sizeof text);
  printf("opened: %.*s\n", (int)count, text);
  close(fd);
  unlink("named");
  for (int other = folder + 1; other < 64; other++) close(other);
  printf("removed: %s\n", error(open_by_handle_at(folder, &handle.head, O_RDONLY)));
  handle.head.handle_bytes = 0;
  printf("empty: %s\n", error(open_by_handle_at(folder, &handle.head, O_RDONLY)));
}

static long field(const char *file, const char *name, long after) {
  char line[256];
  long value = -1, from = 0;
  FILE *text = fopen(file, "r");
  while (value < 0 && fgets(line, sizeof line, text)) {
    if (strchr(line, '-') == line + 8 && sscanf(line, "%lx-", &from) == 1) continue;
    if (from == after && strncmp(line, name, strlen(name)) == 0) sscanf(line + strlen(name), " %ld", &value);
  }
  fclose(text);
  return value;
}

static void locked(void) {
  size_t page = 4096;
  char *pages = mmap(0, 8 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("mlock: %s", error(mlock(pages + 2 * page, 4 * page - 1)));
  printf(", %ld kB\n", field("/proc/self/status", "VmLck:", 0));
  printf("smaps: %ld %ld\n", field("/proc/self/smaps", "Size:", (long)(pages + 2 * page)), field("/proc/self/smaps", "Locked:", (long)(pages + 2 * page)));
  printf("munlock: %s", error(munlock(pages + 3 * page, page)));
  printf(", %ld kB\n", field("/proc/self/status", "VmLck:", 0));
  if (fork() == 0) {
    printf("a child: %ld kB\n", field("/proc/self/status", "VmLck:", 0));
    _exit(0);
  }
  wait(0);
  munmap(pages, 4 * page);
  printf("unmapped: %ld kB\n", field("/proc/self/status", "VmLck:", 0));
  munlockall();
  printf("munlockall: %ld kB, flags: %s\n", field("/proc/self/status", "VmLck:", 0), error(mlockall(8)));
  struct stat status;
  printf("process 1: %s, its parent: %ld\n", error(stat("/proc/1", &status)), field("/proc/1/status", "PPid:", 0));
}

static void forked(void) {
  size_t page = 4096;
  char *pages = mmap(0, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 'p', 3 * page);
  printf("wiped: %s, left out: %s", error(madvise(pages + page, page, MADV_WIPEONFORK)), error(madvise(pages + 2 * page, page, MADV_DONTFORK)));
  char *both = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf(", shared: %s\n", error(madvise(both, page, MADV_WIPEONFORK)));
  mlock(pages, page);
  printf("locked: %s, %s\n", error(madvise(pages, page, MADV_DONTNEED)), error(msync(both, page, MS_INVALIDATE)));
  if (fork() == 0) {
    int ends[2];
    pipe(ends);
    printf("a child: %c %d %s\n", pages[0], pages[page], error(write(ends[1], pages + 2 * page, 1)));
    struct rlimit limit = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &limit);
    printf("beyond RLIMIT_AS: %s\n", error((long)mmap(0, 80 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? -1 : 0));
    _exit(0);
  }
  wait(0);
  munlockall();
}

/* The two say to each other when. */
static void shared(int before) {
  int there[2], back[2];
  char turn, text[20];
  pipe(there), pipe(back);
  int fd = open("common", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, 10000);
  char *own = before ? mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : 0;
  if (fork() == 0) {
    read(there[0], &turn, 1);
    int other = before ? fd : open("common", O_RDWR);
    char *mine = before ? own : mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
    pread(other, text, sizeof text, 0);
    printf("read: %s, mapped: %s\n", text, mine);
    strcpy(mine + 5000, "answer");
    write(back[1], "x", 1);
    read(there[0], &turn, 1);
    printf("then %s\n", mine + 9000);
    strcpy(mine + 100, "last");
    _exit(0);
  }
  if (!before) own = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(own, "first");
  write(there[1], "x", 1);
  read(back[0], &turn, 1);
  printf("answered: %s\n", own + 5000);
  strcpy(own + 9000, "second");
  write(there[1], "x", 1);
  wait(0);
  munmap(own, 10000);
  pread(fd, text, sizeof text, 100);
  printf("left: %s", text);
  pread(fd, text, sizeof text, 0);
  printf(", %s\n", text);
  close(fd), unlink("common");
}

/* What one has stored is there for another who maps less, and if it is killed. */
static void killed(void) {
  int there[2], back[2];
  char turn, text[20];
  pipe(there), pipe(back);
  int fd = open("common", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, 10000);
  pid_t child = fork();
  if (child == 0) {
    char *mine = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(mine + 9000, "stored");
    write(back[1], "x", 1);
    read(there[0], &turn, 1);
    printf("still %s, %s\n", mine + 9000, mine);
    munmap(mine, 10000);
    mine = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(mine + 5000, "at last");
    write(back[1], "x", 1);
    for (;;) pause();
  }
  read(back[0], &turn, 1);
  char *own = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(own, "too");
  write(there[1], "x", 1);
  munmap(own, 4096);
  read(back[0], &turn, 1);
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
  pread(fd, text, sizeof text, 5000);
  printf("stored %s\n", text);
  close(fd), unlink("common");
}

int main(int count, char **arguments) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (chdir(arguments[1]) < 0) return 1;
  exchange();
  packets();
  compare();
  waitAny();
  remap();
  leases();
  mounts();
  handles();
  locked();
  forked();
  shared(1);
  shared(0);
  killed();
}
