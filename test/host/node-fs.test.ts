import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node-fs.ts';
import { type Guest, makeGuest } from '../linux/fs/guest.ts';

let top: string;
let root: string;
let g: Guest;

beforeEach(() => {
  top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'wasmvisor-fs-')));
  root = path.join(top, 'root');
  fs.mkdirSync(root);
  fs.mkdirSync(path.join(top, 'outside'));
  fs.writeFileSync(path.join(top, 'outside/secret'), 'secret');
  fs.writeFileSync(path.join(top, 'secret'), 'secret');
  g = makeGuest('i386', { root: nodeFileSystem(root), memoryTmp: false });
});
afterEach(() => {
  g.p.files.closeAll();
  fs.rmSync(top, { recursive: true, force: true });
});

/** Every way to reach a path: none of them may show what is outside. */
function reaches(guest: Guest, name: string): unknown[] {
  const buffer = guest.alloc(256);
  return [
    guest.get(name),
    guest.call('open', name, 1),
    guest.call('truncate', name, 0),
    guest.call('chmod', name, 0o777),
    guest.call('stat64', name, buffer),
  ];
}

describe('a host folder as the guest sees it', () => {
  it('has files that can be locked, renamed and removed while they are open', () => {
    const { o } = g;
    // struct flock: F_WRLCK, SEEK_SET, from 0, all
    const lock = g.bytes(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const F_SETLK = 6;
    for (const flags of [o.O_CREAT, 0]) {
      const fd = g.call('open', '/locked', 2 | flags, 0o600) as number;
      expect(g.call('fcntl', fd, F_SETLK, lock)).toBe(0);
      expect(g.call('close', fd)).toBe(0);
    }
    const fd = g.call('open', '/locked', 2) as number;
    expect(g.call('fcntl', fd, F_SETLK, lock)).toBe(0);
    expect(g.call('rename', '/locked', '/other')).toBe(0);
    expect(g.call('unlink', '/other')).toBe(0);
    expect(g.call('fcntl', fd, F_SETLK, lock)).toBe(0);
    expect(g.call('close', fd)).toBe(0);
  });

  it('reads, writes, lists, renames and removes', () => {
    g.call('mkdir', '/d', 0o750);
    g.put('/d/f', 'text');
    g.call('symlink', 'f', '/d/l');
    expect(fs.readFileSync(path.join(root, 'd/f'), 'utf8')).toBe('text');
    expect(fs.statSync(path.join(root, 'd')).mode & 0o777).toBe(0o750);
    expect(fs.readlinkSync(path.join(root, 'd/l'))).toBe('f');
    expect(g.get('/d/l')).toBe('text');
    expect(g.list('/d')).toEqual(['.', '..', 'f', 'l']);
    expect(g.call('link', '/d/f', '/d/h')).toBe(0);
    expect(fs.statSync(path.join(root, 'd/h')).nlink).toBe(2);
    expect(g.call('rename', '/d/f', '/g')).toBe(0);
    expect(g.get('/d/l')).toBe('ENOENT');
    expect(g.call('rmdir', '/d')).toBe('ENOTEMPTY');
    expect(g.call('unlink', '/d')).toBe('EISDIR');
    expect(g.call('unlink', '/d/h')).toBe(0);
    expect(g.call('unlink', '/d/l')).toBe(0);
    expect(g.call('rmdir', '/d')).toBe(0);
    expect(fs.readdirSync(root)).toEqual(['g']);
  });

  it('keeps /dev and /proc its own', () => {
    fs.mkdirSync(path.join(root, 'dev'));
    fs.writeFileSync(path.join(root, 'dev/null'), 'not a device');
    expect(g.get('/dev/null')).toBe('');
    expect(g.list('/')).toEqual(['.', '..', 'dev', 'proc']);
    expect(g.call('rename', '/dev', '/x')).toBe('EBUSY');
    expect(g.call('rmdir', '/proc')).toBe('EBUSY');
  });

  it('sets modes and times, and says who owns what', () => {
    g.put('/f', 'x');
    expect(g.call('chmod', '/f', 0o604)).toBe(0);
    expect(fs.statSync(path.join(root, 'f')).mode & 0o7777).toBe(0o604);
    const times = g.alloc(16);
    [1000, 500_000_000, 2000, 250_000_000].forEach((word, i) => {
      g.memory.setU32(times + i * 4, word);
    });
    expect(g.call('utimensat', -100, '/f', times, 0)).toBe(0);
    const stats = fs.statSync(path.join(root, 'f'));
    expect([stats.atimeMs, stats.mtimeMs]).toEqual([1000_500, 2000_250]);
    g.memory.setU32(times + 4, 0x3ffffffe);
    g.memory.setU32(times + 8, 3000);
    expect(g.call('utimensat', -100, '/f', times, 0)).toBe(0);
    const later = fs.statSync(path.join(root, 'f'));
    expect([later.atimeMs, later.mtimeMs]).toEqual([1000_500, 3000_250]);
    const buffer = g.alloc(96);
    g.call('stat64', '/f', buffer);
    expect(g.memory.u32(buffer + 24)).toBe(stats.uid);
    expect(g.memory.u64(buffer + 44)).toBe(1n);
  });

  it('works on files that were removed or renamed while they are open', () => {
    const fd = g.call('open', '/f', 2 | g.o.O_CREAT, 0o600) as number;
    g.call('unlink', '/f');
    expect(g.call('write', fd, 'abc', 3)).toBe(3);
    const buffer = g.alloc(96);
    expect(g.call('fstat64', fd, buffer)).toBe(0);
    expect(g.memory.u64(buffer + 44)).toBe(3n);
    expect(g.memory.u32(buffer + 20)).toBe(0);
    g.call('mkdir', '/d', 0o755);
    g.put('/d/f', 'x');
    const directory = g.call('open', '/d', 0) as number;
    g.call('rename', '/d', '/e');
    g.call('mkdir', '/d', 0o755);
    expect(g.call('openat', directory, 'f', 0)).toBe(directory + 1);
  });

  it('lets a new file be written through its first descriptor whatever its mode', () => {
    const fd = g.call('open', '/f', 1 | g.o.O_CREAT, 0) as number;
    expect(g.call('write', fd, 'abc', 3)).toBe(3);
    expect(fs.statSync(path.join(root, 'f')).mode & 0o777).toBe(0);
  });

  it('passes names through that are not UTF-8', () => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xff, 0x61)]), 'odd');
    const name = g.bytes(Uint8Array.of(0x2f, 0xff, 0x61, 0));
    const fd = g.call('open', name, 0);
    expect(fd).toBe(3);
    expect(g.call('getdents64', g.call('open', '/', g.o.O_DIRECTORY) as number, g.alloc(512), 512)).toBeGreaterThan(0);
    expect(g.call('unlink', g.bytes(Uint8Array.of(0x2f, 0xff, 0x61, 0)))).toBe(0);
    expect(fs.readdirSync(root)).toEqual([]);
  });

  it('refuses to change a read-only mount', () => {
    fs.writeFileSync(path.join(root, 'f'), 'text');
    const ro = makeGuest('i386', { root: nodeFileSystem(root, { readOnly: true }), memoryTmp: false });
    expect(ro.get('/f')).toBe('text');
    for (const outcome of [
      ro.call('open', '/f', 2),
      ro.call('open', '/n', 1 | ro.o.O_CREAT, 0o644),
      ro.call('open', '/f', ro.o.O_TRUNC),
      ro.call('unlink', '/f'),
      ro.call('mkdir', '/n', 0o755),
      ro.call('symlink', 'f', '/n'),
      ro.call('link', '/f', '/n'),
      ro.call('rename', '/f', '/n'),
      ro.call('chmod', '/f', 0o777),
      ro.call('chown', '/f', 1, 1),
      ro.call('truncate', '/f', 0),
      ro.call('utimes', '/f', 0),
      ro.call('access', '/f', 2),
    ])
      expect(outcome).toBe('EROFS');
    expect(fs.readdirSync(root)).toEqual(['f']);
    expect(fs.readFileSync(path.join(root, 'f'), 'utf8')).toBe('text');
  });

  it('mounts a folder and a single file beside the root', () => {
    fs.mkdirSync(path.join(top, 'data'));
    fs.writeFileSync(path.join(top, 'data/f'), 'data');
    const m = makeGuest('i386', {
      mounts: [
        { path: '/mnt/deep/data', fileSystem: nodeFileSystem(path.join(top, 'data')) },
        { path: '/bin/prog', fileSystem: nodeFileSystem(path.join(top, 'secret'), { readOnly: true }) },
      ],
    });
    expect(m.get('/mnt/deep/data/f')).toBe('data');
    expect(m.get('/mnt/deep/data/../data/../../deep/data/f')).toBe('data');
    expect(m.get('/bin/prog')).toBe('secret');
    expect(m.list('/bin')).toEqual(['.', '..', 'prog']);
    expect(m.call('open', '/bin/prog', 1)).toBe('EROFS');
    expect(m.call('link', '/mnt/deep/data/f', '/f')).toBe('EXDEV');
    expect(m.call('rename', '/mnt/deep/data/f', '/f')).toBe('EXDEV');
    expect(m.list('/')).toEqual(['.', '..', 'bin', 'dev', 'mnt', 'proc', 'tmp']);
    const buffer = m.alloc(96);
    const device = (name: string): bigint => {
      expect(m.call('stat64', name, buffer)).toBe(0);
      return m.memory.u64(buffer);
    };
    expect(new Set(['/', '/dev', '/proc', '/tmp', '/mnt/deep/data', '/bin/prog'].map(device)).size).toBe(6);
  });
});

