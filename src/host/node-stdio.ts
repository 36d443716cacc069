import fs from 'node:fs';
import { Socket } from 'node:net';
import type { ReadStream, WriteStream } from 'node:tty';
import { isatty } from 'node:tty';
import type { Output, Stdin, TerminalHost } from '../linux/fs/stdio.ts';

/** Milliseconds between attempts to write to a pipe that is full. */
const RETRY_MS = 2;

/** Whether the terminal may be in raw mode. */
let changed = false;

function terminalHost(output: () => WriteStream): TerminalHost {
  return {
    columns: () => output().columns ?? 80,
    rows: () => output().rows ?? 24,
    setRaw(raw) {
      changed = true;
      if (process.stdin.isTTY) process.stdin.setRawMode(raw);
    },
    // The same way as a signal that the terminal raised itself.
    signal: (name) => void process.kill(process.pid, name),
  };
}

/** One object, so that the standard streams know that they are the same terminal. */
const terminal = terminalHost(() => (process.stdout.isTTY ? process.stdout : process.stderr) as WriteStream);

/** Numbers below this are devices that are memory (major number 1, as /dev/null), which is told without asking them. */
const FIRST_OTHER_DEVICE = 0x200;

const isTerminal = (fd: number, stats: fs.Stats): boolean =>
  stats.isCharacterDevice() && !(process.platform === 'linux' && stats.rdev < FIRST_OTHER_DEVICE) && isatty(fd);

/** Reads a file synchronously from where the descriptor stands. */
function fileStdin(fd: number): Stdin {
  return {
    read(max) {
      const bytes = new Uint8Array(max);
      const count = fs.readSync(fd, bytes, 0, max, null);
      return count === 0 ? null : bytes.subarray(0, count);
    },
  };
}

/** Reads a stream only while the guest waits for it; an unfinished read alone does not keep the process alive. */
export function streamStdin(stream: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'ref' | 'unref'>>, tty?: TerminalHost): Stdin {
  let ended = false;
  stream.once('end', () => {
    ended = true;
  });
  return {
    read() {
      if (ended) return null;
      return new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          stream.off('readable', look);
          stream.off('end', end);
          stream.off('error', failed);
          stream.unref?.();
          settle();
        };
        const look = () => {
          const chunk = stream.read() as Buffer | string | null;
          if (chunk === null) return;
          const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
          finish(() => resolve(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)));
        };
        const end = () => finish(() => resolve(null));
        const failed = (error: Error) => finish(() => reject(error));
        stream.ref?.();
        stream.on('readable', look);
        stream.on('end', end);
        stream.on('error', failed);
        look();
      });
    },
    ...(tty && { tty }),
  };
}

/** Standard input of this process: files and /dev/null are read at once, terminals and pipes as data arrives. */
export function nodeStdin(): Stdin {
  let stats: fs.Stats;
  try {
    stats = fs.fstatSync(0);
  } catch {
    // Closed.
    return { read: () => null };
  }
  if (isTerminal(0, stats)) return streamStdin(process.stdin, terminal);
  if (stats.isFile() || stats.isCharacterDevice()) return fileStdin(0);
  return streamStdin(process.stdin);
}

/** Sockets that do not block; they stay open as long as the process. */
const sockets: Socket[] = [];

/**
 * A descriptor for the same pipe that does not block, without changing the one that other processes share with us: while a
 * write blocks, no signal and no timer has its turn. A socket cannot be opened anew and is changed, by what Node does when it
 * takes one over. Anything else as it is.
 */
function withoutBlocking(fd: number): number {
  try {
    const stats = fs.fstatSync(fd);
    if (stats.isSocket()) sockets.push(new Socket({ fd, readable: false, writable: true }).on('error', () => undefined).unref());
    if (!stats.isFIFO()) return fd;
    return fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  } catch {
    // no /proc, or nobody reads: the write will tell
    return fd;
  }
}

/**
 * Writes to a descriptor of this process at once, so that nothing is left to be lost when it exits; only a full pipe
 * that must not block makes it wait.
 */
export function descriptorOutput(fd: number, tty?: TerminalHost): Output {
  let target: number | undefined;
  const tryWrite = (bytes: Uint8Array): number => {
    target ??= withoutBlocking(fd);
    try {
      return fs.writeSync(target, bytes, 0, bytes.length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  };
  const later = async (bytes: Uint8Array): Promise<number> => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      const count = tryWrite(bytes);
      if (count > 0) return count;
    }
  };
  return {
    write: (bytes) => (bytes.length === 0 ? 0 : tryWrite(bytes) || later(bytes)),
    ...(tty && { tty }),
  };
}

function standardOutput(fd: number): Output {
  try {
    return descriptorOutput(fd, isTerminal(fd, fs.fstatSync(fd)) ? terminal : undefined);
  } catch {
    // Closed.
    return descriptorOutput(fd);
  }
}
export const nodeStdout = (): Output => standardOutput(1);
export const nodeStderr = (): Output => standardOutput(2);

/** Gives the terminal back as it was. To be called when the program has ended, however it did. */
export function restoreTerminal(): void {
  if (changed && process.stdin.isTTY && process.stdin.isRaw) process.stdin.setRawMode(false);
}
