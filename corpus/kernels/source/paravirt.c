/*
 * A guest that knows its host: uses all of wasmvisor's para-virtual interface and checks what comes of it, a line for each rule on
 * the first serial port. With "bench" on its command line, it measures hypercalls against trapped devices that do the same.
 */
#include "../wasmvisor.h"
#include "paravirt.h"

enum { UART1 = 0x3f8, UART2 = 0x2f8, SECTOR = 512, EVENT_CHANNEL = 2 };

static u32 failures;
static volatile u32 events;
static u8 buffer[8 * SECTOR] __attribute__((aligned(4096)));
static u8 other[8 * SECTOR] __attribute__((aligned(4096)));

static u32 length(const char *text) {
  u32 n = 0;
  while (text[n]) n++;
  return n;
}
static void send(u32 uart, u8 byte) {
  while (!(in8(uart + 5) & 0x20)) {}
  out8(uart, byte);
}
static void print(const char *text) {
  while (*text) send(UART1, (u8)*text++);
}
static void print_number(u32 value) {
  char digits[11];
  int at = 10;
  digits[at] = 0;
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  print(digits + at);
}

void check(const char *rule, int holds, u32 found) {
  print(holds ? "ok " : "FAIL ");
  print(rule);
  if (!holds) {
    failures++;
    print(": ");
    print_number(found);
  }
  print("\n");
}

static int call(u32 number, u32 a, u32 b, u32 c, u32 d) { return wv_call(number, a, b, c, d); }
static void expect(const char *rule, int result, int expected) { check(rule, result == expected, (u32)result); }

void initialise_pic(void) {
  static const u8 words[2][4] = {{0x11, 0x20, 4, 1}, {0x11, 0x28, 2, 1}};
  for (u32 chip = 0; chip < 2; chip++) {
    u32 port = chip ? 0xa0 : 0x20;
    out8(port, words[chip][0]);
    for (u32 i = 1; i < 4; i++) out8(port + 1, words[chip][i]);
    out8(port + 1, chip ? 0xff : 0xfb);
  }
}
void unmask(u32 input) {
  u32 port = input < 8 ? 0x21 : 0xa1;
  out8(port, in8(port) & (u8) ~(1 << (input & 7)));
}
void end_of_interrupt(u32 input) {
  if (input >= 8) out8(0xa0, 0x20);
  out8(0x20, 0x20);
}

/* virtio-blk, as far as reading sectors needs it (virtio 1.1, 2.6, 4.1, 5.2). */

enum { QUEUE = 8, NEXT = 1, WRITE = 2 };
static struct { u32 address, high, length; u16 flags, next; } descriptors[QUEUE] __attribute__((aligned(16)));
static volatile struct { u16 flags, index, ring[QUEUE], event; } available __attribute__((aligned(16)));
static volatile struct { u16 flags, index; struct { u32 id, length; } ring[QUEUE]; u16 event; } used __attribute__((aligned(16)));
static struct { u32 type, reserved, sector, high; } request __attribute__((aligned(16)));
static volatile u8 status;
static volatile u8 *common, *isr, *notification;
static u32 virtio_input;

static u32 find_disk(void) {
  for (u32 slot = 0; slot < 32; slot++) if (pci_read(slot, 0) == 0x10421af4) return slot;
  return 0;
}
static void write16(volatile u8 *at, u32 value) { *(volatile u16 *)at = (u16)value; }
static void write32(volatile u8 *at, u32 value) { *(volatile u32 *)at = value; }

static int start_disk(void) {
  u32 slot = find_disk();
  if (!slot) return 0;
  volatile u8 *bar = device_memory(pci_read(slot, 0x10) & ~15u);
  pci_write(slot, 4, pci_read(slot, 4) | 6);
  /* vendor capabilities: type in byte 3, offset in the BAR at 8 */
  for (u32 at = pci_read(slot, 0x34) & 0xfc; at; at = (pci_read(slot, at) >> 8) & 0xfc) {
    if ((pci_read(slot, at) & 0xff) != 9) continue;
    u32 offset = pci_read(slot, at + 8);
    switch (pci_read(slot, at) >> 24) {
      case 1: common = bar + offset; break;
      case 2: notification = bar + offset; break;
      case 3: isr = bar + offset; break;
    }
  }
  common[20] = 0;
  common[20] = 1 | 2;
  write32(common + 8, 1);
  write32(common + 12, 1);
  common[20] = 1 | 2 | 8;
  if (!(common[20] & 8)) return 0;
  write16(common + 22, 0);
  write16(common + 24, QUEUE);
  const volatile void *parts[] = {descriptors, &available, &used};
  for (u32 i = 0; i < 3; i++) {
    write32(common + 32 + 8 * i, physical(parts[i]));
    write32(common + 36 + 8 * i, 0);
  }
  write16(common + 28, 1);
  common[20] = 1 | 2 | 8 | 4;
  virtio_input = pci_read(slot, 0x3c) & 0xff;
  unmask(virtio_input);
  return 1;
}
static void describe(u32 n, const volatile void *at, u32 bytes, u32 flags) {
  descriptors[n].address = physical(at);
  descriptors[n].length = bytes;
  descriptors[n].flags = (u16)flags;
  descriptors[n].next = (u16)(n + 1);
}
static int read_disk(u32 sector, u8 *into, u32 sectors) {
  request.sector = sector;
  status = 0xff;
  describe(0, &request, sizeof request, NEXT);
  describe(1, into, sectors * SECTOR, NEXT | WRITE);
  describe(2, &status, 1, WRITE);
  available.ring[available.index % QUEUE] = 0;
  u16 index = ++available.index;
  write16(notification, 0);
  while (used.index != index) idle();
  return status;
}

