/* Integer matrix product, 96 × 96, `size` times. */
#include "guest.h"

PROGRAM("matrix", 100);

enum { N = 96 };
static u32 a[N][N], b[N][N], c[N][N];

u32 run(u32 size) {
  u32 state = 1, checksum = 0;
  for (u32 i = 0; i < N; i++)
    for (u32 j = 0; j < N; j++) {
      a[i][j] = next_random(&state) >> 16;
      b[i][j] = next_random(&state) >> 16;
    }
  while (size-- > 0) {
    for (u32 i = 0; i < N; i++)
      for (u32 j = 0; j < N; j++) {
        u32 sum = 0;
        for (u32 k = 0; k < N; k++) sum += a[i][k] * b[k][j];
        c[i][j] = sum;
      }
    for (u32 i = 0; i < N; i++)
      for (u32 j = 0; j < N; j++) {
        checksum = checksum * 31 + c[i][j];
        a[i][j] = c[i][j] >> 16;
      }
  }
  return checksum;
}
