/*
 * What NETLINK_ROUTE tells, by getifaddrs and by requests of our own. What is printed is the same on all architectures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *why(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }
#define TELL(call) do { errno = 0; long r_ = (call); printf("  %s: %s\n", #call, why(r_)); } while (0)

static const char *text(const struct sockaddr *a) {
  static char buffers[4][64];
  static int turn;
  char *into = buffers[turn++ & 3];
  if (!a) return "-";
  if (a->sa_family == AF_INET) return inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, into, 64);
  if (a->sa_family == AF_INET6) return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a)->sin6_addr, into, 64);
  const struct sockaddr_ll *l = (const void *)a;
  sprintf(into, "link %d type %d %02x:..:%02x", l->sll_ifindex, l->sll_hatype, l->sll_addr[0], l->sll_addr[5]);
  return into;
}

static void interfaces(void) {
  struct ifaddrs *all;
  puts("getifaddrs");
  if (getifaddrs(&all) < 0) {
    puts(strerrorname_np(errno));
    return;
  }
  for (struct ifaddrs *a = all; a; a = a->ifa_next) {
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, a->ifa_name);
    int same = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (unsigned short)request.ifr_flags == (a->ifa_flags & 0xffff);
    if (a->ifa_addr->sa_family == AF_INET) {
      same &= ioctl(fd, SIOCGIFADDR, &request) == 0 && !strcmp(text(&request.ifr_addr), text(a->ifa_addr));
      same &= ioctl(fd, SIOCGIFNETMASK, &request) == 0 && !strcmp(text(&request.ifr_addr), text(a->ifa_netmask));
    }
    close(fd);
    printf("  %s %#x %s/%s/%s %s\n", a->ifa_name, a->ifa_flags, text(a->ifa_addr), text(a->ifa_netmask), text(a->ifa_broadaddr),
           same ? "as ioctl" : "not as ioctl");
  }
  freeifaddrs(all);
  struct if_nameindex *names = if_nameindex();
  for (struct if_nameindex *n = names; n && n->if_index; n++) printf("  %u is %s, %u\n", n->if_index, n->if_name, if_nametoindex(n->if_name));
}

struct request {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct rtmsg route;
    struct rtgenmsg general;
  };
  char attributes[64];
};

static struct request make(int type, int flags, int body) {
  static int sequence = 100;
  return (struct request){.header = {NLMSG_LENGTH(body), type, NLM_F_REQUEST | flags, ++sequence, 0}};
}
static void add(struct request *r, int type, const void *data, int length) {
  struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(length);
  memcpy(RTA_DATA(a), data, length);
  r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Whoever has no right to change anything learns that first. */
static const char *nameOf(int error) { return error == EPERM || error == EOPNOTSUPP ? "EPERM or EOPNOTSUPP" : strerrorname_np(error); }

/* What a message has of the interesting attributes. */
static void show(const struct nlmsghdr *h) {
  char host[64];
  int head = h->nlmsg_type == RTM_NEWLINK ? sizeof(struct ifinfomsg) : h->nlmsg_type == RTM_NEWADDR ? 8 : sizeof(struct rtmsg);
  const unsigned char *body = NLMSG_DATA(h);
  printf("    type %d:", h->nlmsg_type);
  if (h->nlmsg_type == RTM_NEWLINK) {
    const struct ifinfomsg *l = NLMSG_DATA(h);
    printf(" %d, flags %#x;", l->ifi_index, l->ifi_flags);
  } else if (h->nlmsg_type == RTM_NEWROUTE) printf(" family %d /%d table %d scope %d type %d;", body[0], body[1], body[4], body[6], body[7]);
  const struct rtattr *a = (const void *)(body + head);
  int left = h->nlmsg_len - NLMSG_LENGTH(head);
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    int size = RTA_PAYLOAD(a);
    if (h->nlmsg_type == RTM_NEWLINK && a->rta_type == IFLA_IFNAME) printf(" name %s", (char *)RTA_DATA(a));
    else if (h->nlmsg_type == RTM_NEWLINK && a->rta_type == IFLA_MTU) printf(" mtu %u", *(unsigned *)RTA_DATA(a));
    else if (h->nlmsg_type == RTM_NEWLINK && a->rta_type == IFLA_OPERSTATE) printf(" state %u", *(unsigned char *)RTA_DATA(a));
    else if (h->nlmsg_type == RTM_NEWROUTE && a->rta_type == RTA_OIF) printf(" by %u", *(unsigned *)RTA_DATA(a));
    else if (h->nlmsg_type == RTM_NEWROUTE && (size == 4 || size == 16) && a->rta_type != RTA_TABLE && a->rta_type != RTA_UID)
      printf(" %d=%s", a->rta_type, inet_ntop(size == 4 ? AF_INET : AF_INET6, RTA_DATA(a), host, sizeof host));
  }
  printf("%s\n", left ? " and more" : "");
}

