/** A multiboot kernel at 2 MiB that is this code: no stack, flat segments, interrupts off. */
export function kernel(...code: number[]): Uint8Array {
  const bytes = new Uint8Array(0x200);
  const data = new DataView(bytes.buffer);
  const flags = 0x10003;
  [0x1badb002, flags, -(0x1badb002 + flags) >>> 0, 0x200040, 0x200000, 0, 0x201000, 0x200060].forEach((word, i) => {
    data.setUint32(0x40 + 4 * i, word, true);
  });
  bytes.set(code, 0x60);
  return bytes;
}

/** The bytes of a 32-bit operand. */
export const little = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** mov dx, port; mov al, value; out dx, al */
export const out = (port: number, value: number): number[] => [0x66, 0xba, port & 0xff, port >>> 8, 0xb0, value, 0xee];

/** Sends A…Z over and over, with a delay. */
export const ALPHABET = kernel(
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41],
  ...[0xee, 0xfe, 0xc0, 0x3c, 0x5b, 0x75, 0x02, 0xb0, 0x41],
  ...[0xb9, 0x10, 0x27, 0, 0, 0x49, 0x75, 0xfd, 0xeb, 0xed],
);

/** An ELF kernel for a Malta that is these words, at 0x80100000. */
export function mipsKernel(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(84 + 4 * words.length);
  const data = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  data.setUint16(16, 2, true);
  data.setUint16(18, 8, true);
  data.setUint32(24, 0x80100000, true);
  data.setUint32(28, 52, true);
  data.setUint16(42, 32, true);
  data.setUint16(44, 1, true);
  [1, 84, 0x80100000, 0x80100000, 4 * words.length, 4 * words.length, 7, 4].forEach((word, i) => {
    data.setUint32(52 + 4 * i, word, true);
  });
  words.forEach((word, i) => {
    data.setUint32(84 + 4 * i, word, true);
  });
  return bytes;
}
