import type { Abi } from '../../../src/linux/abi.ts';
import { fileCalls } from '../../../src/linux/calls/files.ts';
import { initialCapabilities } from '../../../src/linux/capabilities.ts';
import { Errno, type ErrnoName } from '../../../src/linux/errno.ts';
import { MemoryFileSystem } from '../../../src/linux/fs/memory-fs.ts';
import { makePipe } from '../../../src/linux/fs/pipe.ts';
import type { ProcessView, SystemView } from '../../../src/linux/fs/proc-fs.ts';
import { Terminals } from '../../../src/linux/fs/terminals.ts';
import { type FilesOptions, makeFiles } from '../../../src/linux/fs/tree.ts';
import { defaultHost } from '../../../src/linux/host.ts';
import { i386Files } from '../../../src/linux/i386/files.ts';
import { defaultLimits } from '../../../src/linux/limits.ts';
import { mipsFiles } from '../../../src/linux/mips/files.ts';
import type { Process } from '../../../src/linux/process.ts';
import { SyscallError } from '../../../src/linux/syscall.ts';
import { GuestMemory, GuestMemoryFault, PagePermission } from '../../../src/vcpu/guest-memory.ts';

export const BASE = 0x10000;
const SIZE = 0x40000;

/** What a call gives: a number, or the name of the error. */
export type Outcome = number | ErrnoName;

function named(result: number): Outcome {
  if (result >= 0) return result;
  const entry = Object.entries(Errno).find(([, number]) => number === -result);
  return entry ? (entry[0] as ErrnoName) : result;
}

function failed(error: unknown): Outcome {
  if (error instanceof SyscallError) return named(-error.errno);
  if (error instanceof GuestMemoryFault) return 'EFAULT';
  throw error;
}

/** A process without a program, to make system calls in. Strings and buffers are put into its memory by the caller. */
export function makeGuest(abi: 'i386' | 'mips' | 'mipsel' = 'i386', options: Partial<FilesOptions> = {}) {
  const little = abi !== 'mips';
  const memory = new GuestMemory(0x100000, little ? 'little' : 'big');
  memory.map(BASE, SIZE, PagePermission.Read | PagePermission.Write);
  const output: string[] = [];
  const raised: string[] = [];
  const controller = new AbortController();
  const terminals = new Terminals({ session: 7, foreground: 7 }, (pgid, name) => raised.push(`${name} to ${pgid}`));
  const { table, streams } = makeFiles({
    terminals,
    stdin: { read: () => null },
    stdout: {
      write(bytes) {
        output.push(new TextDecoder().decode(bytes));
        return bytes.length;
      },
    },
    stderr: { write: (bytes) => bytes.length },
    random: (bytes) => defaultHost.random(bytes),
    view: {
      current: () => 7,
      processes: () => [7],
      process: () => view,
    } as unknown as SystemView,
    ...options,
  });
  const view = {
    pid: 7,
    sid: () => group.sid,
    executable: () => '/bin/test',
    cwd: () => ({ path: '/', inode: table.namespace.root }),
    root: () => table.namespace.root,
    descriptors: () => table.list(),
    descriptor: (fd: number) => table.has(fd) && { path: table.get(fd).path, inode: table.get(fd).file?.inode ?? table.get(fd).inode },
  } as unknown as ProcessView;
  const setPipeResult = (p: { pipeResult?: number[] }, read: number, write: number) => {
    p.pipeResult = [read, write];
    return true;
  };
  // nothing is mapped
  const map = { areas: [], beforeRead() {}, afterWrite() {} };
  const group = { pid: 7, pgid: 7, sid: 7, leader: { map } };
  const p = {
    abi: {
      name: abi,
      ...(abi === 'i386' ? i386Files : mipsFiles),
      ...(abi !== 'i386' && { setPipeResult }),
      alignedPairs: abi !== 'i386',
      signalCount: abi === 'i386' ? 64 : 128,
      isa: { endian: little ? 'little' : 'big' },
    } as unknown as Abi,
    memory,
    files: table,
    limits: defaultLimits(),
    host: defaultHost,
    credentials: {
      ...{ uid: 0, euid: 0, suid: 0, gid: 0, egid: 0, sgid: 0, fsuid: 0, fsgid: 0, groups: [] as number[] },
      capabilities: initialCapabilities(0),
    },
    pid: 7,
    group,
    map,
    system: {
      scheduler: { current: { map } },
      anonymous: new MemoryFileSystem(),
      sockets: { names: new MemoryFileSystem() },
      terminals,
      processes: new Map([[7, group]]),
    },
    signals: {
      raiseHere: (name: string) => raised.push(name),
      suspendMask() {},
    },
    interrupt: () => controller.signal,
  } as unknown as Process & { pipeResult?: number[] };

  let free = BASE;
  const alloc = (size: number): number => {
    const at = free;
    free += (size + 15) & ~15;
    if (free > BASE + SIZE) throw new Error('the test asks for too much memory');
    return at;
  };
  const bytes = (content: Uint8Array): number => {
    const at = alloc(content.length);
    memory.write(at, content);
    return at;
  };
  const text = (content: string): number => bytes(new TextEncoder().encode(`${content}\0`));
  type Argument = number | string;
  const words = (list: readonly Argument[]): number[] => {
    const given = list.map((argument) => (typeof argument === 'string' ? text(argument) : argument >>> 0));
    return [...given, ...new Array<number>(8 - given.length).fill(0)];
  };

  /** A call that must not wait. */
  const call = (name: keyof typeof fileCalls, ...list: Argument[]): Outcome => {
    try {
      const result = fileCalls[name](p, words(list));
      if (typeof result !== 'number') throw new Error(`${name} waits`);
      return named(result);
    } catch (error) {
      return failed(error);
    }
  };
  /** A call that may wait. */
  const wait = async (name: keyof typeof fileCalls, ...list: Argument[]): Promise<Outcome> => {
    try {
      return named(await fileCalls[name](p, words(list)));
    } catch (error) {
      return failed(error);
    }
  };
  const read = (at: number, length: number): string => new TextDecoder().decode(memory.view(at, length, 'read'));
  const o = p.abi.open;
  const put = (path: string, content: string): void => {
    const fd = call('open', path, 1 | o.O_CREAT | o.O_TRUNC, 0o644);
    if (typeof fd !== 'number') throw new Error(`${path}: ${fd}`);
    call('write', fd, content, new TextEncoder().encode(content).length);
    call('close', fd);
  };
  const get = (path: string): string | Outcome => {
    const fd = call('open', path, 0);
    if (typeof fd !== 'number') return fd;
    const at = alloc(4096);
    const count = call('read', fd, at, 4096);
    call('close', fd);
    return typeof count === 'number' ? read(at, count) : count;
  };
  const list = (path: string): string[] => {
    const fd = call('open', path, o.O_DIRECTORY);
    if (typeof fd !== 'number') throw new Error(`${path}: ${fd}`);
    const at = alloc(4096);
    const names: string[] = [];
    for (;;) {
      const count = call('getdents64', fd, at, 4096) as number;
      if (count === 0) break;
      for (let entry = at; entry < at + count; entry += memory.u16(entry + 16))
        names.push(new TextDecoder().decode(memory.cString(entry + 19)));
    }
    call('close', fd);
    return names;
  };
  return {
    p,
    memory,
    call,
    wait,
    alloc,
    bytes,
    text,
    read,
    put,
    get,
    list,
    o,
    output,
    raised,
    streams,
    interrupt: () => controller.abort(),
    makePipe,
  };
}

export type Guest = ReturnType<typeof makeGuest>;
