import { describe, expect, it } from 'vitest';
import type { Stdin, TerminalHost } from '../../../src/linux/fs/stdio.ts';
import { makeGuest } from './guest.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('standard streams', () => {
  it('give input that comes later, and its end', async () => {
    const chunks = [bytes('first '), bytes('second')];
    const stdin: Stdin = { read: () => new Promise((resolve) => setTimeout(() => resolve(chunks.shift() ?? null), 1)) };
    const g = makeGuest('i386', { stdin });
    const at = g.alloc(64);
    expect(await g.wait('read', 0, at, 64)).toBe(6);
    expect(await g.wait('read', 0, at, 3)).toBe(3);
    expect(g.call('read', 0, at + 3, 64)).toBe(3);
    expect(g.read(at, 6)).toBe('second');
    expect(await g.wait('read', 0, at, 64)).toBe(0);
    expect(g.call('read', 0, at, 64)).toBe(0);
    expect(g.call('write', 0, 'x', 1)).toBe('EBADF');
    expect(g.call('read', 1, at, 1)).toBe('EBADF');
  });

  it('do not ask for input before the guest does', () => {
    let asked = 0;
    const g = makeGuest('i386', {
      stdin: {
        read() {
          asked++;
          return bytes('x');
        },
      },
    });
    const set = g.alloc(8);
    g.memory.setU32(set, 0);
    g.memory.setU16(set + 4, 4);
    g.call('poll', set, 1, 0);
    expect(asked).toBe(0);
    g.memory.setU16(set + 4, 1);
    expect(g.call('poll', set, 1, 0)).toBe(1);
    expect(asked).toBe(1);
  });

  it('hold a write back while the embedder is busy, and lose nothing', async () => {
    const got: string[] = [];
    const g = makeGuest('i386', {
      stdout: {
        async write(part) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          const taken = part.subarray(0, 4);
          got.push(new TextDecoder().decode(taken));
          return taken.length;
        },
      },
    });
    expect(g.call('write', 1, 'one two three', 13)).toBe(13);
    g.call('fcntl', 1, 4, g.o.O_NONBLOCK);
    expect(g.call('write', 1, ' x', 2)).toBe('EAGAIN');
    g.call('fcntl', 1, 4, 0);
    expect(await g.wait('write', 1, ' four', 5)).toBe(5);
    await g.streams.flush();
    expect(got.join('')).toBe('one two three four');
  });

  it('raise SIGPIPE when nobody reads', async () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    const g = makeGuest('i386', {
      stdout: {
        write() {
          throw broken;
        },
      },
      stderr: { write: () => Promise.reject(broken) },
    });
    expect(g.call('write', 1, 'x', 1)).toBe('EPIPE');
    expect(g.raised).toEqual(['SIGPIPE']);
    // the second write learns of the first one's failure
    g.call('write', 2, 'x', 1);
    await g.streams.flush();
    expect(g.call('write', 2, 'x', 1)).toBe('EPIPE');
  });
});

describe('a terminal', () => {
  const setup = (abi: 'i386' | 'mips') => {
    const raw: boolean[] = [];
    const tty: TerminalHost = { columns: () => 100, rows: () => 30, setRaw: (on) => raw.push(on) };
    const written: string[] = [];
    const output = {
      tty,
      write(part: Uint8Array) {
        written.push(new TextDecoder().decode(part));
        return part.length;
      },
    };
    const g = makeGuest(abi, { stdin: { tty, read: () => bytes('typed\n') }, stdout: output, stderr: output });
    return { g, raw, written };
  };
  const REQUESTS = {
    i386: { get: 0x5401, set: 0x5402, size: 0x5413, group: 0x540f, length: 36 },
    mips: { get: 0x540d, set: 0x540e, size: 0x40087468, group: 0x40047477, length: 40 },
  };

  for (const abi of ['i386', 'mips'] as const) {
    it(`answers ${abi} programs`, () => {
      const { g, raw } = setup(abi);
      const request = REQUESTS[abi];
      const at = g.alloc(64);
      g.memory.view(at, 64, 'write').fill(0xaa);
      expect(g.call('ioctl', 0, request.get, at)).toBe(0);
      expect(g.memory.u8(at + request.length)).toBe(0xaa);
      expect(g.memory.u32(at + 12) & 0xa).toBe(0xa);
      g.memory.setU32(at + 12, g.memory.u32(at + 12) & ~2);
      expect(g.call('ioctl', 1, request.set, at)).toBe(0);
      expect(raw).toEqual([true]);
      const other = g.alloc(64);
      expect(g.call('ioctl', 2, request.get, other)).toBe(0);
      expect(g.memory.u32(other + 12)).toBe(g.memory.u32(at + 12));
      g.memory.setU32(at + 12, g.memory.u32(at + 12) | 2);
      g.call('ioctl', 0, request.set, at);
      expect(raw).toEqual([true, false]);
      expect(g.call('ioctl', 1, request.size, at)).toBe(0);
      expect([g.memory.u16(at), g.memory.u16(at + 2)]).toEqual([30, 100]);
      expect(g.call('ioctl', 0, request.group, at)).toBe(0);
      expect(g.memory.u32(at)).toBe(7);
      g.put('/f', '');
      expect(g.call('ioctl', g.call('open', '/f', 0) as number, request.get, at)).toBe('ENOTTY');
      expect(g.call('ioctl', 0, 0x1234, at)).toBe('ENOTTY');
    });
  }

  it('is one file through all descriptors and /dev/tty', () => {
    const { g, written } = setup('i386');
    const at = g.alloc(96);
    const identity = () => [g.memory.u64(at), g.memory.u64(at + 88), g.memory.u64(at + 32)];
    g.call('fstat64', 0, at);
    const first = identity();
    for (const fd of [1, 2]) {
      g.call('fstat64', fd, at);
      expect(identity()).toEqual(first);
    }
    expect(g.call('readlink', '/proc/self/fd/0', at, 96)).toBe(10);
    expect(g.read(at, 10)).toBe('/dev/pts/0');
    g.call('stat64', '/dev/pts/0', at);
    expect(identity()).toEqual(first);
    const tty = g.call('open', '/dev/tty', 2) as number;
    expect(g.call('write', tty, 'shown', 5)).toBe(5);
    expect(written).toEqual(['shown']);
    expect(g.call('read', 1, at, 96)).toBe(6);
    expect(g.read(at, 6)).toBe('typed\n');
  });
});
