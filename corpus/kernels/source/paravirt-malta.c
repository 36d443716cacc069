/* paravirt.c on a Malta. */
#include "../wasmvisor.h"
#include "paravirt.h"

/* As YAMON leaves the board: PCI ports at 0x18000000, the GT-64120 at 0x1be00000, reset register at 0x1f000500. */
#define KSEG1 0xa0000000
enum { PORTS = 0x18000000, GT = 0x1be00000, GT_CONFIG = 0xcf8, GT_DATA = 0xcfc, GT_ACKNOWLEDGE = 0xc34, RESET = 0x1f000500 };

volatile u8 *device_memory(u32 physical) { return (volatile u8 *)(KSEG1 | physical); }
u32 physical(const volatile void *address) { return (u32)address & 0x1fffffff; }
u8 in8(u32 port) { return *device_memory(PORTS + port); }
void out8(u32 port, u8 value) { *device_memory(PORTS + port) = value; }
static volatile u32 *gt(u32 offset) { return (volatile u32 *)device_memory(GT + offset); }
u32 pci_read(u32 slot, u32 offset) {
  *gt(GT_CONFIG) = 0x80000000 | slot << 11 | (offset & 0xfc);
  return *gt(GT_DATA);
}
void pci_write(u32 slot, u32 offset, u32 value) {
  *gt(GT_CONFIG) = 0x80000000 | slot << 11 | (offset & 0xfc);
  *gt(GT_DATA) = value;
}
/* Count goes up every ten nanoseconds. */
u32 nanoseconds(void) {
  u32 count;
  __asm__ volatile("mfc0 %0, $9" : "=r"(count));
  return count * 10;
}
void machine_checks(void) {}

static const char *const *environment;
static int is(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}
u32 discover(void) {
  for (const char *const *at = environment; *at; at += 2) {
    if (!is(at[0], "wasmvisor")) continue;
    u32 value = 0;
    for (const char *digit = at[1]; *digit; digit++) value = value * 10 + (u32)(*digit - '0');
    return value;
  }
  return 0;
}

__attribute__((noreturn)) void finish(u32 failures) {
  (void)failures;
  *(volatile u32 *)device_memory(RESET) = 0x42;
  for (;;) {}
}

/* From the exception handler: hardware interrupt 0 is the south bridge's. */
void interrupted(void) { interrupt(*gt(GT_ACKNOWLEDGE) & 15); }

extern u32 vector[], vector_end[];
void main(const char *line);
void start(u32 count, const char *const *arguments, const char *const *variables) {
  environment = variables;
  u32 *to = (u32 *)0x80000180;
  for (const u32 *from = vector; from < vector_end; from++) *to++ = *from;
  __asm__ volatile("synci 0(%0); sync" : : "r"(0x80000180) : "memory");
  /* IM2, and no BEV */
  __asm__ volatile("mtc0 %0, $12; ehb" : : "r"(0x400));
  main(count > 1 ? arguments[1] : 0);
}