void interrupt(u32 input) {
  if (input == WV_EVENT_INTERRUPT) events |= (u32)call(WV_CALL_EVENT_TAKE, 0, 0, 0, 0);
  else if (input == virtio_input && isr) (void)*isr;
  end_of_interrupt(input);
}

/* The interface, call by call. */

enum { FAR_AWAY = 0xfffff000, SHARE = WV_CALL_USER, ADD = WV_CALL_USER + 1, SHOUT = WV_CALL_USER + 2, NOBODYS = WV_CALL_USER + 255 };

static int same(const u8 *bytes, const char *text) {
  for (; *text; bytes++, text++) if (*bytes != (u8)*text) return 0;
  return 1;
}

static void check_calls(void) {
  static const char hello[] = "hello from the guest\n";
  check("the machine announces the interface", discover() == WV_VERSION, discover());
  expect("version", call(WV_CALL_VERSION, 0, 0, 0, 0), WV_VERSION);
  expect("console write", call(WV_CALL_CONSOLE_WRITE, physical(hello), length(hello), 0, 0), (int)length(hello));
  expect("console read", call(WV_CALL_CONSOLE_READ, physical(buffer), 5, 0, 0), 5);
  check("what was typed", same(buffer, "typed"), buffer[0]);
  expect("nothing more was typed", call(WV_CALL_CONSOLE_READ, physical(buffer), 5, 0, 0), 0);
  expect("yield", call(WV_CALL_YIELD, 0, 0, 0, 0), 0);
  expect("a call of nobody's", call(NOBODYS, 0, 0, 0, 0), WV_ERROR_UNKNOWN);
  expect("a pointer to nowhere", call(WV_CALL_CONSOLE_WRITE, FAR_AWAY, 1, 0, 0), WV_ERROR_FAULT);

  u32 *info = (u32 *)buffer;
  expect("block information", call(WV_CALL_BLOCK_INFO, 0, physical(info), 0, 0), 0);
  check("its sectors", info[0] == 64 && info[1] == 0, info[0]);
  check("it may be written", info[2] == 0, info[2]);
  expect("there is no second disk", call(WV_CALL_BLOCK_INFO, 1, physical(info), 0, 0), WV_ERROR_INVALID);
  expect("block read", call(WV_CALL_BLOCK_READ, 0, 3, physical(buffer), 2), 2);
  check("what it read", buffer[0] == 3 && buffer[2 * SECTOR - 1] == 4, buffer[0]);
  for (u32 i = 0; i < SECTOR; i++) buffer[i] = (u8)(i * 7);
  expect("block write", call(WV_CALL_BLOCK_WRITE, 0, 5, physical(buffer), 1), 1);
  expect("block flush", call(WV_CALL_BLOCK_FLUSH, 0, 0, 0, 0), 0);
  expect("block read again", call(WV_CALL_BLOCK_READ, 0, 5, physical(other), 1), 1);
  u32 different = 0;
  for (u32 i = 0; i < SECTOR; i++) different += buffer[i] != other[i];
  check("what was written", different == 0, different);
  expect("beyond the disk's end", call(WV_CALL_BLOCK_READ, 0, 63, physical(buffer), 2), WV_ERROR_INVALID);
  expect("a sector to nowhere", call(WV_CALL_BLOCK_READ, 0, 0, FAR_AWAY, 1), WV_ERROR_FAULT);
  check("virtio-blk finds the same disk", start_disk(), 0);
  expect("virtio-blk read", read_disk(5, buffer, 1), 0);
  check("what virtio-blk read", buffer[1] == 7 && buffer[511] == (u8)(511 * 7), buffer[1]);

  static u8 shared[4096] __attribute__((aligned(4096))) = "shared memory";
  int handle = call(WV_CALL_GRANT, physical(shared), sizeof shared, 1, 0);
  check("grant", handle > 0, (u32)handle);
  expect("an event channel is enabled", call(WV_CALL_EVENT_ENABLE, 1 << EVENT_CHANNEL, 0, 0, 0), 0);
  unmask(WV_EVENT_INTERRUPT);
  expect("a call with the handle", call(SHARE, (u32)handle, 0, 0, 0), 0);
  expect("an event is sent", call(WV_CALL_EVENT_SEND, 1, 0, 0, 0), 0);
  while (!events) idle();
  check("the host's event interrupts", events == 1 << EVENT_CHANNEL, events);
  check("the host wrote to granted memory", same(shared, "SHARED MEMORY"), shared[0]);
  expect("revoke", call(WV_CALL_REVOKE, (u32)handle, 0, 0, 0), 0);
  expect("revoked is revoked", call(WV_CALL_REVOKE, (u32)handle, 0, 0, 0), WV_ERROR_INVALID);
  expect("no such channel", call(WV_CALL_EVENT_SEND, WV_CHANNELS, 0, 0, 0), WV_ERROR_INVALID);

  expect("a typed call", call(ADD, 40, (u32)-2, 0, 0), 38);
  static const char text[] = "quiet";
  expect("an asynchronous one", call(SHOUT, physical(text), 5, physical(buffer), 8), 5);
  check("what it gave", same(buffer, "QUIET"), buffer[0]);
  u32 calls[3][WV_BATCH_ENTRY / 4] = {{ADD, 1, 2, 0, 0, 0}, {SHOUT, physical(text), 5, physical(buffer), 2, 0}, {WV_CALL_VERSION, 0, 0, 0, 0, 0}};
  expect("a batch", call(WV_CALL_BATCH, physical(calls), 3, 0, 0), 3);
  check("its first result", calls[0][5] == 3, calls[0][5]);
  check("its failed one", (int)calls[1][5] == WV_ERROR_FAILED, calls[1][5]);
  check("its last", calls[2][5] == WV_VERSION, calls[2][5]);
}

