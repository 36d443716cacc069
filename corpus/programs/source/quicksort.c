/* Quicksort of 100,000 random words, `size` times: unpredictable branches, swaps, recursion. */
#include "guest.h"

PROGRAM("quicksort", 20);

enum { COUNT = 100000 };
static u32 words[COUNT];

static void sort(u32 *from, u32 *to) {
  while (from < to) {
    u32 pivot = from[(to - from) / 2];
    u32 *low = from, *high = to;
    while (low <= high) {
      while (*low < pivot) low++;
      while (*high > pivot) high--;
      if (low <= high) {
        u32 swap = *low;
        *low++ = *high;
        *high-- = swap;
      }
    }
    if (high - from < to - low) {
      sort(from, high);
      from = low;
    } else {
      sort(low, to);
      to = high;
    }
  }
}

u32 run(u32 size) {
  u32 state = 1, checksum = 0;
  while (size-- > 0) {
    for (u32 i = 0; i < COUNT; i++) words[i] = next_random(&state);
    sort(words, words + COUNT - 1);
    for (u32 i = 0; i < COUNT; i++) {
      if (i > 0 && words[i - 1] > words[i]) return 0;
      checksum = checksum * 31 + words[i];
    }
  }
  return checksum;
}
