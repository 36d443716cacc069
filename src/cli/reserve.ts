import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { I386_TOP, MIPS_TOP, memoryTop } from '../linux/address-space.ts';
import { makeMemory } from '../vcpu/guest-memory.ts';

/** By e_machine (EM_386, EM_MIPS), as its two bytes have it in either byte order. */
const TOPS: Readonly<Record<number, number>> = { 3: I386_TOP, 8: MIPS_TOP };

/** Options of `run` that have no value. */
export const WITHOUT_VALUE: ReadonlySet<string> = new Set([
  '--interpret',
  '--translate',
  '--strict',
  '--strace',
  '--no-cache',
  '--stats',
  '--help',
  '-h',
]);

/** The host path of the program that a command line of `run` names, as the command will take it; undefined if there is none. */
export function programOf(args: readonly string[]): string | undefined {
  let root = '';
  for (let at = 0; at < args.length; at++) {
    const equals = args[at].startsWith('--') ? args[at].indexOf('=') : -1;
    const flag = equals < 0 ? args[at] : args[at].slice(0, equals);
    const isEnd = flag === '--';
    if (isEnd || !flag.startsWith('-')) {
      const program = isEnd ? args[at + 1] : args[at];
      return root === '' || program === undefined ? program : join(root, program);
    }
    const given = equals >= 0 ? args[at].slice(equals + 1) : WITHOUT_VALUE.has(flag) ? '' : args[++at];
    if (flag === '--root') root = given ?? '';
  }
  return undefined;
}

/**
 * The address space of the program that `run` will load, if it is easily told. V8 collects garbage when a memory of some GiB is
 * made: 8 ms while there is hardly anything, 20 when the command has been loaded.
 */
export function reserveMemory(argv: readonly string[]): WebAssembly.Memory | undefined {
  const program = argv[2] === 'run' ? programOf(argv.slice(3)) : undefined;
  const top = program === undefined ? undefined : TOPS[machineOf(program)];
  try {
    return top === undefined ? undefined : makeMemory(memoryTop(top));
  } catch {
    return undefined;
  }
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
