// What happens to files: inotify, extended attributes, programs that run, set-user-ID bits, chroot. Prints the same on every Linux.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *error(long result) { return result < 0 ? strerror(errno) : "ok"; }
#define SHOW(call) (printf("%s: ", #call), show_result(call))
static long show_result(long result) {
  printf("%ld %s\n", result, error(result));
  return result;
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (write(fd, text, strlen(text)) < 0) perror(path);
  close(fd);
}

static const char *names[] = {"access", "modify", "attrib", "close-write", "close", "open", "from", "to", "create", "delete", "delete-self", "move-self"};

/* Events, with cookies as equal or not to the one before. */
static void events(const char *what, int fd) {
  static char text[65536];
  unsigned cookie = 0;
  ssize_t count = read(fd, text, sizeof text);
  printf("%s:%s", what, count < 0 ? strerror(errno) : "");
  for (ssize_t at = 0; at < count;) {
    struct inotify_event *event = (struct inotify_event *)(text + at);
    printf(" %d", event->wd);
    for (int bit = 0; bit < 12; bit++)
      if (event->mask & 1u << bit) printf("-%s", names[bit]);
    if (event->mask & IN_ISDIR) printf("-dir");
    if (event->mask & IN_IGNORED) printf("-ignored");
    if (event->mask & IN_Q_OVERFLOW) printf("-overflow");
    if (event->len) printf("(%s %u)", event->name, event->len);
    if (event->cookie) printf(event->cookie == cookie ? "same" : "cookie");
    cookie = event->cookie;
    at += sizeof *event + event->len;
  }
  printf("\n");
}

static void watch(void) {
  char byte;
  int waiting;
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  printf("flags %d %x\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD));
  mkdir("d", 0755);
  mkdir("e", 0755);
  put("d/first", "1");
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "d/first", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS | IN_MASK_CREATE));
  SHOW(inotify_add_watch(fd, "none", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "d/first", IN_ALL_EVENTS | IN_ONLYDIR));
  SHOW(inotify_add_watch(fd, "d", 0));
  SHOW(inotify_add_watch(0, "d", IN_OPEN));
  SHOW(inotify_add_watch(99, "d", IN_OPEN));
  events("nothing yet", fd);
  put("d/new", "text");
  put("d/new", "again");
  events("written", fd);
  int file = open("d/first", O_RDWR);
  if (read(file, &byte, 1) != 1 || pread(file, &byte, 1, 0) != 1 || pwrite(file, "x", 1, 5) != 1) perror("first");
  ftruncate(file, 3);
  fchmod(file, 0600);
  close(file);
  ioctl(fd, FIONREAD, &waiting);
  printf("%d bytes, ready %d\n", waiting, poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0));
  printf("small buffer: %s\n", error(read(fd, &byte, 1)));
  events("used", fd);
  chmod("d/new", 0640);
  truncate("d/new", 1);
  utimensat(AT_FDCWD, "d/new", (struct timespec[2]){{1, 0}, {2, 0}}, 0);
  utimensat(AT_FDCWD, "d/new", (struct timespec[2]){{1, 0}, {0, UTIME_OMIT}}, 0);
  utimensat(AT_FDCWD, "d/new", (struct timespec[2]){{0, UTIME_OMIT}, {1, 0}}, 0);
  events("changed", fd);
  mkdir("d/sub", 0700);
  symlink("new", "d/link");
  mkfifo("d/fifo", 0600);
  link("d/first", "d/second");
  events("made", fd);
  SHOW(inotify_add_watch(fd, "d/sub", IN_ALL_EVENTS));
  rename("d/new", "d/old");
  rename("d/old", "e/old");
  rename("e/old", "d/back");
  rename("d/first", "d/first2");
  events("moved", fd);
  DIR *directory = opendir("d");
  while (readdir(directory)) {}
  closedir(directory);
  events("listed", fd);
  rename("d/back", "d/second");
  unlink("d/first2");
  rmdir("d/sub");
  unlink("d/link");
  unlink("d/fifo");
  unlink("d/second");
  events("removed", fd);
  rmdir("d");
  rmdir("e");
  events("directory removed", fd);
  SHOW(inotify_rm_watch(fd, 1));
  put("f", "");
  SHOW(inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT));
  close(open("f", O_RDONLY));
  close(open("f", O_RDONLY));
  SHOW(inotify_add_watch(fd, "f", IN_OPEN));
  SHOW(inotify_add_watch(fd, "f", IN_MASK_ADD | IN_CLOSE_NOWRITE));
  for (int i = 0; i < 3; i++) close(open("f", O_RDONLY));
  close(open("f", O_PATH));
  SHOW(inotify_rm_watch(fd, 4));
  close(open("f", O_RDONLY));
  SHOW(inotify_rm_watch(fd, 4));
  SHOW(inotify_rm_watch(0, 4));
  events("once, and twice", fd);
  unlink("f");
  close(fd);
  fd = inotify_init1(0);
  inotify_add_watch(fd, ".", IN_CREATE);
  if (fork() == 0) {
    usleep(20000);
    put("late", "");
    _exit(0);
  }
  events("waited for", fd);
  wait(0);
  unlink("late");
  close(fd);
}

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *path) {
  char text[4096];
  char *each[64];
  int count = 0;
  ssize_t length = listxattr(path, text, sizeof text);
  printf("list %s: %zd %s", path, length, error(length));
  for (ssize_t at = 0; at < length; at += strlen(text + at) + 1)
    if (strncmp(text + at, "user.", 5) == 0) each[count++] = text + at;
  qsort(each, count, sizeof *each, compare);
  for (int i = 0; i < count; i++) printf(" %s", each[i]);
  printf("\n");
}