describe('what the guest cannot get out of', () => {
  it('`..` and absolute paths stay inside', () => {
    for (const name of [
      '/../secret',
      '../secret',
      '/../outside/secret',
      `${top}/secret`,
      '/proc/self/root/../secret',
      '/proc/self/cwd/../secret',
    ])
      expect(g.get(name), name).toBe('ENOENT');
  });

  it('links of the host folder lead nowhere outside', () => {
    fs.symlinkSync('/', path.join(root, 'slash'));
    fs.symlinkSync('../secret', path.join(root, 'up'));
    fs.symlinkSync('../../../../../../../..', path.join(root, 'far'));
    fs.symlinkSync(path.join(top, 'secret'), path.join(root, 'absolute'));
    fs.symlinkSync('../outside', path.join(root, 'folder'));
    fs.symlinkSync(`/proc/${process.pid}/root`, path.join(root, 'proc-root'));
    for (const name of [
      `/slash${top}/secret`,
      '/up',
      `/far${top}/secret`,
      '/absolute',
      '/folder/secret',
      `/proc-root${top}/secret`,
      '/proc/self/fd/../../../secret',
    ])
      for (const outcome of reaches(g, name)) expect(outcome, name).toBe('ENOENT');
    expect(g.list('/slash')).toEqual(g.list('/'));
    expect(fs.readFileSync(path.join(top, 'secret'), 'utf8')).toBe('secret');
  });

  it('nor do links that the guest makes, nor creating through them', () => {
    g.call('symlink', `${top}/outside`, '/out');
    g.call('symlink', '../outside/made', '/made');
    expect(g.get('/out/secret')).toBe('ENOENT');
    expect(g.call('open', '/out/new', 1 | g.o.O_CREAT, 0o644)).toBe('ENOENT');
    expect(g.call('open', '/made', 1 | g.o.O_CREAT, 0o644)).toBe('ENOENT');
    expect(g.call('mkdir', '/out/d', 0o755)).toBe('ENOENT');
    expect(g.call('rename', '/out', '/moved')).toBe(0);
    expect(g.call('link', '/moved', '/hard')).toBe(0);
    expect(g.get('/hard/secret')).toBe('ENOENT');
    expect(fs.readdirSync(path.join(top, 'outside'))).toEqual(['secret']);
  });

  it('a directory that is swapped for a link while the guest is in it', () => {
    fs.mkdirSync(path.join(root, 'd'));
    fs.writeFileSync(path.join(root, 'd/secret'), 'inside');
    g.call('chdir', '/d');
    const fd = g.call('open', '/d', 0) as number;
    expect(g.get('secret')).toBe('inside');
    fs.renameSync(path.join(root, 'd'), path.join(root, 'was'));
    fs.symlinkSync('../outside', path.join(root, 'd'));
    for (const outcome of reaches(g, 'secret')) expect(outcome).not.toBe('secret');
    expect(g.get('secret')).toMatch(/^E(NOENT|NOTDIR|LOOP)$/);
    expect(g.call('openat', fd, 'secret', 0)).toMatch(/^E/);
    expect(g.call('openat', fd, 'new', 1 | g.o.O_CREAT, 0o644)).toMatch(/^E/);
    expect(g.call('unlinkat', fd, 'secret', 0)).toMatch(/^E/);
    expect(g.call('mkdirat', fd, 'new', 0o755)).toMatch(/^E/);
    expect(g.call('symlinkat', 'x', fd, 'new')).toMatch(/^E/);
    expect(g.call('getdents64', fd, g.alloc(512), 512)).toMatch(/^E/);
    expect(fs.readdirSync(path.join(top, 'outside'))).toEqual(['secret']);
  });

  it('a parent that is swapped for a link, or moved out', () => {
    fs.mkdirSync(path.join(root, 'a/b'), { recursive: true });
    fs.mkdirSync(path.join(top, 'outside/b'));
    fs.writeFileSync(path.join(top, 'outside/b/secret'), 'secret');
    g.call('chdir', '/a/b');
    fs.renameSync(path.join(root, 'a'), path.join(top, 'moved'));
    expect(g.call('open', 'new', 1 | g.o.O_CREAT, 0o644)).toMatch(/^E/);
    fs.symlinkSync('../outside', path.join(root, 'a'));
    expect(g.get('secret')).toMatch(/^E/);
    expect(g.call('open', 'new', 1 | g.o.O_CREAT, 0o644)).toMatch(/^E/);
    expect(g.get('../../../secret')).toMatch(/^E/);
    expect(fs.readdirSync(path.join(top, 'outside/b'))).toEqual(['secret']);
    expect(fs.readdirSync(path.join(top, 'moved/b'))).toEqual([]);
  });

  it('a file that is swapped for a link between look-up and use', () => {
    fs.writeFileSync(path.join(root, 'f'), 'inside');
    const { namespace } = g.p.files;
    const inode = namespace.resolve(namespace.root, '/f', 'follow').inode!;
    fs.unlinkSync(path.join(root, 'f'));
    fs.symlinkSync('../secret', path.join(root, 'f'));
    expect(() => inode.open!({ read: true, write: false })).toThrow();
    expect(() => inode.setAttributes({ mode: 0o777 })).toThrow();
    expect(inode.stat().mode & 0o170000).toBe(0o120000);
    expect(fs.statSync(path.join(top, 'secret')).mode & 0o777).not.toBe(0o777);
  });

  it('devices, sockets and FIFOs of the host folder cannot be opened', async () => {
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    expect(g.call('open', '/fifo', 0)).toBe('ENXIO');
    expect(g.list('/')).toContain('fifo');
  });
});
