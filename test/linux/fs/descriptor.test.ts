import { describe, expect, it } from 'vitest';
import { makeGuest } from './guest.ts';

describe('descriptors', () => {
  it('are the lowest free ones, up to the limit', () => {
    const g = makeGuest();
    expect(g.call('open', '/', 0)).toBe(3);
    expect(g.call('dup', 3)).toBe(4);
    expect(g.call('close', 3)).toBe(0);
    expect(g.call('close', 3)).toBe('EBADF');
    expect(g.call('dup', 4)).toBe(3);
    expect(g.call('dup2', 4, 10)).toBe(10);
    expect(g.call('dup2', 4, 4)).toBe(4);
    expect(g.call('dup2', 5, 5)).toBe('EBADF');
    expect(g.call('dup3', 4, 4, 0)).toBe('EINVAL');
    expect(g.call('dup2', 4, 1024)).toBe('EBADF');
    expect(g.call('fcntl', 4, 0, 8)).toBe(8);
    expect(g.call('fcntl', 4, 0, 10)).toBe(11);
    expect(g.call('fcntl', 4, 0, 1024)).toBe('EINVAL');
    g.p.limits.nofile.soft = 12;
    for (const fd of [5, 6, 7, 9]) expect(g.call('dup', 4)).toBe(fd);
    expect(g.call('dup', 4)).toBe('EMFILE');
    expect(g.call('open', '/', 0)).toBe('EMFILE');
  });

  it('share offset and status flags when duplicated, not when opened again', () => {
    const g = makeGuest();
    g.put('/f', 'abcdef');
    const fd = g.call('open', '/f', 0) as number;
    const copy = g.call('dup', fd) as number;
    const again = g.call('open', '/f', 0) as number;
    const at = g.alloc(16);
    g.call('read', fd, at, 2);
    expect(g.call('read', copy, at, 2)).toBe(2);
    expect(g.read(at, 2)).toBe('cd');
    expect(g.call('read', again, at, 2)).toBe(2);
    expect(g.read(at, 2)).toBe('ab');
    g.call('fcntl', fd, 4, g.o.O_NONBLOCK | g.o.O_APPEND);
    expect((g.call('fcntl', copy, 3) as number) & (g.o.O_NONBLOCK | g.o.O_APPEND)).toBe(g.o.O_NONBLOCK | g.o.O_APPEND);
    expect((g.call('fcntl', again, 3) as number) & (g.o.O_NONBLOCK | g.o.O_APPEND)).toBe(0);
  });

  it('are closed by exec only where it was asked for', () => {
    const g = makeGuest();
    g.call('open', '/', g.o.O_CLOEXEC);
    g.call('open', '/', 0);
    expect(g.call('fcntl', 3, 1)).toBe(1);
    expect(g.call('fcntl', 4, 1)).toBe(0);
    g.call('dup', 3);
    expect(g.call('fcntl', 5, 1)).toBe(0);
    g.call('fcntl', 4, 1030, 0);
    g.call('fcntl', 4, 2, 1);
    g.p.files.closeOnExec();
    expect(g.p.files.list()).toEqual([0, 1, 2, 5]);
    expect(g.call('close_range', 0, 0xffffffff, 4)).toBe(0);
    expect(g.call('close_range', 1, 2, 0)).toBe(0);
    expect(g.p.files.list()).toEqual([0, 5]);
    g.p.files.closeOnExec();
    expect(g.p.files.list()).toEqual([]);
  });

  it('seek, truncate, append', () => {
    const g = makeGuest();
    g.put('/f', 'abcdef');
    const fd = g.call('open', '/f', 2) as number;
    const result = g.alloc(8);
    expect(g.call('lseek', fd, -2, 2)).toBe(4);
    expect(g.call('lseek', fd, 1, 1)).toBe(5);
    expect(g.call('lseek', fd, -6, 1)).toBe('EINVAL');
    expect(g.call('lseek', fd, 0, 9)).toBe('EINVAL');
    expect(g.call('_llseek', fd, 1, 5, result, 0)).toBe(0);
    expect(g.memory.u64(result)).toBe(0x1_0000_0005n);
    expect(g.call('lseek', fd, 0, 1)).toBe('EOVERFLOW');
    expect(g.call('ftruncate64', fd, 3, 0)).toBe(0);
    expect(g.get('/f')).toBe('abc');
    expect(g.call('pwrite64', fd, 'Z', 1, 6, 0)).toBe(1);
    expect(g.get('/f')).toBe('abc\0\0\0Z');
    g.call('truncate', '/f', 2);
    const append = g.call('open', '/f', 1 | g.o.O_APPEND) as number;
    g.call('write', append, 'cd', 2);
    expect(g.get('/f')).toBe('abcd');
    expect(g.call('lseek', append, 0, 1)).toBe(4);
    expect(g.call('read', append, result, 1)).toBe('EBADF');
    expect(g.call('write', g.call('open', '/f', 0) as number, 'x', 1)).toBe('EBADF');
    expect(g.call('read', g.call('open', '/', 0) as number, result, 1)).toBe('EISDIR');
  });

  it('take 64-bit arguments as the ABI passes them', () => {
    const offset = 0x1_0000_0002;
    for (const abi of ['i386', 'mipsel', 'mips'] as const) {
      const g = makeGuest(abi, { memoryLimit: 8 << 20 });
      const fd = g.call('open', '/f', 2 | g.o.O_CREAT, 0o644) as number;
      g.call('write', fd, 'abcdef', 6);
      const at = g.alloc(16);
      const pair = (value: number) => {
        const words = [value >>> 0, Math.floor(value / 2 ** 32)];
        return abi === 'mips' ? words.reverse() : words;
      };
      const pad = abi === 'i386' ? [] : [0xdead];
      expect(g.call('pread64', fd, at, 3, ...pad, ...pair(2)), abi).toBe(3);
      expect(g.read(at, 3)).toBe('cde');
      expect(g.call('pread64', fd, at, 3, ...pad, ...pair(offset)), abi).toBe(0);
      expect(g.call('pread64', fd, at, 3, ...pad, ...pair(-1).map((w) => w >>> 0)), abi).toBe('EINVAL');
      expect(g.call('truncate64', '/f', ...pad, ...pair(4)), abi).toBe(0);
      expect(g.call('ftruncate64', fd, ...pad, ...pair(offset)), abi).toBe('ENOSPC');
      expect(g.get('/f')).toBe('abcd');
      // preadv has low and high word in this order everywhere
      const vector = g.alloc(16);
      [at, 1, at + 8, 8].forEach((word, i) => {
        g.memory.setU32(vector + i * 4, word);
      });
      expect(g.call('preadv', fd, vector, 2, 1, 0), abi).toBe(3);
      expect(g.read(at, 1) + g.read(at + 8, 2)).toBe('bcd');
    }
  });

  it('transfer up to the first bad page, and EFAULT only if that is the first byte', () => {
    const g = makeGuest();
    g.put('/f', 'abcdef');
    const fd = g.call('open', '/f', 0) as number;
    const end = 0x10000 + 0x40000;
    expect(g.call('read', fd, end - 3, 6)).toBe(3);
    expect(g.call('read', fd, end, 6)).toBe('EFAULT');
    expect(g.call('read', fd, 0, 6)).toBe('EFAULT');
    expect(g.call('read', fd, end, 0)).toBe(0);
    expect(g.call('write', 1, end - 1, 5)).toBe(1);
    expect(g.call('open', end, 0)).toBe('EFAULT');
    expect(g.call('readv', fd, 0, 1)).toBe('EFAULT');
    expect(g.call('readv', fd, 0, 1025)).toBe('EINVAL');
    expect(g.call('stat64', '/f', end - 8)).toBe('EFAULT');
  });

  it('copy between files', () => {
    const g = makeGuest();
    g.put('/f', 'abcdef');
    g.put('/g', '');
    const from = g.call('open', '/f', 0) as number;
    const to = g.call('open', '/g', 2) as number;
    const offset = g.alloc(8);
    g.memory.setU32(offset, 2);
    expect(g.call('sendfile', to, from, offset, 100)).toBe(4);
    expect(g.memory.u32(offset)).toBe(6);
    expect(g.call('sendfile64', to, from, 0, 2)).toBe(2);
    expect(g.get('/g')).toBe('cdefab');
    g.memory.setU64(offset, 1n);
    expect(g.call('copy_file_range', from, offset, to, 0, 100, 0)).toBe(5);
    expect(g.memory.u64(offset)).toBe(6n);
    expect(g.get('/g')).toBe('cdefabbcdef');
    expect(g.call('sendfile', to, 0, 0, 1)).toBe('EINVAL');
  });
});