static void attributes(void) {
  char text[70000] = "";
  char name[300] = "user.";
  put("f", "");
  symlink("f", "l");
  SHOW(setxattr("f", "user.one", "value", 5, 0));
  SHOW(setxattr("f", "user.two", "", 0, XATTR_CREATE));
  SHOW(setxattr("f", "user.one", "v", 1, XATTR_CREATE));
  SHOW(setxattr("f", "user.none", "v", 1, XATTR_REPLACE));
  SHOW(setxattr("f", "user.one", "other", 5, XATTR_REPLACE));
  SHOW(setxattr("f", "user.one", "other", 5, 7));
  SHOW(setxattr("f", "", "v", 1, 0));
  SHOW(setxattr("f", "user.", "v", 1, 0));
  SHOW(setxattr("f", "nonsense", "v", 1, 0));
  SHOW(setxattr("f", "other.kind", "v", 1, 0));
  SHOW(setxattr("none", "user.one", "v", 1, 0));
  SHOW(setxattr("f", "user.one", (void *)8, 5, 0));
  SHOW(setxattr("f", "user.one", text, 65537, 0));
  memset(name + 5, 'n', 250);
  SHOW(setxattr("f", name, "v", 1, 0));
  name[255] = 'n';
  SHOW(setxattr("f", name, "v", 1, 0));
  name[255] = 0;
  SHOW(removexattr("f", name));
  SHOW(getxattr("f", "user.one", text, sizeof text));
  printf("%s\n", text);
  SHOW(getxattr("l", "user.one", 0, 0));
  SHOW(lgetxattr("l", "user.one", text, 9));
  SHOW(lsetxattr("l", "user.one", "v", 1, 0));
  SHOW(getxattr("f", "user.one", text, 4));
  SHOW(getxattr("f", "user.none", text, 4));
  SHOW(getxattr("f", "other.none", text, 4));
  SHOW(getxattr("f", "user.two", text, 0));
  list("f");
  SHOW(listxattr("f", text, 3) < 0 && errno == ERANGE ? 0 : -1);
  int fd = open("f", O_RDWR);
  SHOW(fsetxattr(fd, "user.three", "3", 1, 0));
  SHOW(fgetxattr(fd, "user.three", text, 10));
  SHOW(fremovexattr(fd, "user.two"));
  SHOW(fremovexattr(fd, "user.two"));
  close(fd);
  list("f");
  list("l");
  list("none");
  if (geteuid() == 0) {
    SHOW(setxattr("f", "trusted.x", "v", 1, 0));
    SHOW(getxattr("f", "trusted.x", text, 10));
    SHOW(lsetxattr("l", "trusted.x", "v", 1, 0));
    chmod("f", 0444);
    fflush(stdout);
    if (fork() == 0) {
      setgid(1000), setuid(1000);
      SHOW(setxattr("f", "user.one", "v", 1, 0));
      SHOW(setxattr("f", "trusted.x", "v", 1, 0));
      SHOW(getxattr("f", "trusted.x", text, 10));
      SHOW(getxattr("f", "user.one", text, 10));
      fflush(stdout);
      _exit(0);
    }
    wait(0);
  }
  unlink("f");
  unlink("l");
  SHOW(getxattr("/proc/self/status", "user.x", text, 10));
  SHOW(setxattr("/proc/self/status", "user.x", text, 10, 0));
}

