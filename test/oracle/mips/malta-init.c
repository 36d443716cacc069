/*
 * First process of a Malta whose RAM disk holds the runner and its records: runs them as Linux treats unaligned accesses, and
 * again after sysmips(MIPS_FIXADE, 0), both twice. It shows the outcomes on the console in hexadecimal, without those that differ the
 * second time: an interrupt came while the runner used $k0 or $k1. Then it restarts the machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

/* a record of the runner's, and the registers that it keeps for itself there */
enum { SIZE = 584, SAVED = 400, SAVED_END = 448 };

static int run(char *argument, const char *outcomes) {
  int in = open("/records", O_RDONLY), out = open(outcomes, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fork() == 0) {
    dup2(in, 0);
    dup2(out, 1);
    execl("/runner", "runner", argument, (char *)0);
    _exit(127);
  }
  wait(0);
  close(in);
  lseek(out, 0, SEEK_SET);
  return out;
}

static void both(char *argument) {
  int first = run(argument, "/first"), second = run(argument, "/second");
  unsigned char a[SIZE], b[SIZE];
  printf("\n<%s>\n", argument ? "refused" : "fixed");
  while (read(first, a, SIZE) == SIZE && read(second, b, SIZE) == SIZE) {
    if (memcmp(a, b, SAVED) == 0 && memcmp(a + SAVED_END, b + SAVED_END, SIZE - SAVED_END) == 0)
      for (int i = 0; i < SIZE; i++) printf("%02x", a[i]);
    else
      printf("lost");
    putchar('\n');
  }
  printf("<end>\n");
  fflush(stdout);
  close(first);
  close(second);
}

int main(void) {
  both(0);
  both("refuse");
  sleep(1);
  reboot(RB_AUTOBOOT);
  return 0;
}