/* Sends a request, and shows all that comes until there is nothing more. */
static void ask(const char *what, int fd, struct request *r) {
  static char buffer[16384];
  struct sockaddr_nl to = {AF_NETLINK}, from = {0}, own;
  socklen_t size = sizeof own;
  printf("  %s: %s\n", what, why(sendto(fd, r, r->header.nlmsg_len, 0, (void *)&to, sizeof to)));
  getsockname(fd, (void *)&own, &size);
  for (;;) {
    struct iovec part = {buffer, 0};
    struct msghdr m = {&from, sizeof from, &part, 1};
    long whole = recvmsg(fd, &m, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (whole < 0) break;
    int cut = (m.msg_flags & MSG_TRUNC) != 0;
    part.iov_len = sizeof buffer;
    m.msg_namelen = sizeof from;
    long count = recvmsg(fd, &m, 0);
    if (count != whole || !cut || from.nl_pid != 0 || m.msg_namelen != sizeof from || from.nl_family != AF_NETLINK) puts("    odd");
    const struct nlmsghdr *h = (void *)buffer;
    for (; NLMSG_OK(h, count); h = NLMSG_NEXT(h, count)) {
      if (h->nlmsg_pid != own.nl_pid || h->nlmsg_seq != r->header.nlmsg_seq) puts("    not ours");
      int multi = h->nlmsg_flags & NLM_F_MULTI;
      if (h->nlmsg_type == NLMSG_DONE) printf("    done%s\n", multi ? "" : ", not multi");
      else if (h->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = NLMSG_DATA(h);
        printf("    error %s about %d, %u bytes more\n", e->error ? nameOf(-e->error) : "0", e->msg.nlmsg_type,
               (unsigned)(h->nlmsg_len - NLMSG_LENGTH(sizeof *e)));
      } else show(h);
    }
  }
}

static void askRoute(const char *what, int fd, const char *to) {
  struct request r = make(RTM_GETROUTE, 0, sizeof r.route);
  r.route.rtm_family = AF_INET;
  r.route.rtm_dst_len = 32;
  add(&r, RTA_DST, to, 4);
  ask(what, fd, &r);
}

static void requests(int fd) {
  struct request r = make(RTM_GETLINK, NLM_F_DUMP, 1);
  ask("links", fd, &r);
  r = make(RTM_GETLINK, NLM_F_ACK, sizeof r.link);
  r.link.ifi_index = 1;
  ask("link 1, with an acknowledgement", fd, &r);
  r = make(RTM_GETLINK, 0, sizeof r.link);
  add(&r, IFLA_IFNAME, "lo", 3);
  ask("link lo", fd, &r);
  r.link.ifi_index = 77;
  ask("link 77", fd, &r);
  r = make(RTM_GETLINK, 0, sizeof r.link);
  ask("no link", fd, &r);
  r = make(RTM_GETROUTE, NLM_F_DUMP, sizeof r.route);
  ask("routes", fd, &r);
  askRoute("route to 127.0.0.5", fd, "\x7f\0\0\5");
  askRoute("route to 192.0.2.1", fd, "\xc0\0\2\1");
  r = make(RTM_GETNEIGH, NLM_F_DUMP, 1);
  ask("neighbours", fd, &r);
  r = make(NLMSG_NOOP, NLM_F_ACK, 0);
  ask("nothing", fd, &r);
  r = make(1000, 0, 4);
  ask("what there is not", fd, &r);
  r = make(RTM_NEWLINK, NLM_F_ACK, sizeof r.link);
  r.link.ifi_index = 1;
  ask("a change", fd, &r);
  int on = 1;
  TELL(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on));
  ask("a change, with a short answer", fd, &r);
  r.header.nlmsg_flags = 0;
  ask("no request", fd, &r);
  r.header.nlmsg_len = 8;
  printf("  too short: %s\n", why(send(fd, &r, 8, 0)));
}

