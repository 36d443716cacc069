/* Makes `size` words, sorts them by merging and joins them: byte loops, pointers, comparisons. */
#include "guest.h"

PROGRAM("strings", 100000);

enum { MOST = 100000, SPACE = MOST * 16 };
static char text[SPACE];
static const char *words[MOST], *merged[MOST];
static char joined[SPACE];

static i32 compare(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return (i32)(u8)*a - (i32)(u8)*b;
}

static void merge_sort(const char **from, const char **to, u32 count) {
  if (count < 2) return;
  u32 half = count / 2;
  merge_sort(from, to, half);
  merge_sort(from + half, to + half, count - half);
  u32 i = 0, j = half;
  for (u32 k = 0; k < count; k++) {
    if (j >= count || (i < half && compare(from[i], from[j]) <= 0)) to[k] = from[i++];
    else to[k] = from[j++];
  }
  for (u32 k = 0; k < count; k++) from[k] = to[k];
}

u32 run(u32 size) {
  u32 checksum = 0, rounds = 4;
  if (size > MOST) {
    rounds = size / (MOST / 4);
    size = MOST;
  }
  for (u32 round = 0; round < rounds; round++) {
    u32 state = round + 1;
    char *at = text;
    for (u32 i = 0; i < size; i++) {
      words[i] = at;
      u32 length = 3 + (next_random(&state) >> 28) % 12;
      for (u32 k = 0; k < length; k++) *at++ = "etaoinshrdlu"[(next_random(&state) >> 16) % 12];
      *at++ = 0;
    }
    merge_sort(words, merged, size);
    char *out = joined;
    for (u32 i = 0; i < size; i++) {
      for (const char *p = words[i]; *p; p++) *out++ = *p >= 'a' && *p <= 'z' && p == words[i] ? (char)(*p - 32) : *p;
      *out++ = ' ';
    }
    for (const char *p = joined; p < out; p++) checksum = (checksum ^ (u8)*p) * 16777619u;
  }
  return checksum;
}
