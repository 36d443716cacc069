/* The shortest program that shows it ran: used to measure start-up. */
#include "guest.h"

PROGRAM("hello", 1);

u32 run(u32 size) {
  while (size-- > 0) print("Hello from a guest! ");
  return 0x68656c6c;
}