static void copy(const char *from, const char *to) {
  static char text[1 << 16];
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  for (ssize_t count; (count = read(in, text, sizeof text)) > 0;)
    if (write(out, text, count) != count) perror(to);
  close(in), close(out);
}

static int run(const char *path, const char *argument) {
  int status;
  fflush(stdout);
  if (fork() == 0) {
    execl(path, path, argument, (char *)0);
    printf("exec %s: %s\n", path, strerror(errno));
    fflush(stdout);
    _exit(99);
  }
  wait(&status);
  return WEXITSTATUS(status);
}

static void busy(void) {
  int pipes[2], status;
  copy("/proc/self/exe", "program");
  int fd = open("program", O_WRONLY);
  printf("open for writing: %d\n", run("./program", "true"));
  close(fd);
  printf("closed: %d\n", run("./program", "true"));
  fd = open("program", O_RDWR);
  int second = dup(fd);
  close(fd);
  printf("duplicated: %d\n", run("./program", "true"));
  close(second);
  pipe(pipes);
  pid_t child = fork();
  if (child == 0) {
    dup2(pipes[1], 1);
    execl("./program", "./program", "wait", (char *)0);
    _exit(99);
  }
  char byte;
  if (read(pipes[0], &byte, 1) != 1) perror("pipe");
  SHOW(open("program", O_WRONLY));
  SHOW(open("program", O_RDWR | O_CREAT, 0600));
  SHOW(open("program", O_RDONLY | O_TRUNC));
  SHOW(truncate("program", 10));
  SHOW(chmod("program", 0711));
  fd = open("program", O_RDONLY);
  printf("read: %s\n", error(fd));
  close(fd);
  SHOW(rename("program", "moved"));
  SHOW(open("moved", O_WRONLY));
  SHOW(unlink("moved"));
  put("moved", "another");
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  SHOW(unlink("moved"));
  copy("/proc/self/exe", "program");
  fd = open("program", O_WRONLY);
  printf("afterwards: %s\n", error(fd));
  close(fd);
  unlink("program");
}

static void identities(void) {
  struct stat status;
  if (geteuid() != 0) return;
  copy("/proc/self/exe", "program");
  chown("program", 1234, 4321);
  chmod("program", 04755);
  run("./program", "who");
  chmod("program", 06755);
  run("./program", "who");
  chmod("program", 02745);
  run("./program", "who");
  chown("program", 0, 0);
  chmod("program", 06755);
  if (fork() == 0) {
    setgid(1000), setuid(1000);
    run("./program", "who");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    run("./program", "who");
    _exit(0);
  }
  wait(0);
  chmod("program", 06755);
  chown("program", 1234, -1);
  stat("program", &status);
  printf("after chown: %o\n", status.st_mode);
  chmod("program", 06745);
  chown("program", -1, -1);
  stat("program", &status);
  printf("after chown: %o\n", status.st_mode);
  unlink("program");
}