describe('pipes', () => {
  it('carry bytes, and tell the end and a missing reader', () => {
    const g = makeGuest();
    const at = g.alloc(16);
    expect(g.call('pipe2', at, 0)).toBe(0);
    const [read, write] = [g.memory.u32(at), g.memory.u32(at + 4)];
    expect(g.call('write', write, 'hello', 5)).toBe(5);
    expect(g.call('ioctl', read, 0x541b, at)).toBe(0);
    expect(g.memory.u32(at)).toBe(5);
    expect(g.call('read', read, at, 3)).toBe(3);
    expect(g.read(at, 3)).toBe('hel');
    expect(g.call('lseek', read, 0, 0)).toBe('ESPIPE');
    expect(g.call('read', write, at, 3)).toBe('EBADF');
    g.call('close', write);
    expect(g.call('read', read, at, 16)).toBe(2);
    expect(g.call('read', read, at, 16)).toBe(0);
    g.call('pipe2', at, 0);
    g.call('close', g.memory.u32(at));
    expect(g.call('write', g.memory.u32(at + 4), 'x', 1)).toBe('EPIPE');
    expect(g.raised).toEqual(['SIGPIPE']);
  });

  it('wait, or say EAGAIN', async () => {
    const g = makeGuest();
    const at = g.alloc(16);
    g.call('pipe2', at, 0);
    const [read, write] = [g.memory.u32(at), g.memory.u32(at + 4)];
    const waiting = g.wait('read', read, at, 16);
    g.call('write', write, 'late', 4);
    expect(await waiting).toBe(4);
    expect(g.read(at, 4)).toBe('late');
    g.call('fcntl', read, 4, g.o.O_NONBLOCK);
    expect(g.call('read', read, at, 16)).toBe('EAGAIN');
    g.call('fcntl', write, 4, g.o.O_NONBLOCK);
    const page = g.alloc(65536);
    expect(g.call('write', write, page, 65536)).toBe(65536);
    expect(g.call('write', write, page, 1)).toBe('EAGAIN');
    expect(g.call('read', read, page, 100)).toBe(100);
    // no part of a write up to 4,096 bytes
    expect(g.call('write', write, page, 4096)).toBe('EAGAIN');
    expect(g.call('write', write, page, 5000)).toBe(100);
  });

  it('are left when a signal comes', async () => {
    const g = makeGuest();
    const at = g.alloc(16);
    g.call('pipe2', at, 0);
    const waiting = g.wait('read', g.memory.u32(at), at, 16);
    g.interrupt();
    expect(await waiting).toBe('ERESTARTSYS');
  });

  it('come back in registers on MIPS', () => {
    const g = makeGuest('mips');
    expect(g.call('pipe', 0)).toBe(3);
    expect(g.p.pipeResult).toEqual([3, 4]);
    expect(g.call('pipe2', 0, 0)).toBe('EFAULT');
  });
});

