const BASE = 0x10000000;
const CODE = BASE + 0x1000;
const BUFFER = BASE + 0x2000;
const le = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24];

/**
 * An i386 program that writes `functions` functions (0: without end) one after the other to 2^placesLog2 places in turn, each with another
 * constant, and has each loop 4,000 times, so that it is translated. Its exit code is the low byte of what the functions gave, added up.
 */
export function selfModifying(functions: number, placesLog2 = 14): Uint8Array<ArrayBuffer> {
  const write = [
    ...[0x89, 0xef], // mov edi, ebp
    ...[0x81, 0xe7, ...le((1 << placesLog2) - 1)], // and edi, …
    ...[0xc1, 0xe7, 6], // shl edi, 6
    ...[0x81, 0xc7, ...le(BUFFER)], // add edi, BUFFER
    ...[0xc6, 0x07, 0xb8, 0x89, 0x6f, 1], // the function: mov eax, ebp
    ...[0xc7, 0x47, 5, 0x01, 0xc8, 0x49, 0x75], // loop: add eax, ecx; dec ecx; jnz loop
    ...[0x66, 0xc7, 0x47, 9, 0xfb, 0xc3], // ret
    ...[0xb9, ...le(4000)], // mov ecx, 4000
    ...[0xff, 0xd7], // call edi
    ...[0x01, 0xc3], // add ebx, eax
    ...[0x45], // inc ebp
    ...[0x81, 0xfd, ...le(functions)], // cmp ebp, functions
  ];
  const code = [
    ...[0x31, 0xed, 0x31, 0xdb], // xor ebp, ebp; xor ebx, ebx
    ...write,
    ...[0x75, -(write.length + 2) & 255], // jne, to write
    ...[0xb8, ...le(1), 0xcd, 0x80], // exit(ebx)
  ];
  const elf = new Uint8Array(0x1000 + code.length);
  elf.set([
    ...[0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, ...le(1), ...le(CODE), ...le(52), ...le(0), ...le(0)],
    ...[52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    // one segment that can be read, written and executed
    ...[...le(1), ...le(0x1000), ...le(CODE), ...le(CODE), ...le(code.length), ...le(0x1000 + (64 << placesLog2)), ...le(7), ...le(0x1000)],
  ]);
  elf.set(code, 0x1000);
  return elf;
}

/** What it exits with: eax is n + 4000 + 3999 + … + 1 each time. */
export const selfModifyingResult = (functions: number): number =>
  (functions * ((4000 * 4001) / 2) + (functions * (functions - 1)) / 2) & 255;
