// A Linux kernel on a Malta board, as YAMON starts it (YAMON User's Manual, "go"): argument count and vectors, environment, memory size.
import { HypercallAbi } from '../../../assembly/shared/hypercall.ts';
import type { PhysicalMemory } from '../physical-memory.ts';
import { cString } from './bytes.ts';
import { loadSegments, parseKernelElf } from './elf.ts';
import { BootError } from './error.ts';
import { type Entry, type KernelOptions, placeInitrd } from './linux-x86.ts';

const KSEG0 = 0x80000000;
const KSEG2 = 0xc0000000;
/** Where strings and vectors lie, below any kernel. */
const VECTORS = 0x2000;
const VECTORS_END = 0x10000;
const ALIGN = 0x10000;

/** Physical address of one in kseg0 or kseg1. */
function unmapped(address: number): number {
  if (address < KSEG0 || address >= KSEG2)
    throw new BootError(`the kernel is linked to 0x${address.toString(16)}, which is not in kseg0 or kseg1`);
  return address & 0x1fffffff;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export function loadLinuxMips(memory: PhysicalMemory, { kernel, initrd, commandLine, ram, seed }: KernelOptions): Entry {
  const elf = parseKernelElf(kernel);
  if (elf.machine === 'x86') throw new BootError('the kernel is for x86; a malta is MIPS');
  const little = elf.machine === 'mipsel';
  const end = loadSegments(memory, kernel, elf, ({ virtual }) => unmapped(virtual));
  let line = commandLine;
  if (initrd) {
    const at = placeInitrd(initrd, Math.ceil(end / ALIGN) * ALIGN, ram) & ~(ALIGN - 1);
    if (at < end)
      throw new BootError(`the initrd of ${initrd.length} bytes does not fit into memory beside the kernel; give the machine more`);
    memory.write(at, initrd);
    line = `rd_start=0x${(KSEG0 + at).toString(16)} rd_size=${initrd.length} ${commandLine}`;
  }
  const argv = ['kernel', line];
  const environment = [
    ['memsize', String(ram)],
    ['ememsize', String(ram)],
    ['modetty0', '38400,n,8,1,hw'],
    ['modetty1', '38400,n,8,1,hw'],
    ['yamonrev', '02.22'],
    ['wasmvisor', String(HypercallAbi.VERSION)],
    ...(seed ? [['rngseed', hex(seed)]] : []),
  ];
  const words = argv.length + 1 + 2 * environment.length + 2;
  const vectors = new DataView(new ArrayBuffer(4 * words));
  let next = VECTORS + 4 * words;
  let word = 0;
  const put = (value: number): void => vectors.setUint32(4 * word++, value, little);
  const string = (text: string): number => {
    const bytes = cString(text);
    if (next + bytes.length > VECTORS_END) throw new BootError(`the command line has ${commandLine.length} bytes, too many`);
    memory.write(next, bytes);
    const at = KSEG0 + next;
    next = (next + bytes.length + 3) & ~3;
    return at;
  };
  for (const text of argv) put(string(text));
  put(0);
  const envp = KSEG0 + VECTORS + 4 * word;
  for (const [name, value] of environment) {
    put(string(name));
    put(string(value));
  }
  put(0);
  put(0);
  memory.write(VECTORS, new Uint8Array(vectors.buffer));
  return {
    pc: elf.entry,
    registers: { a0: argv.length, a1: KSEG0 + VECTORS, a2: envp, a3: ram, sp: KSEG0 + VECTORS - 64 },
  };
}