describe('waiting for descriptors', () => {
  it('poll answers at once, later, or after its time', async () => {
    const g = makeGuest();
    const ends = g.alloc(8);
    g.call('pipe2', ends, 0);
    const [read, write] = [g.memory.u32(ends), g.memory.u32(ends + 4)];
    const set = g.alloc(32);
    const fill = (entries: readonly (readonly [number, number])[]) =>
      entries.forEach(([fd, events], i) => {
        g.memory.setU32(set + i * 8, fd >>> 0);
        g.memory.setU32(set + i * 8 + 4, events);
      });
    const returned = (i: number) => g.memory.u16(set + i * 8 + 6);
    fill([
      [read, 1],
      [write, 4],
      [77, 1],
      [-1, 1],
    ]);
    expect(g.call('poll', set, 4, -1)).toBe(2);
    expect([0, 1, 2, 3].map(returned)).toEqual([0, 4, 0x20, 0]);
    expect(g.call('poll', set, 1, 0)).toBe(0);
    expect(await g.wait('poll', set, 1, 5)).toBe(0);
    const waiting = g.wait('poll', set, 1, -1);
    g.call('write', write, 'x', 1);
    expect(await waiting).toBe(1);
    expect(returned(0)).toBe(1);
    g.call('close', write);
    g.call('read', read, ends, 8);
    expect(g.call('poll', set, 1, -1)).toBe(1);
    expect(returned(0)).toBe(0x10);
  });

  it('select works on bits of words in both byte orders', async () => {
    for (const abi of ['i386', 'mips'] as const) {
      const g = makeGuest(abi);
      g.put('/f', '');
      g.call('dup2', g.call('open', '/f', 2) as number, 40);
      const read = g.alloc(8);
      const write = g.alloc(8);
      g.memory.setU32(read, 1 << 0);
      g.memory.setU32(read + 4, 1 << 8);
      g.memory.setU32(write + 4, 1 << 8);
      // standard input is at its end, so it can be read
      expect(g.call('_newselect', 41, read, write, 0, 0), abi).toBe(3);
      expect([g.memory.u32(read), g.memory.u32(read + 4), g.memory.u32(write + 4)]).toEqual([1, 0x100, 0x100]);
      g.memory.setU32(write, 1 << 30);
      expect(g.call('_newselect', 41, 0, write, 0, 0)).toBe('EBADF');
      const time = g.alloc(8);
      g.memory.setU32(time + 4, 3000);
      expect(await g.wait('_newselect', 0, 0, 0, 0, time)).toBe(0);
      expect([g.memory.u32(time), g.memory.u32(time + 4)]).toEqual([0, 0]);
    }
  });

  it('epoll lays out its events as the ABI does', () => {
    for (const abi of ['i386', 'mipsel'] as const) {
      const g = makeGuest(abi);
      const at = g.alloc(16);
      g.call('pipe2', at, 0);
      const [read, write] = [g.memory.u32(at), g.memory.u32(at + 4)];
      const epoll = g.call('epoll_create1', 0) as number;
      const event = g.alloc(32);
      const data = abi === 'i386' ? 4 : 8;
      g.memory.setU32(event, 1);
      g.memory.setU64(event + data, 0x1122334455667788n);
      expect(g.call('epoll_ctl', epoll, 1, read, event)).toBe(0);
      expect(g.call('epoll_ctl', epoll, 1, read, event)).toBe('EEXIST');
      expect(g.call('epoll_wait', epoll, event, 2, 0)).toBe(0);
      g.call('write', write, 'x', 1);
      g.memory.setU64(event + data, 0n);
      expect(g.call('epoll_wait', epoll, event, 2, -1)).toBe(1);
      expect([g.memory.u32(event), g.memory.u64(event + data)]).toEqual([1, 0x1122334455667788n]);
      g.put('/f', '');
      expect(g.call('epoll_ctl', epoll, 1, g.call('open', '/f', 0) as number, event)).toBe('EPERM');
      expect(g.call('epoll_ctl', epoll, 2, read, 0)).toBe(0);
      expect(g.call('epoll_ctl', epoll, 2, read, 0)).toBe('ENOENT');
    }
  });
});

