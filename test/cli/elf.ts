/** An i386 or MIPS executable of one segment at 0x400000 that holds `code` (after the headers) and some room behind it. */
export function makeElf(code: ArrayLike<number>, machine: 'x86' | 'mips' = 'x86'): Uint8Array {
  const HEADERS = 52 + 32;
  const file = new Uint8Array(HEADERS + code.length);
  const data = new DataView(file.buffer);
  const little = machine === 'x86';
  const base = 0x400000;
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, little ? 1 : 2, 1]);
  for (const [at, value] of [
    [16, 2],
    [18, little ? 3 : 8],
    [40, 52],
    [42, 32],
    [44, 1],
  ])
    data.setUint16(at, value, little);
  for (const [at, value] of [
    [20, 1],
    [24, base + HEADERS],
    [28, 52],
    [36, little ? 0 : 0x70001000],
    // the program header: PT_LOAD, read, write, execute
    [52, 1],
    [60, base],
    [64, base],
    [68, file.length],
    [72, file.length + 4096],
    [76, 7],
    [80, 4096],
  ])
    data.setUint32(at, value, little);
  file.set(Uint8Array.from(code), HEADERS);
  return file;
}

const imm32 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
const mov = (register: number, value: number): number[] => [0xb8 + register, ...imm32(value)];
const INT80 = [0xcd, 0x80];
const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;

/** i386 system call with up to three arguments. */
export const call = (number: number, ...args: number[]): number[] => [
  ...mov(EAX, number),
  ...args.flatMap((value, i) => mov([EBX, ECX, EDX][i], value)),
  ...INT80,
];
export const exit = (code: number): number[] => call(1, code);
/** `jmp .` */
export const FOREVER = [0xeb, 0xfe];
/** `ud2` */
export const ILLEGAL = [0x0f, 0x0b];
/** `mov dword [0], eax` */
export const NULL_STORE = [0xa3, 0, 0, 0, 0];
/** signal(SIGINT, SIG_IGN) */
export const IGNORE_SIGINT = call(48, 2, 1);
/** write(1, the `ELF` of the header, 3): what tells a test that it runs. */
export const SPEAK = call(4, 1, 0x400001, 3);
/** `push dword 0; call .-5` without end */
export const RECURSE = [0x6a, 0, 0xe8, ...imm32(-7)];