/* Hypercalls against trapped devices. */

static void measured(const char *name, u32 count, u32 start) {
  u32 time = nanoseconds() - start;
  print("bench ");
  print_number(count);
  print(" ");
  print_number(time);
  print(" ");
  print(name);
  print("\n");
}
#define MEASURE(name, count, work) \
  do { \
    for (u32 i = 0; i < (count) / 2; i++) { work; } \
    u32 start = nanoseconds(); \
    for (u32 i = 0; i < (count); i++) { work; } \
    measured(name, count, start); \
  } while (0)

static void bench(void) {
  enum { BYTES = 64 };
  static u32 calls[BYTES][WV_BATCH_ENTRY / 4];
  for (u32 i = 0; i < BYTES; i++) {
    calls[i][0] = WV_CALL_CONSOLE_WRITE;
    calls[i][1] = physical(buffer + i);
    calls[i][2] = 1;
  }
  for (u32 i = 0; i < BYTES; i++) buffer[i] = 'x';
  MEASURE("1 byte: serial port, which is asked first", 200000, send(UART2, 'x'));
  MEASURE("1 byte: hypercall", 200000, call(WV_CALL_CONSOLE_WRITE, physical(buffer), 1, 0, 0));
  MEASURE("64 bytes: serial port", 10000, for (u32 k = 0; k < BYTES; k++) send(UART2, 'x'));
  MEASURE("64 bytes: one hypercall", 40000, call(WV_CALL_CONSOLE_WRITE, physical(buffer), BYTES, 0, 0));
  MEASURE("64 bytes: a batch of 64 calls", 10000, call(WV_CALL_BATCH, physical(calls), BYTES, 0, 0));
  start_disk();
  MEASURE("512 bytes: virtio-blk", 2000, read_disk(i & 31, buffer, 1));
  MEASURE("512 bytes: hypercall", 40000, call(WV_CALL_BLOCK_READ, 0, i & 31, physical(buffer), 1));
  MEASURE("4096 bytes: virtio-blk", 2000, read_disk(i & 31, buffer, 8));
  MEASURE("4096 bytes: hypercall", 40000, call(WV_CALL_BLOCK_READ, 0, i & 31, physical(buffer), 8));
  MEASURE("nothing: hypercall", 200000, call(WV_CALL_VERSION, 0, 0, 0, 0));
}

static int has(const char *line, const char *word) {
  for (; *line; line++) if (same((const u8 *)line, word)) return 1;
  return 0;
}

void main(const char *line) {
  initialise_pic();
  if (line && has(line, "bench")) bench();
  else {
    check_calls();
    machine_checks();
    print(failures ? "rules do not hold\n" : "all rules hold\n");
  }
  finish(failures);
}
