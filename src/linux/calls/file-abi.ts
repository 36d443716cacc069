import type { GuestMemory } from '../../vcpu/guest-memory.ts';
import type { FileStatus, OpenFlags } from '../abi.ts';
import type { FileSystemStatistics } from '../fs/vfs.ts';
import type { AsynchronousCommand } from './asynchronous.ts';

export type IoctlName =
  | 'TCGETS'
  | 'TCSETS'
  | 'TCSETSW'
  | 'TCSETSF'
  | 'TCGETS2'
  | 'TCSETS2'
  | 'TCSETSW2'
  | 'TCSETSF2'
  | 'TIOCGWINSZ'
  | 'TIOCSWINSZ'
  | 'TIOCGPGRP'
  | 'TIOCSPGRP'
  | 'TIOCGSID'
  | 'TIOCSCTTY'
  | 'TIOCNOTTY'
  | 'TIOCOUTQ'
  | 'TIOCEXCL'
  | 'TIOCNXCL'
  | 'TCSBRK'
  | 'TCSBRKP'
  | 'TCXONC'
  | 'TCFLSH'
  | 'TIOCGPTN'
  | 'TIOCSPTLCK'
  | 'TIOCGPTLCK'
  | 'TIOCGPTPEER'
  | 'FIONREAD'
  | 'FIONBIO'
  | 'FIOASYNC'
  | 'FIOCLEX'
  | 'FIONCLEX';

export type FcntlName =
  | 'F_DUPFD'
  | 'F_GETFD'
  | 'F_SETFD'
  | 'F_GETFL'
  | 'F_SETFL'
  | 'F_GETLK'
  | 'F_SETLK'
  | 'F_SETLKW'
  | 'F_GETLK64'
  | 'F_SETLK64'
  | 'F_SETLKW64'
  | 'F_SETLEASE'
  | 'F_GETLEASE'
  | 'F_DUPFD_CLOEXEC'
  | 'F_SETPIPE_SZ'
  | 'F_GETPIPE_SZ'
  | 'F_ADD_SEALS'
  | 'F_GET_SEALS'
  | 'F_OFD_GETLK'
  | 'F_OFD_SETLK'
  | 'F_OFD_SETLKW'
  | AsynchronousCommand;

/** struct termios as the kernel has it. */
export interface TermiosLayout {
  readonly size: number;
  /** Where struct termios2 has c_ispeed and c_ospeed. */
  readonly speeds: number;
  /** What a new terminal is set to: c_iflag, c_oflag, c_cflag, c_lflag. */
  readonly flags: readonly [number, number, number, number];
  /** c_cc, which is at byte 17. */
  readonly characters: readonly number[];
  /** VEOF; the indexes that are not here are the same in all ABIs. */
  readonly endOfFile: number;
  /** VMIN */
  readonly minimum: number;
}

/** Offsets in struct flock, or flock64, which begin with l_type and l_whence. */
export interface LockLayout {
  /** Of 64 bits, start and length. */
  readonly isWide: boolean;
  readonly start: number;
  readonly length: number;
  readonly pid: number;
}

/** What struct statfs tells besides FileSystemStatistics. */
export interface FileSystemStatus extends FileSystemStatistics {
  readonly device: number;
  readonly readOnly: boolean;
}

interface HasMemory {
  readonly memory: GuestMemory;
}

/** The part of an ABI that concerns files: numbers and layouts. The writers throw EOVERFLOW where a value does not fit. */
export interface FileAbi {
  readonly open: OpenFlags;
  readonly ioctl: ReadonlyMap<number, IoctlName>;
  readonly fcntl: ReadonlyMap<number, FcntlName>;
  readonly termios: TermiosLayout;
  readonly locks: { readonly narrow: LockLayout; readonly wide: LockLayout };
  /** Offset of `data` in struct epoll_event. */
  readonly epollData: number;
  writeStat(p: HasMemory, address: number, status: FileStatus): void;
  writeStat64(p: HasMemory, address: number, status: FileStatus): void;
  writeStatfs(p: HasMemory, address: number, status: FileSystemStatus): void;
  writeStatfs64(p: HasMemory, address: number, status: FileSystemStatus): void;
}

/** Turns a table by name into one by number. */
export function byNumber<Name extends string>(numbers: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  const map = new Map<number, Name>();
  for (const name of Object.keys(numbers) as Name[]) map.set(numbers[name], name);
  return map;
}

export const SECOND = 1_000_000_000n;

/** Seconds (low 32 bits, as time_t of these ABIs) and nanoseconds of a time. */
export function seconds(time: bigint): number {
  return Number(BigInt.asUintN(32, time >= 0n ? time / SECOND : -((-time + SECOND - 1n) / SECOND)));
}
export function nanoseconds(time: bigint): number {
  return Number(((time % SECOND) + SECOND) % SECOND);
}
