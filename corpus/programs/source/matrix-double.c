/* Matrix product in double precision, 96 × 96, `size` times. */
#include "guest.h"

PROGRAM("matrix-double", 30);

enum { N = 96 };
static double a[N][N], b[N][N], c[N][N];

u32 run(u32 size) {
  u32 state = 1;
  for (u32 i = 0; i < N; i++)
    for (u32 j = 0; j < N; j++) {
      a[i][j] = (double)(i32)(next_random(&state) >> 12) / 1048576.0;
      b[i][j] = (double)(i32)(next_random(&state) >> 12) / 1048576.0;
    }
  double trace = 0;
  while (size-- > 0) {
    for (u32 i = 0; i < N; i++)
      for (u32 j = 0; j < N; j++) {
        double sum = 0;
        for (u32 k = 0; k < N; k++) sum += a[i][k] * b[k][j];
        c[i][j] = sum / N;
      }
    for (u32 i = 0; i < N; i++) {
      trace += c[i][i];
      for (u32 j = 0; j < N; j++) a[i][j] = c[i][j] * 2;
    }
  }
  print_double(trace / N);
  print(" ");
  return (u32)(i32)(trace * 16);
}
