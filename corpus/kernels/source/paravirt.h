/* What paravirt.c asks of the machine it runs on: platform-pc.c, platform-malta.c. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

/* Version of the interface that the machine announces, 0 if it does not. */
u32 discover(void);
u8 in8(u32 port);
void out8(u32 port, u8 value);
u32 pci_read(u32 slot, u32 offset);
void pci_write(u32 slot, u32 offset, u32 value);
/* Device memory at a physical address. */
volatile u8 *device_memory(u32 physical);
u32 physical(const volatile void *address);
/* Nanoseconds, wrapping. */
u32 nanoseconds(void);
/* Lets interrupts in until one has come. Before and after, they are held back. */
void idle(void);
void unmask(u32 input);
/* What only this machine has. */
void machine_checks(void);
__attribute__((noreturn)) void finish(u32 failures);

void check(const char *rule, int holds, u32 found);
/* An interrupt at this input of the interrupt controllers. */
void interrupt(u32 input);
void initialise_pic(void);
void end_of_interrupt(u32 input);