static void sockets(void) {
  puts("sockets");
  TELL(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
  TELL(socket(AF_NETLINK, SOCK_RAW, 31));
  TELL(socket(AF_NETLINK, SOCK_RAW, 32));
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), other = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE), pair[2];
  struct sockaddr_nl own = {AF_NETLINK}, name;
  socklen_t size = sizeof name;
  TELL(bind(fd, (void *)&own, 8));
  TELL(bind(fd, (void *)&own, sizeof own));
  TELL(bind(other, (void *)&own, sizeof own));
  getsockname(fd, (void *)&name, &size);
  printf("  %u bytes, family %d, %s\n", size, name.nl_family, name.nl_pid == getpid() ? "the process's number" : "another number");
  TELL(bind(fd, (void *)&name, sizeof name));
  getsockname(other, (void *)&own, &size);
  printf("  %s\n", own.nl_pid != 0 && own.nl_pid != name.nl_pid ? "another one for the other" : "not told apart");
  own.nl_pid = name.nl_pid;
  TELL(bind(other, (void *)&own, sizeof own));
  close(other);
  other = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  TELL(bind(other, (void *)&own, sizeof own));
  for (int n = 0; n < 2; n++) {
    int type, domain, buffer = 65536;
    size = sizeof type;
    getsockopt(n ? other : fd, SOL_SOCKET, SO_TYPE, &type, &size);
    getsockopt(n ? other : fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    printf("  type %s, domain %d\n", type == SOCK_RAW ? "raw" : type == SOCK_DGRAM ? "datagram" : "?", domain);
    TELL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer));
  }
  int group = RTNLGRP_LINK, groups = 0;
  TELL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
  getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, &groups, &size);
  printf("  groups %#x\n", groups);
  TELL(listen(fd, 1));
  TELL(shutdown(fd, SHUT_RD));
  TELL(socketpair(AF_NETLINK, SOCK_RAW, 0, pair));
  struct pollfd p = {fd, POLLIN | POLLOUT};
  poll(&p, 1, 0);
  printf("  ready:%s%s\n", p.revents & POLLIN ? " in" : "", p.revents & POLLOUT ? " out" : "");
  struct request r = make(RTM_GETADDR, NLM_F_DUMP, 1);
  TELL(send(fd, &r, r.header.nlmsg_len, 0));
  poll(&p, 1, 0);
  printf("  ready:%s%s\n", p.revents & POLLIN ? " in" : "", p.revents & POLLOUT ? " out" : "");
  char few[20];
  printf("  20 bytes of it: %zd, then the end of the dump: %zd\n", recv(fd, few, sizeof few, 0), recv(fd, few, sizeof few, 0));
  TELL(recv(fd, few, sizeof few, MSG_DONTWAIT));
  /* more answers than a socket holds */
  r = make(RTM_GETROUTE, NLM_F_DUMP, 1);
  int sent = 0;
  while (sent < 4000 && send(fd, &r, r.header.nlmsg_len, 0) > 0) sent++;
  poll(&p, 1, 0);
  printf("  %d requests, then ready:%s%s\n", sent, p.revents & POLLIN ? " in" : "", p.revents & POLLERR ? " err" : "");
  TELL(recv(fd, few, sizeof few, MSG_DONTWAIT));
  TELL(recv(fd, few, sizeof few, MSG_DONTWAIT));
  close(other);
  close(fd);
}

static sem_t told;
static int value_told;
static void tell(union sigval value) {
  value_told = value.sival_int;
  sem_post(&told);
}

static void threads(void) {
  puts("mq_notify");
  struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 8};
  mqd_t queue = mq_open("/netlink-test", O_RDWR | O_CREAT, 0600, &a);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 42};
  sem_init(&told, 0, 0);
  TELL(mq_notify(queue, &event));
  TELL(mq_notify(queue, &event));
  TELL(mq_notify(queue, 0));
  TELL(mq_notify(queue, &event));
  TELL(mq_send(queue, "message", 8, 1));
  sem_wait(&told);
  printf("  told %d\n", value_told);
  mq_unlink("/netlink-test");
}

int main(int count, char **arguments) {
  setvbuf(stdout, 0, _IONBF, 0);
  interfaces();
  if (count > 1) {
    askRoute("route to 192.0.2.1", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "\xc0\0\2\1");
    return 0;
  }
  sockets();
  puts("requests");
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct sockaddr_nl kernel = {AF_NETLINK};
  TELL(connect(fd, (void *)&kernel, sizeof kernel));
  requests(fd);
  threads();
  return 0;
}
