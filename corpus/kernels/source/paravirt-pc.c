/* paravirt.c on a pc. */
#include "../wasmvisor.h"
#include "paravirt.h"

u8 in8(u32 port) {
  u8 value;
  __asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
void out8(u32 port, u8 value) { __asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port)); }
static void out32(u32 port, u32 value) { __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port)); }
static u32 in32(u32 port) {
  u32 value;
  __asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
u32 pci_read(u32 slot, u32 offset) {
  out32(0xcf8, 0x80000000 | slot << 11 | (offset & 0xfc));
  return in32(0xcfc);
}
void pci_write(u32 slot, u32 offset, u32 value) {
  out32(0xcf8, 0x80000000 | slot << 11 | (offset & 0xfc));
  out32(0xcfc, value);
}
volatile u8 *device_memory(u32 physical) { return (volatile u8 *)physical; }
u32 physical(const volatile void *address) { return (u32)address; }

static u64 time_stamp(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (u64)high << 32 | low;
}
/* the counter counts nanoseconds */
u32 nanoseconds(void) { return (u32)time_stamp(); }
void idle(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

static void cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d) { __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "0"(leaf)); }

/* Further interfaces lie every 0x100 leaves. */
u32 discover(void) {
  u32 a, b, c, d;
  cpuid(1, &a, &b, &c, &d);
  if (!(c >> 31)) return 0;
  for (u32 leaf = 0x40000000; leaf < 0x40010000; leaf += 0x100) {
    cpuid(leaf, &a, &b, &c, &d);
    if (b != WV_SIGNATURE_EBX || c != WV_SIGNATURE_ECX || d != WV_SIGNATURE_EDX) continue;
    cpuid(leaf + 1, &a, &b, &c, &d);
    return a;
  }
  return 0;
}

static void wrmsr(u32 msr, u32 value) { __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0) : "memory"); }

/* What KVM's guests find (Linux, Documentation/virt/kvm/x86). */
static volatile struct {
  u32 version, padding;
  u64 tsc, system_time;
  u32 multiplier;
  signed char shift;
  u8 flags, more[2];
} kvm_clock __attribute__((aligned(64)));

static u64 kvm_time(u64 tsc) {
  u64 ticks = tsc - kvm_clock.tsc;
  ticks = kvm_clock.shift < 0 ? ticks >> -kvm_clock.shift : ticks << kvm_clock.shift;
  return ((u64)(u32)ticks * kvm_clock.multiplier >> 32) + (u64)(u32)(ticks >> 32) * kvm_clock.multiplier + kvm_clock.system_time;
}

void machine_checks(void) {
  u32 a, b, c, d;
  cpuid(0x40000000, &a, &b, &c, &d);
  check("KVM's signature", b == 0x4b4d564b && c == 0x564b4d56 && d == 0x4d, b);
  cpuid(0x40000001, &a, &b, &c, &d);
  check("KVM's clock is announced, and stable", (a & 0x01000008) == 0x01000008, a);
  wrmsr(0x4b564d01, physical(&kvm_clock) | 1);
  check("KVM's clock is there", kvm_clock.version && !(kvm_clock.version & 1) && kvm_clock.flags == 1, kvm_clock.version);
  u64 before = time_stamp();
  u64 then = kvm_time(before);
  wrmsr(0x4b564d01, physical(&kvm_clock) | 1);
  u64 now = kvm_time(time_stamp());
  check("KVM's clock goes on where it was", now >= then && now - then < 1000000000, (u32)(now - then));
  check("KVM has no such call", wv_call(77, 0, 0, 0, 0) == -1000, 0);
}

__attribute__((noreturn)) void finish(u32 failures) {
  out8(0xf4, (u8)failures);
  for (;;) __asm__ volatile("hlt");
}

/* Interrupts: a gate for each of 16 vectors. */

extern u8 stubs[];
static u32 gates[0x30][2];
static const u64 segments[] = {0, 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull};
static struct { u16 limit; u32 base; } __attribute__((packed)) table;

void main(const char *line);
void start(u32 magic, const u32 *information) {
  table.limit = sizeof segments - 1;
  table.base = (u32)segments;
  __asm__ volatile("lgdt %0; ljmp $0x10, $1f; 1: mov %1, %%ds; mov %1, %%es; mov %1, %%ss" : : "m"(table), "r"(0x18) : "memory");
  for (u32 i = 0; i < 16; i++) {
    u32 at = (u32)stubs + 8 * i;
    gates[0x20 + i][0] = 0x100000 | (at & 0xffff);
    gates[0x20 + i][1] = (at & 0xffff0000) | 0x8e00;
  }
  table.limit = sizeof gates - 1;
  table.base = (u32)gates;
  __asm__ volatile("lidt %0" : : "m"(table));
  /* the multiboot specification's 3.3 */
  main(magic == 0x2badb002 && information[0] & 4 ? (const char *)information[4] : 0);
}