describe('directories', () => {
  it('are listed in pieces, in the order of names, and from the start after a seek', () => {
    for (const abi of ['i386', 'mips'] as const) {
      const g = makeGuest(abi);
      g.call('mkdir', '/d', 0o755);
      for (const name of ['b', 'c', 'a', 'long-name']) g.put(`/d/${name}`, '');
      const fd = g.call('open', '/d', g.o.O_DIRECTORY) as number;
      const at = g.alloc(256);
      expect(g.call('getdents64', fd, at, 23)).toBe('EINVAL');
      // . .. a are 24 bytes each
      expect(g.call('getdents64', fd, at, 72)).toBe(72);
      expect(g.memory.u8(at + 18)).toBe(4);
      expect(g.memory.u8(at + 48 + 18)).toBe(8);
      expect(g.read(at + 48 + 19, 2)).toBe('a\0');
      // while it is listed, a name that goes does not make another be left out
      g.call('unlink', '/d/a');
      expect(g.call('getdents64', fd, at, 256)).toBe(24 + 24 + 32);
      expect(g.read(at + 24 + 19, 2)).toBe('c\0');
      expect(g.call('getdents64', fd, at, 256)).toBe(0);
      expect(g.call('lseek', fd, 0, 0)).toBe(0);
      // struct linux_dirent: the type is the last byte
      expect(g.call('getdents', fd, at, 256)).toBe(16 * 4 + 24);
      expect([g.memory.u16(at + 8), g.read(at + 10, 2), g.memory.u8(at + 15)]).toEqual([16, '.\0', 4]);
      const status = g.alloc(144);
      g.call('stat', '/d/b', status);
      expect(g.memory.u32(at + 32)).toBe(g.memory.u32(status + (abi === 'i386' ? 4 : 16)));
    }
  });
});

