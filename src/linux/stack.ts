import { PAGE_SIZE } from '../isa/code.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';
import { Errno } from './errno.ts';
import { encodeName } from './fs/names.ts';
import { SyscallError } from './syscall.ts';

/** Keys of the auxiliary vector (include/uapi/linux/auxvec.h); the same in all ABIs. */
export const enum At {
  Null = 0,
  Phdr = 3,
  Phent = 4,
  Phnum = 5,
  PageSize = 6,
  Base = 7,
  Flags = 8,
  Entry = 9,
  Uid = 11,
  Euid = 12,
  Gid = 13,
  Egid = 14,
  Platform = 15,
  HwCap = 16,
  ClockTick = 17,
  Secure = 23,
  Random = 25,
  HwCap2 = 26,
  ExecFn = 31,
}

/** MAX_ARG_STRLEN */
const MAX_STRING = 32 * PAGE_SIZE;

export interface StackContents {
  /** Exclusive top of the stack, page-aligned. */
  readonly top: number;
  /** Bytes that arguments and environment may take. */
  readonly limit: number;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Path of the executable as it was given. */
  readonly executable: string;
  readonly platform: string;
  /** 16 bytes for AT_RANDOM. */
  readonly random: Uint8Array;
  /** Key and value; those that point into the stack, and the end, are added here. */
  readonly auxiliary: readonly (readonly [At, number])[];
}

/**
 * Writes what a new program finds on its stack (the same in both ABIs): argc, argv, envp, the auxiliary vector, and above
 * them what these point to. Returns the stack pointer, a multiple of 16. E2BIG as execve.
 */
export function buildStack(memory: GuestMemory, contents: StackContents): number {
  let at = contents.top - 4;
  const lowest = contents.top - contents.limit;
  const put = (bytes: Uint8Array, align = 1): number => {
    at = Math.floor((at - bytes.length) / align) * align;
    if (at < lowest) throw new SyscallError(Errno.E2BIG);
    memory.poke(at, bytes);
    return at;
  };
  const string = (text: string): number => {
    const bytes = encodeName(text);
    if (bytes.length >= MAX_STRING) throw new SyscallError(Errno.E2BIG);
    const terminated = new Uint8Array(bytes.length + 1);
    terminated.set(bytes);
    return put(terminated);
  };
  // the last string is highest
  const strings = (texts: readonly string[]): number[] => [...texts].reverse().map(string).reverse();

  const executable = string(contents.executable);
  const env = strings(contents.env);
  const argv = strings(contents.argv);
  const platform = contents.platform === '' ? 0 : string(contents.platform);
  const random = put(contents.random, 16);
  const auxiliary = [
    ...contents.auxiliary,
    [At.Random, random],
    [At.ExecFn, executable],
    ...(platform ? [[At.Platform, platform]] : []),
    [At.Null, 0],
  ];

  const words = [argv.length, ...argv, 0, ...env, 0, ...auxiliary.flat()];
  at = Math.floor((at - words.length * 4) / 16) * 16;
  if (at < lowest) throw new SyscallError(Errno.E2BIG);
  words.forEach((word, index) => {
    memory.setU32(at + index * 4, word >>> 0);
  });
  return at;
}
