/*
 * Sockets of one system among themselves: TCP, UDP, local ones; what is printed is the same on all architectures. Compared with the processor.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *why(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }
#define TELL(call) do { errno = 0; long r_ = (call); printf("  %-46.46s %s%s", #call, why(r_), r_ > 0 ? " +\n" : "\n"); } while (0)
#define COUNT(call) do { errno = 0; long r_ = (call); printf("  %-46.46s %ld %s\n", #call, r_, why(r_)); } while (0)

/* What is ready, once that is which must come: the other end's kernel may need a moment. */
static void eventsWith(const char *what, int fd, int awaited) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  for (int tries = 0; poll(&p, 1, 0) >= 0 && (p.revents & awaited) != awaited && tries < 60000; tries++) usleep(1000);
  printf("  %s:%s%s%s%s%s\n", what, p.revents & POLLIN ? " in" : "", p.revents & POLLOUT ? " out" : "", p.revents & POLLRDHUP ? " rdhup" : "",
         p.revents & POLLHUP ? " hup" : "", p.revents & POLLERR ? " err" : "");
}
static void events(const char *what, int fd) { eventsWith(what, fd, 0); }
static void await(int fd, int event) {
  struct pollfd p = {fd, event, 0};
  poll(&p, 1, 60000);
}
static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  if (getsockopt(fd, level, name, &value, &length) < 0) return -errno;
  return value;
}
static void set(int fd, int name, int value) { setsockopt(fd, SOL_SOCKET, name, &value, sizeof value); }

static struct sockaddr_in at(const char *host, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 at6(const char *host, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  inet_pton(AF_INET6, host, &a.sin6_addr);
  return a;
}
static const char *loopback;
#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)
static int portOf(int fd) {
  struct sockaddr_in6 a;
  socklen_t length = sizeof a;
  getsockname(fd, (struct sockaddr *)&a, &length);
  return ntohs(a.sin6_port);
}
static void names(const char *what, int fd, int server) {
  struct sockaddr_storage s;
  char text[64];
  for (int peer = 0; peer < 2; peer++) {
    socklen_t length = sizeof s;
    if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&s, &length) < 0) {
      printf("  %s %s: %s\n", what, peer ? "peer" : "own", why(-1));
      continue;
    }
    int is6 = s.ss_family == AF_INET6;
    void *host = is6 ? (void *)&((struct sockaddr_in6 *)&s)->sin6_addr : (void *)&((struct sockaddr_in *)&s)->sin_addr;
    int port = ntohs(((struct sockaddr_in *)&s)->sin_port);
    printf("  %s %s: %s %s %u\n", what, peer ? "peer" : "own", inet_ntop(s.ss_family, host, text, sizeof text),
           port == server ? "server" : port ? "some" : "none", length);
  }
}

static void tcp(void) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  struct sockaddr_in a = at("127.0.0.1", 0);
  events("new", client);
  TELL(bind(server, ADDRESS(a)));
  a = at("127.0.0.1", portOf(server));
  TELL(connect(client, ADDRESS(a)));
  TELL(listen(server, 5));
  events("listening", server);
  TELL(connect(client, ADDRESS(a)));
  TELL(connect(client, ADDRESS(a)));
  eventsWith("listening", server, POLLIN);
  names("client", client, portOf(server));
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  int end = accept(server, (struct sockaddr *)&from, &length);
  printf("  from %s, %d, %u\n", inet_ntoa(from.sin_addr), from.sin_port == htons(portOf(client)), length);
  names("end", end, portOf(server));
  char text[64];
  COUNT(send(client, "hello world", 11, 0));
  int n = 0;
  await(end, POLLIN);
  ioctl(end, FIONREAD, &n);
  printf("  %d bytes\n", n);
  events("end", end);
  COUNT(recv(end, text, 5, MSG_PEEK));
  COUNT(recv(end, text, 5, 0));
  COUNT(recv(end, text, 64, MSG_DONTWAIT));
  COUNT(recv(end, text, 64, MSG_DONTWAIT));
  struct iovec pieces[2] = {{"gather", 6}, {"ed", 2}};
  COUNT(writev(end, pieces, 2));
  struct sockaddr_in other;
  length = sizeof other;
  COUNT(recvfrom(client, text, 64, 0, (struct sockaddr *)&other, &length));
  TELL(shutdown(client, SHUT_WR));
  TELL(write(client, "x", 1));
  events("client", client);
  eventsWith("end", end, POLLRDHUP);
  COUNT(read(end, text, 1));
  COUNT(write(end, "y", 1));
  COUNT(read(client, text, 9));
  close(end);
  eventsWith("client", client, POLLHUP);
  COUNT(read(client, text, 9));
  close(client);
  client = socket(AF_INET, SOCK_STREAM, 0);
  connect(client, ADDRESS(a));
  end = accept4(server, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
  printf("  flags %d %d\n", (fcntl(end, F_GETFL) & O_NONBLOCK) != 0, fcntl(end, F_GETFD));
  write(client, "unread", 6);
  await(end, POLLIN);
  close(end);
  eventsWith("reset", client, POLLERR);
  printf("  error %s\n", strerrorname_np(option(client, SOL_SOCKET, SO_ERROR)));
  COUNT(read(client, text, 9));
  TELL(write(client, "x", 1));
  close(client);
  close(server);
  client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  TELL(connect(client, ADDRESS(a)));
  eventsWith("refused", client, POLLERR);
  printf("  error %s\n", strerrorname_np(option(client, SOL_SOCKET, SO_ERROR)));
  TELL(shutdown(client, SHUT_RDWR));
  TELL(read(client, text, 1));
  TELL(write(client, text, 1));
  names("unconnected", client, 0);
  close(client);
}