describe('devices', () => {
  it('null, zero, full, random and the links to descriptors', () => {
    const g = makeGuest();
    const at = g.alloc(64);
    const fd = (name: string) => g.call('open', name, 2) as number;
    expect(g.get('/dev/null')).toBe('');
    expect(g.call('write', fd('/dev/null'), 'abc', 3)).toBe(3);
    g.memory.setU32(at, 0xffffffff);
    expect(g.call('read', fd('/dev/zero'), at, 4)).toBe(4);
    expect(g.memory.u32(at)).toBe(0);
    expect(g.call('write', fd('/dev/full'), 'abc', 3)).toBe('ENOSPC');
    expect(g.call('read', fd('/dev/urandom'), at, 64)).toBe(64);
    expect(new Set(g.memory.view(at, 64, 'read')).size).toBeGreaterThan(8);
    expect(g.call('write', fd('/dev/stdout'), 'out', 3)).toBe(3);
    expect(g.output).toEqual(['out']);
    expect(g.call('open', '/dev/tty', 2)).toBe('ENXIO');
    g.put('/f', 'shared');
    const file = fd('/f');
    expect(g.get(`/dev/fd/${file}`)).toBe('shared');
    expect(g.get(`/proc/self/fd/${file}`)).toBe('shared');
    expect(g.get('/dev/fd/99')).toBe('ENOENT');
    expect(g.call('readlink', `/proc/self/fd/${file}`, at, 64)).toBe(2);
    g.call('stat64', '/dev/null', g.alloc(96));
    expect(g.call('unlink', '/dev/null')).toBe('EPERM');
    expect(g.call('open', '/dev/new', 1 | g.o.O_CREAT, 0o644)).toBe('EACCES');
    expect(g.call('mkdir', '/dev/shm/x', 0o755)).toBe(0);
  });
});