static void jail(void) {
  char path[300];
  if (geteuid() != 0) return;
  mkdir("jail", 0755), mkdir("jail/inner", 0755), mkdir("outer", 0755);
  put("jail/file", "");
  symlink("/file", "jail/link");
  symlink("../../../file", "jail/inner/up");
  fflush(stdout);
  if (fork() == 0) {
    int outer = open("outer", O_RDONLY);
    SHOW(chroot("none"));
    SHOW(chroot("jail/file"));
    SHOW(chroot("jail"));
    printf("%s\n", getcwd(path, sizeof path) ? path : strerror(errno));
    SHOW(access("jail/file", F_OK));
    SHOW(access("/file", F_OK));
    SHOW(access("/link", F_OK));
    SHOW(access("/inner/up", F_OK));
    SHOW(access("/../../file", F_OK));
    SHOW(access("/dev", F_OK));
    SHOW(chdir("/inner"));
    printf("%s\n", getcwd(path, sizeof path));
    SHOW(access("../../../file", F_OK));
    SHOW(chroot("/inner"));
    SHOW(access("/up", F_OK));
    SHOW(chdir("/"));
    SHOW(fchdir(outer));
    SHOW(access("../jail/file", F_OK));
    setgid(1000), setuid(1000);
    SHOW(chroot("/"));
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  unlink("jail/inner/up"), unlink("jail/link"), unlink("jail/file");
  rmdir("jail/inner"), rmdir("jail"), rmdir("outer");
}

static void exceeded(int signal) { printf("SIGXFSZ: %d\n", signal == SIGXFSZ); }

static void limited(void) {
  struct rlimit limit = {1000, RLIM_INFINITY};
  char text[600] = {0};
  int fd = open("limited", O_RDWR | O_CREAT, 0644);
  signal(SIGXFSZ, exceeded);
  SHOW(setrlimit(RLIMIT_FSIZE, &limit));
  SHOW(write(fd, text, sizeof text));
  SHOW(write(fd, text, sizeof text));
  SHOW(write(fd, text, sizeof text));
  SHOW(pwrite(fd, text, sizeof text, 990));
  SHOW(pwrite(fd, text, sizeof text, 1001));
  SHOW(ftruncate(fd, 1000));
  SHOW(ftruncate(fd, 1001));
  SHOW(truncate("limited", 2000));
  SHOW(fallocate(fd, 0, 900, 200));
  limit.rlim_cur = RLIM_INFINITY;
  SHOW(setrlimit(RLIMIT_FSIZE, &limit));
  SHOW(ftruncate(fd, 1001));
  close(fd);
  unlink("limited");
}

/* Whether a folder's file system has attributes of files, executes, and lets programs have their owner's rights. */
static int serves(void) {
  struct statvfs about;
  copy("/proc/self/exe", "program");
  int right = setxattr("program", "user.one", "v", 1, 0) == 0 && run("./program", "true") == 42 && statvfs(".", &about) == 0 && !(about.f_flag & ST_NOSUID);
  unlink("program");
  return right;
}

int main(int argc, char **argv) {
  char folder[100];
  if (argc > 1 && strcmp(argv[1], "true") == 0) return 42;
  if (argc > 1 && strcmp(argv[1], "wait") == 0) {
    write(1, "x", 1);
    for (;;) pause();
  }
  if (argc > 1 && strcmp(argv[1], "who") == 0) {
    uid_t user[3];
    gid_t group[3];
    getresuid(user, user + 1, user + 2);
    getresgid(group, group + 1, group + 2);
    printf("%d %d %d, %d %d %d, secure %lu\n", user[0], user[1], user[2], group[0], group[1], group[2], getauxval(AT_SECURE));
    return 0;
  }
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  umask(022);
  snprintf(folder, sizeof folder, "%s/files-XXXXXX", argv[1]);
  if (!mkdtemp(folder) || chdir(folder) || chmod(folder, 0755)) perror(folder);
  if (argc > 2) {
    int right = serves();
    rmdir(folder);
    return !right;
  }
  watch();
  fflush(stdout);
  attributes();
  busy();
  identities();
  limited();
  jail();
  rmdir(folder);
  return 0;
}