static void laterTcp(void) {
  int folder = open("/", O_RDONLY);
  int server = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  TELL(listen(server, 1));
  struct sockaddr_in a = at("127.0.0.1", portOf(server));
  TELL(connect(client, ADDRESS(a)));
  struct pollfd p = {client, POLLOUT, 0};
  printf("  poll %d, error %d\n", poll(&p, 1, 60000), option(client, SOL_SOCKET, SO_ERROR));
  struct sockaddr_in6 from;
  socklen_t length = sizeof from;
  char text[64];
  int end = accept(server, (struct sockaddr *)&from, &length);
  printf("  mapped %s %u\n", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), length);
  names("mapped", end, portOf(server));
  int other = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 b = at6(loopback, portOf(server));
  TELL(connect(other, ADDRESS(b)));
  close(accept(server, 0, 0));
  names("six", other, portOf(server));
  COUNT(read(other, text, 1));
  int same = socket(AF_INET, SOCK_STREAM, 0);
  TELL(bind(same, ADDRESS(a)));
  TELL(bind(same, ADDRESS(b)));
  struct sockaddr_in far = at("192.0.2.1", 0);
  TELL(bind(same, ADDRESS(far)));
  far.sin_family = AF_INET6;
  TELL(bind(same, ADDRESS(far)));
  TELL(bind(same, (struct sockaddr *)&a, 8));
  TELL(accept(same, 0, 0));
  TELL(accept(folder, 0, 0));
  TELL(accept(99, 0, 0));
  TELL(listen(end, 1));
  pid_t child = fork();
  if (child == 0) {
    close(server);
    for (int i = 0; i < 30; i++) {
      write(end, "0123456789", 10);
      usleep(100);
    }
    _exit(0);
  }
  fcntl(client, F_SETFL, 0);
  char all[300];
  COUNT(recv(client, all, 300, MSG_WAITALL));
  waitpid(child, 0, 0);
  fcntl(client, F_SETFL, O_NONBLOCK);
  static char much[1 << 20];
  long sent = 0, got = 0, r;
  /* the other end may still take some */
  do
    while ((r = write(client, much, sizeof much)) > 0) sent += r;
  while (poll(&p, 1, 100) > 0);
  printf("  full %s\n", why(r));
  events("full", client);
  fcntl(end, F_SETFL, O_NONBLOCK);
  for (int turns = 0; turns < 1000 && got < sent; turns++) {
    await(end, POLLIN);
    while ((r = read(end, much, 65536)) > 0) got += r;
  }
  printf("  all %d\n", got == sent);
  eventsWith("empty", client, POLLOUT);
  struct timeval limit = {0, 20000}, told;
  TELL(setsockopt(other, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  length = sizeof told;
  getsockopt(other, SOL_SOCKET, SO_RCVTIMEO, &told, &length);
  printf("  timeout %ld.%06ld\n", (long)told.tv_sec, (long)told.tv_usec / 4000 * 4000);
  TELL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  TELL(accept(server, 0, 0));
  fcntl(client, F_SETFL, 0);
  TELL(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  TELL(recv(client, text, 1, 0));
  printf("  options %d %d %d %d %d\n", option(client, SOL_SOCKET, SO_TYPE) == SOCK_STREAM, option(client, SOL_SOCKET, SO_DOMAIN), option(client, SOL_SOCKET, SO_PROTOCOL), option(server, SOL_SOCKET, SO_ACCEPTCONN), option(client, SOL_SOCKET, SO_ACCEPTCONN));
  set(client, SO_KEEPALIVE, 1);
  int one = 1;
  TELL(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  printf("  options %d %d %d\n", option(client, SOL_SOCKET, SO_KEEPALIVE), option(client, IPPROTO_TCP, TCP_NODELAY), option(client, SOL_SOCKET, SO_REUSEADDR));
  struct linger linger = {1, 3};
  TELL(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  TELL(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, 4));
  TELL(setsockopt(client, SOL_SOCKET, 12345, &one, sizeof one));
  TELL(setsockopt(client, SOL_SOCKET, SO_TYPE, &one, sizeof one));
  TELL(setsockopt(folder, SOL_SOCKET, SO_LINGER, &linger, 4));
  linger.l_linger = 0;
  setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(client);
  await(end, POLLIN);
  COUNT(read(end, text, 1));
  close(server), close(end), close(other), close(same);
}

static void udp(void) {
  int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = at("127.0.0.1", 0), b, from;
  char text[64];
  bind(one, ADDRESS(a));
  a = at("127.0.0.1", portOf(one));
  TELL(send(two, "x", 1, 0));
  COUNT(sendto(two, "first", 5, 0, ADDRESS(a)));
  COUNT(sendto(two, "", 0, 0, ADDRESS(a)));
  COUNT(sendto(two, "a long one", 10, 0, ADDRESS(a)));
  socklen_t length = sizeof from;
  COUNT(recvfrom(one, text, 64, 0, (struct sockaddr *)&from, &length));
  printf("  from %s %d %u\n", inet_ntoa(from.sin_addr), from.sin_port == htons(portOf(two)), length);
  int n = 99;
  ioctl(one, FIONREAD, &n);
  printf("  next %d\n", n);
  COUNT(recv(one, text, 64, 0));
  COUNT(recv(one, text, 4, MSG_TRUNC | MSG_PEEK));
  struct iovec v[2] = {{text, 3}, {text + 32, 3}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
  COUNT(recvmsg(one, &m, 0));
  printf("  truncated %d %.3s %.3s\n", (m.msg_flags & MSG_TRUNC) != 0, text, text + 32);
  COUNT(recv(one, text, 64, MSG_DONTWAIT));
  TELL(connect(two, ADDRESS(a)));
  names("connected", two, portOf(one));
  COUNT(write(two, "second", 6));
  b = at("127.0.0.1", portOf(two));
  int three = socket(AF_INET, SOCK_DGRAM, 0);
  COUNT(sendto(three, "not heard", 9, 0, ADDRESS(b)));
  COUNT(sendto(one, "heard", 5, 0, ADDRESS(b)));
  await(two, POLLIN);
  COUNT(recv(two, text, 64, MSG_DONTWAIT));
  COUNT(recv(two, text, 64, MSG_DONTWAIT));
  close(one);
  COUNT(write(two, "x", 1));
  await(two, 0);
  COUNT(write(two, "x", 1));
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  TELL(connect(two, &none, sizeof none));
  TELL(shutdown(two, SHUT_RD));
  TELL(listen(two, 1));
  TELL(accept(two, 0, 0));
  static char large[70000];
  TELL(sendto(two, large, sizeof large, 0, ADDRESS(a)));
  struct mmsghdr several[3] = {0};
  int four = socket(AF_INET, SOCK_DGRAM, 0);
  a = at("127.0.0.1", 0);
  bind(four, ADDRESS(a));
  a = at("127.0.0.1", portOf(four));
  struct iovec w[3] = {{"one", 3}, {"three", 5}, {"seven!!", 7}};
  for (int i = 0; i < 3; i++) several[i].msg_hdr = (struct msghdr){.msg_iov = w + i, .msg_iovlen = 1, .msg_name = &a, .msg_namelen = sizeof a};
  COUNT(sendmmsg(three, several, 3, 0));
  printf("  %u %u %u\n", several[0].msg_len, several[1].msg_len, several[2].msg_len);
  char in[3][16];
  for (int i = 0; i < 3; i++) {
    w[i] = (struct iovec){in[i], 16};
    several[i].msg_hdr.msg_name = 0;
  }
  COUNT(recvmmsg(four, several, 3, 0, 0));
  printf("  %u %u %u %.3s\n", several[0].msg_len, several[1].msg_len, several[2].msg_len, in[0]);
  COUNT(sendto(three, "alone", 5, 0, ADDRESS(a)));
  COUNT(recvmmsg(four, several, 3, MSG_WAITFORONE, 0));
  close(two), close(three), close(four);
}

static int sendFile(int over, int fd, const char *text) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec v = {(void *)text, strlen(text)};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return sendmsg(over, &m, 0);
}
static int receiveFile(int over, int flags, int room) {
  char control[128] = {0}, text[64];
  struct iovec v = {text, sizeof text};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  int n = recvmsg(over, &m, flags), fd = -1;
  printf("  message %d '%.*s' flags %x control %zu", n, n < 0 ? 0 : n, text, m.msg_flags & ~MSG_CMSG_CLOEXEC, (size_t)m.msg_controllen);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_type == SCM_RIGHTS) {
      memcpy(&fd, CMSG_DATA(c), sizeof fd);
      printf(" file (%d)", fcntl(fd, F_GETFD));
    } else {
      struct ucred who;
      memcpy(&who, CMSG_DATA(c), sizeof who);
      printf(" from me %d %d", who.pid == getpid(), who.uid == getuid());
    }
  }
  printf("\n");
  return fd;
}

static void local(void) {
  char folder[] = "/tmp/socketsXXXXXX";
  mkdtemp(folder);
  chdir(folder);
  struct sockaddr_un a = {AF_UNIX, "name"}, from;
  socklen_t length;
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  char text[64];
  events("new", client);
  TELL(connect(client, ADDRESS(a)));
  TELL(listen(server, 1));
  TELL(bind(server, ADDRESS(a)));
  TELL(bind(server, ADDRESS(a)));
  TELL(bind(client, ADDRESS(a)));
  struct stat s;
  stat("name", &s);
  printf("  mode %o %d\n", s.st_mode, S_ISSOCK(s.st_mode));
  TELL(open("name", O_RDWR));
  TELL(mkdir("name", 0777));
  TELL(connect(client, ADDRESS(a)));
  TELL(listen(server, 1));
  TELL(chmod("name", 0700));
  TELL(rename("name", "moved"));
  TELL(connect(client, ADDRESS(a)));
  strcpy(a.sun_path, "moved");
  TELL(connect(client, ADDRESS(a)));
  TELL(connect(client, ADDRESS(a)));
  int end = accept(server, 0, 0);
  length = sizeof from;
  TELL(getsockname(end, (struct sockaddr *)&from, &length));
  printf("  own %u %s\n", length, from.sun_path);
  length = sizeof from;
  TELL(getpeername(end, (struct sockaddr *)&from, &length));
  printf("  peer %u\n", length);
  struct ucred who;
  length = sizeof who;
  getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &length);
  printf("  peer %d %d %u\n", who.pid == getpid(), who.uid == getuid(), length);
  write(client, "before", 6);
  int ends[2];
  pipe(ends);
  COUNT(sendFile(client, ends[1], "with"));
  write(client, "after", 5);
  close(ends[1]);
  int got = receiveFile(end, MSG_CMSG_CLOEXEC, 128);
  COUNT(read(end, text, 64));
  COUNT(write(got, "through", 7));
  close(got);
  COUNT(read(ends[0], text, 64));
  COUNT(read(ends[0], text, 64));
  sendFile(client, ends[0], "no room");
  receiveFile(end, 0, 8);
  sendFile(client, ends[0], "read plainly");
  COUNT(read(end, text, 64));
  TELL(sendFile(client, 99, "bad"));
  set(end, SO_PASSCRED, 1);
  write(client, "who", 3);
  receiveFile(end, 0, 128);
  TELL(rmdir(folder));
  TELL(unlink("moved"));
  TELL(stat("moved", &s));
  TELL(send(end, "to", 2, MSG_NOSIGNAL));
  close(end);
  events("closed", client);
  COUNT(read(client, text, 64));
  COUNT(read(client, text, 64));
  TELL(write(client, "x", 1));
  close(client), close(server);
  memset(&a, 0, sizeof a);
  a.sun_family = AF_UNIX;
  /* all of a host share these names */
  sprintf(a.sun_path + 1, "%08x", getpid());
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + 9;
  int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
  TELL(bind(one, (struct sockaddr *)&a, size));
  TELL(bind(two, (struct sockaddr *)&a, size));
  TELL(sendto(two, "x", 1, 0, (struct sockaddr *)&a, size - 1));
  COUNT(sendto(two, "nameless", 8, 0, (struct sockaddr *)&a, size));
  length = sizeof from;
  COUNT(recvfrom(one, text, 64, 0, (struct sockaddr *)&from, &length));
  printf("  from %u\n", length);
  sa_family_t family = AF_UNIX;
  TELL(bind(two, (struct sockaddr *)&family, 2));
  length = sizeof from;
  getsockname(two, (struct sockaddr *)&from, &length);
  printf("  chosen %u %d\n", length, from.sun_path[0]);
  TELL(connect(two, (struct sockaddr *)&a, size));
  COUNT(send(two, "named", 5, 0));
  length = sizeof from;
  COUNT(recvfrom(one, text, 64, 0, (struct sockaddr *)&from, &length));
  COUNT(sendto(one, "answer", 6, 0, (struct sockaddr *)&from, length));
  COUNT(recv(two, text, 64, 0));
  client = socket(AF_UNIX, SOCK_STREAM, 0);
  TELL(connect(client, (struct sockaddr *)&a, size));
  close(one);
  TELL(send(two, "x", 1, 0));
  close(two), close(client);
  int packets[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets);
  write(packets[0], "one", 3), write(packets[0], "two", 3);
  struct iovec v[2] = {{text, 2}, {text + 8, 2}};
  COUNT(readv(packets[1], v, 2));
  COUNT(recv(packets[1], text, 2, 0));
  events("packets", packets[1]);
  close(packets[0]);
  events("packets", packets[1]);
  COUNT(read(packets[1], text, 9));
  TELL(write(packets[1], "x", 1));
  close(packets[1]);
  TELL(socket(AF_UNIX, 77, 0));
  TELL(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  TELL(socket(AF_UNIX, SOCK_STREAM, 9));
  TELL(socket(12345, SOCK_STREAM, 0));
  TELL(connect(open("/", O_RDONLY), ADDRESS(a)));
  TELL(rmdir(folder));
  chdir("/");
  rmdir(folder);
}

static volatile int signals;
static void count(int number) { signals += number == SIGPIPE; }

static void waiting(void) {
  int server = socket(AF_INET, SOCK_STREAM, 0);
  listen(server, 9);
  struct sockaddr_in a = at("127.0.0.1", portOf(server));
  int watched = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = server};
  epoll_ctl(watched, EPOLL_CTL_ADD, server, &event);
  for (int i = 0; i < 3; i++) {
    if (fork()) continue;
    close(server);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[16];
    if (connect(fd, ADDRESS(a)) < 0) _exit(1);
    sprintf(text, "%d", i);
    usleep(i * 20000);
    write(fd, text, 1);
    if (read(fd, text, 16) != 2) _exit(2);
    _exit(text[0] == '<' && text[1] - '0' == i ? 10 + i : 3);
  }
  int done = 0;
  while (done < 3) {
    struct epoll_event got[4];
    int n = epoll_wait(watched, got, 4, 60000);
    if (n <= 0) break;
    for (int i = 0; i < n; i++) {
      int fd = got[i].data.fd;
      if (fd == server) {
        fd = accept(server, 0, 0);
        event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = fd};
        epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event);
      } else {
        char text[2] = "<";
        if (read(fd, text + 1, 1) == 1) write(fd, text, 2);
        close(fd);
        done++;
      }
    }
  }
  int sum = 0, status;
  while (wait(&status) > 0) sum += WEXITSTATUS(status);
  printf("  served %d, %d\n", done, sum);
  signal(SIGPIPE, count);
  int ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  close(ends[1]);
  TELL(write(ends[0], "x", 1));
  TELL(send(ends[0], "x", 1, MSG_NOSIGNAL));
  printf("  signals %d\n", signals);
  close(ends[0]);
  /* an edge for each arrival, though the one before was not all read */
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = ends[0]};
  epoll_ctl(watched, EPOLL_CTL_ADD, ends[0], &event);
  for (int i = 0; i < 3; i++) {
    write(ends[1], "ab", 2);
    printf("  edge %d", epoll_wait(watched, &event, 1, 0));
    printf(" %d\n", epoll_wait(watched, &event, 1, 0));
  }
  fd_set set;
  FD_ZERO(&set);
  FD_SET(server, &set);
  struct timeval limit = {0, 10000};
  printf("  select %d\n", select(server + 1, &set, 0, 0, &limit));
  if (fork() == 0) {
    usleep(20000);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, ADDRESS(a));
    _exit(0);
  }
  TELL(accept(server, 0, 0));
  wait(0);
}

/* The argument is this host's own IPv6 address, which may have to be an IPv4 one. */
int main(int count, char **arguments) {
  umask(022);
  loopback = count > 1 ? arguments[1] : "::1";
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, 0, _IONBF, 0);
  static const struct { const char *name; void (*run)(void); } all[] = {{"tcp", tcp}, {"laterTcp", laterTcp}, {"udp", udp}, {"local", local}, {"waiting", waiting}};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    printf("%s\n", all[i].name);
    all[i].run();
  }
  return 0;
}
