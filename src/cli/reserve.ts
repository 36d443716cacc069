import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { I386_TOP, MIPS_TOP, memoryTop } from '../linux/address-space.ts';
import { makeMemory } from '../vcpu/guest-memory.ts';

/** By e_machine (EM_386, EM_MIPS), as its two bytes have it in either byte order. */
const TOPS: Readonly<Record<number, number>> = { 3: I386_TOP, 8: MIPS_TOP };

/**
 * The address space of the program that `run` will load, if it is easily told. V8 collects garbage when a memory of some GiB is
 * made: 8 ms while there is hardly anything, 20 when the command has been loaded.
 */
export function reserveMemory(argv: readonly string[]): WebAssembly.Memory | undefined {
  if (argv[2] !== 'run') return undefined;
  const root = argv.includes('--root') ? (argv[argv.indexOf('--root') + 1] ?? '') : '';
  for (const arg of argv.slice(3)) {
    const top = arg.startsWith('-') ? undefined : TOPS[machineOf(root === '' ? arg : join(root, arg))];
    try {
      if (top !== undefined) return makeMemory(memoryTop(top));
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** The machine that an ELF file is for; 0 if it is none. */
function machineOf(path: string): number {
  const header = new Uint8Array(20);
  try {
    // opening a pipe may wait, and reading takes what is meant for the guest
    if (!statSync(path).isFile()) return 0;
    const fd = openSync(path, 'r');
    try {
      readSync(fd, header);
    } finally {
      closeSync(fd);
    }
  } catch {
    return 0;
  }
  return header[0] === 0x7f && header[1] === 0x45 ? header[18] | header[19] : 0;
}
