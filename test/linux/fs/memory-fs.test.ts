import { describe, expect, it } from 'vitest';
import { MemoryFileSystem } from '../../../src/linux/fs/memory-fs.ts';
import { decodeName, encodeName } from '../../../src/linux/fs/names.ts';
import { makeGuest } from './guest.ts';

const both = { read: true, write: true };

describe('the file system in memory', () => {
  it('bounds what files hold, and gives it back', () => {
    const fileSystem = new MemoryFileSystem({ limit: 10_000 });
    const file = fileSystem.root.create('f', 0o644, both);
    expect(file.write(new Uint8Array(6000), 0)).toBe(6000);
    // as much as there is room for, then none
    expect(file.write(new Uint8Array(6000), 6000)).toBe(4000);
    expect(() => file.write(new Uint8Array(1), 10_000)).toThrow('errno 28');
    expect(() => file.truncate!(2 ** 40)).toThrow('errno 28');
    expect(file.inode.stat().size).toBe(10_000);
    fileSystem.root.unlink('f');
    expect(fileSystem.used).toBe(10_000);
    file.close!();
    expect(fileSystem.used).toBe(0);
    const other = fileSystem.root.create('g', 0o644, both);
    expect(other.write(new Uint8Array(10_000), 0)).toBe(10_000);
    other.truncate!(100);
    expect(fileSystem.used).toBe(100);
    other.truncate!(200);
    const at = new Uint8Array(300).fill(1);
    expect(other.read(at, 0)).toBe(200);
    expect(at.subarray(0, 200).every((byte) => byte === 0)).toBe(true);
  });

  it('does not show old bytes in a gap', () => {
    const g = makeGuest();
    const fd = g.call('open', '/f', 2 | g.o.O_CREAT, 0o644) as number;
    g.call('write', fd, 'abcdefgh', 8);
    g.call('ftruncate', fd, 6);
    g.call('pwrite64', fd, 'Z', 1, 7, 0);
    expect(g.get('/f')).toBe('abcdef\0Z');
  });

  it('counts links and replaces names as rename does', () => {
    const g = makeGuest();
    const at = g.alloc(96);
    const links = (name: string): number => {
      g.call('stat64', name, at);
      return g.memory.u32(at + 20);
    };
    g.put('/f', 'one');
    g.put('/g', 'two');
    g.call('link', '/f', '/h');
    expect(links('/f')).toBe(2);
    expect(g.call('rename', '/f', '/h')).toBe(0);
    expect(g.get('/f')).toBe('one');
    expect(g.call('rename', '/g', '/h')).toBe(0);
    expect([g.get('/h'), links('/f')]).toEqual(['two', 1]);
    g.call('mkdir', '/d', 0o755);
    g.call('mkdir', '/d/e', 0o755);
    expect(links('/d')).toBe(3);
    expect(g.call('rename', '/h', '/d')).toBe('EISDIR');
    expect(g.call('rename', '/d', '/h')).toBe('ENOTDIR');
    g.call('mkdir', '/n', 0o755);
    expect(g.call('rename', '/n', '/d')).toBe('ENOTEMPTY');
    expect(g.call('rename', '/d', '/n')).toBe(0);
    expect(g.call('renameat2', -100, '/h', -100, '/f', 1)).toBe('EEXIST');
    expect(g.call('renameat2', -100, '/h', -100, '/f', 3)).toBe('EINVAL');
    expect(g.call('link', '/n', '/m')).toBe('EPERM');
    expect(g.call('rename', '/n', '/.')).toBe('EBUSY');
    expect(g.call('rmdir', '/n/.')).toBe('EINVAL');
    expect(g.call('rmdir', '/n/..')).toBe('ENOTEMPTY');
  });

  it('obeys the umask', () => {
    const g = makeGuest();
    expect(g.call('umask', 0o027)).toBe(0o022);
    g.call('mkdir', '/d', 0o777);
    const at = g.alloc(96);
    g.call('stat64', '/d', at);
    expect(g.memory.u32(at + 16)).toBe(0o040750);
    expect(g.call('umask', 0o7777)).toBe(0o027);
    expect(g.call('umask', 0)).toBe(0o777);
  });
});

describe('names', () => {
  it('survive as strings whatever their bytes', () => {
    for (const bytes of [
      [0x61],
      [0xff],
      [0xc3],
      [0xc3, 0xa4],
      [0xed, 0xb2, 0x80],
      [0xf0, 0x9f, 0x98, 0x80, 0x80],
      [0xef, 0xbb, 0xbf, 0x61],
    ])
      expect([...encodeName(decodeName(Uint8Array.from(bytes)))]).toEqual(bytes);
    expect(decodeName(Uint8Array.of(0xc3, 0xa4, 0xf0, 0x9f, 0x98, 0x80))).toBe('ä😀');
  });
});
