/* Uses much of glibc in one process; built static for each ISA and compared with qemu-user. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int by_value(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}

static int sum_of(int count, ...) {
  va_list list;
  va_start(list, count);
  int sum = 0;
  while (count-- > 0) sum += va_arg(list, int);
  va_end(list);
  return sum;
}

static jmp_buf jump;
static void leap(int depth) {
  if (depth == 0) longjmp(jump, 7);
  leap(depth - 1);
}

static volatile sig_atomic_t seen;
static void handler(int number) { seen = number; }

static void fault_handler(int number, siginfo_t *info, void *context) {
  (void)context;
  printf("signal %d at %p\n", number == SIGSEGV, info->si_addr);
  fflush(stdout);
  longjmp(jump, 9);
}

int main(int argc, char **argv) {
  printf("argc %d, last %s, HOME %s\n", argc, argv[argc - 1], getenv("HOME"));
  printf("%d %u %ld %lld %x %o %c %s %p|%-10s|%10.3s|%+d|%05d\n", -1, 4000000000u, -2L, 1LL << 60, 255, 8, 'c', "str", (void *)0x1234, "left", "right", 5, 42);
  printf("%f %e %g %a %.15g %Lf %.0f\n", 3.14159, 1e-10, 1e100, 1.0, 0.1, (long double)2.5, 0.5);
  printf("%" PRIu64 " %" PRId64 " %" PRIx64 "\n", UINT64_MAX, INT64_MIN, UINT64_C(0xdeadbeefcafe));

  int values[100];
  for (int i = 0; i < 100; i++) values[i] = (i * 7919) % 101;
  qsort(values, 100, sizeof *values, by_value);
  int key = 50;
  int *found = bsearch(&key, values, 100, sizeof *values, by_value);
  printf("sorted %d %d %d, found %d\n", values[0], values[50], values[99], found ? *found : -1);

  char text[200];
  strcpy(text, "The quick brown fox");
  strcat(text, " jumps over the lazy dog");
  printf("%zu %s %s %d %s\n", strlen(text), strchr(text, 'q'), strstr(text, "fox"), strcmp("abc", "abd") < 0, strrchr(text, ' '));
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) printf("%c", toupper((unsigned char)word[0]));
  printf(" %ld %lu %g %d\n", strtol("-0x7f", NULL, 16), strtoul("4294967295", NULL, 10), strtod("2.5e3xyz", NULL), atoi("  12ab"));

  int a, c;
  double b;
  char word[20];
  c = sscanf("12 3.5 word rest", "%d %lf %19s", &a, &b, word);
  printf("scanned %d: %d %g %s\n", c, a, b, word);

  unsigned long long product = 1;
  for (int i = 1; i <= 20; i++) product *= (unsigned)i;
  printf("20! = %llu, /%u = %llu, %% = %llu, >> %llu\n", product, 1234567u, product / 1234567u, product % 1234567u, product >> 13);
  printf("%.10f %.10f %.10f %.10f %.10f\n", sin(1.0), pow(2.0, 0.5), exp(1.5), log(10.0), atan2(1.0, -2.0));
  printf("%g %g %g %g %d %d\n", floor(-2.5), fmod(10.5, 3), hypot(3, 4), round(2.5), isnan(NAN), isinf(INFINITY));
  printf("%d %d %d %d\n", (int)3.99, (int)-3.99, (int)(unsigned char)300.0f, (int)1e9f);
  float f = 1.0f / 3;
  printf("%.9g %.9g %d\n", f, f * f, f < 0.3333333432674408);

  char **blocks = calloc(1000, sizeof *blocks);
  size_t total = 0;
  for (int i = 0; i < 1000; i++) {
    blocks[i] = malloc((size_t)(i * 37 % 5000) + 1);
    memset(blocks[i], i, (size_t)(i * 37 % 5000) + 1);
  }
  for (int i = 0; i < 1000; i += 2) blocks[i] = realloc(blocks[i], 10000);
  for (int i = 0; i < 1000; i++) {
    total += (unsigned char)blocks[i][0];
    free(blocks[i]);
  }
  free(blocks);
  char *big = malloc(50 << 20);
  big[0] = 1;
  big[(50 << 20) - 1] = 2;
  printf("heap %zu %d\n", total, big[0] + big[(50 << 20) - 1]);
  free(big);

  printf("varargs %d\n", sum_of(6, 1, 2, 3, 4, 5, 6));
  int code = setjmp(jump);
  if (code == 0) leap(50);
  printf("jumped %d\n", code);

  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  printf("signal %d\n", seen == SIGUSR1);

  FILE *file = fopen("made.txt", "w+");
  if (!file) {
    perror("made.txt");
    return 1;
  }
  for (int i = 0; i < 100; i++) fprintf(file, "%d %d\n", i, i * i);
  fseek(file, 0, SEEK_SET);
  int sum = 0, x, y;
  while (fscanf(file, "%d %d", &x, &y) == 2) sum += y;
  printf("file %d %ld\n", sum, ftell(file));
  fclose(file);
  struct stat status;
  int result = stat("made.txt", &status);
  printf("stat %d %ld %o\n", result, (long)status.st_size, (unsigned)status.st_mode & 0170000);
  int fd = open("made.txt", O_RDONLY);
  char *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  printf("mapped %.7s\n", mapped);
  munmap(mapped, 4096);
  close(fd);
  result = unlink("made.txt");
  fd = open("made.txt", O_RDONLY);
  printf("unlink %d, then %d %s\n", result, fd, strerror(errno));

  time_t when = 1600000000;
  struct tm *tm = gmtime(&when);
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %A %j", tm);
  printf("%s %ld\n", text, (long)timegm(tm));
  srand(42);
  int first = rand() % 1000;
  printf("rand %d %d\n", first, rand() % 1000);

  int divisor = argc - 1;
  printf("%d %d %d\n", 100 / (divisor + 3), -100 % 7, (int)((unsigned)-100 / 7));

  fprintf(stderr, "to stderr\n");
  fflush(NULL);
  if (argc > 1 && strcmp(argv[1], "catch") == 0) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = fault_handler;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, NULL);
    int level = setjmp(jump);
    if (level == 0) *(volatile int *)16 = 1;
    printf("caught %d\n", level);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    level = setjmp(jump);
    if (level == 0) {
      signal(SIGSEGV, SIG_DFL);
      sigaction(SIGSEGV, &action, NULL);
      printf("%d\n", mprotect(page, 4096, PROT_READ | PROT_WRITE));
      *(volatile char *)page = 1;
      printf("wrote\n");
    }
  }
  if (argc > 1 && strcmp(argv[1], "abort") == 0) abort();
  if (argc > 1 && strcmp(argv[1], "null") == 0) *(volatile int *)0 = 1;
  if (argc > 1 && strcmp(argv[1], "jump") == 0) ((void (*)(void))0x1230)();
  if (argc > 1 && strcmp(argv[1], "divide") == 0) {
    volatile int one = 100, zero = 0;
    return one / zero;
  }
  return 42;
}
