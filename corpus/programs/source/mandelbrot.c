/* Iterations over a `size` × `size` grid of the Mandelbrot set, 64 at most for a point. */
#include "guest.h"

PROGRAM("mandelbrot", 500);

u32 run(u32 size) {
  u32 sum = 0;
  for (u32 y = 0; y < size; y++) {
    double ci = 2.0 * (i32)y / (i32)size - 1.0;
    for (u32 x = 0; x < size; x++) {
      double cr = 2.0 * (i32)x / (i32)size - 1.5;
      double zr = 0, zi = 0;
      u32 n = 0;
      while (n < 64) {
        double r2 = zr * zr, i2 = zi * zi;
        if (r2 + i2 > 4.0) break;
        zi = 2 * zr * zi + ci;
        zr = r2 - i2 + cr;
        n++;
      }
      sum = sum * 31 + n;
    }
  }
  return sum;
}
