import { describe, expect, it } from 'vitest';
import { initialCapabilities } from '../../../src/linux/capabilities.ts';
import { MemoryFileSystem } from '../../../src/linux/fs/memory-fs.ts';
import { Namespace } from '../../../src/linux/fs/namespace.ts';
import { mountInformation } from '../../../src/linux/fs/tree.ts';
import { makeGuest } from './guest.ts';

describe('mounted file systems', () => {
  it('have device numbers of their own, also if another namespace gave them some before', () => {
    const [root, mounted] = [new MemoryFileSystem(), new MemoryFileSystem()];
    new Namespace(root).mount('/mounted', mounted);
    const g = makeGuest('i386', { root, mounts: [{ path: '/a b', fileSystem: mounted }] });
    const lines = mountInformation(g.p.files.namespace).trim().split('\n');
    const devices = lines.map((line) => line.split(' ')[2]);
    expect(new Set(devices).size).toBe(lines.length);
    expect(lines[0]).toBe(`1 0 ${devices[0]} / / rw,relatime - tmpfs tmpfs rw`);
    expect(lines.at(-1)).toBe(`${lines.length} 1 ${devices.at(-1)} / /a\\040b rw,relatime - tmpfs tmpfs rw`);
  });
});

describe('path resolution', () => {
  it('goes through `.`, `..` and double slashes, and `..` of the root is the root', () => {
    const g = makeGuest();
    g.call('mkdir', '/a', 0o755);
    g.call('mkdir', '/a/b', 0o755);
    g.put('/a/b/f', 'text');
    expect(g.get('/a//b/./f')).toBe('text');
    expect(g.get('/a/b/../b/f')).toBe('text');
    expect(g.get('/../../../a/b/f')).toBe('text');
    expect(g.call('chdir', '/a/b')).toBe(0);
    expect(g.get('f')).toBe('text');
    expect(g.get('../../../../a/b/f')).toBe('text');
    expect(g.get('')).toBe('ENOENT');
    expect(g.get('/a/x/../b/f')).toBe('ENOENT');
    expect(g.get('/a/b/f/../f')).toBe('ENOTDIR');
  });

  it('follows symbolic links, relative and absolute, in the middle and at the end', () => {
    const g = makeGuest();
    g.call('mkdir', '/a', 0o755);
    g.put('/a/f', 'text');
    g.call('symlink', 'a', '/rel');
    g.call('symlink', '/a', '/abs');
    g.call('symlink', '../a/f', '/a/file');
    g.call('symlink', '/', '/a/root');
    g.call('symlink', '../../../..', '/a/up');
    for (const path of ['/rel/f', '/abs/f', '/a/file', '/a/root/a/root/rel/f', '/a/up/a/f']) expect(g.get(path)).toBe('text');
  });

  it('finds loops', () => {
    const g = makeGuest();
    g.call('symlink', 'b', '/a');
    g.call('symlink', 'a', '/b');
    g.call('symlink', '.', '/self');
    expect(g.get('/a')).toBe('ELOOP');
    expect(g.get('/a/x')).toBe('ELOOP');
    g.put('/f', 'x');
    expect(g.get(`${'/self'.repeat(40)}/f`)).toBe('x');
    expect(g.get(`${'/self'.repeat(41)}/f`)).toBe('ELOOP');
  });

  it('limits names and paths', () => {
    const g = makeGuest();
    expect(g.get(`/${'n'.repeat(255)}`)).toBe('ENOENT');
    expect(g.get(`/${'n'.repeat(256)}`)).toBe('ENAMETOOLONG');
    expect(g.get(`/${'ü'.repeat(128)}`)).toBe('ENAMETOOLONG');
    expect(g.get('/.'.repeat(2047))).toBe('EISDIR');
    expect(g.get('/.'.repeat(2048))).toBe('ENAMETOOLONG');
  });

  it('takes a trailing slash for a directory', () => {
    const g = makeGuest();
    g.put('/f', 'x');
    g.call('mkdir', '/d', 0o755);
    g.call('symlink', 'd', '/l');
    const buffer = g.alloc(144);
    expect(g.get('/f/')).toBe('ENOTDIR');
    expect(g.call('stat64', '/d/', buffer)).toBe(0);
    // lstat of a link with a slash tells of the directory
    g.call('lstat64', '/l/', buffer);
    expect(g.memory.u32(buffer + 16) & 0o170000).toBe(0o040000);
    g.call('lstat64', '/l', buffer);
    expect(g.memory.u32(buffer + 16) & 0o170000).toBe(0o120000);
    expect(g.call('open', '/new/', 1 | g.o.O_CREAT, 0o644)).toBe('EISDIR');
    expect(g.call('mkdir', '/new/', 0o755)).toBe(0);
    expect(g.call('unlink', '/f/')).toBe('ENOTDIR');
    expect(g.call('rename', '/f/', '/g')).toBe('ENOTDIR');
    expect(g.call('rename', '/new/', '/newer/')).toBe(0);
    expect(g.call('rmdir', '/l/')).toBe('ENOTDIR');
  });

  it('obeys O_NOFOLLOW, O_EXCL, O_DIRECTORY and O_CREAT with links', () => {
    const g = makeGuest();
    g.put('/f', 'x');
    g.call('symlink', 'f', '/l');
    g.call('symlink', 'made', '/dangling');
    expect(g.call('open', '/l', g.o.O_NOFOLLOW)).toBe('ELOOP');
    expect(g.call('open', '/l', g.o.O_NOFOLLOW | g.o.O_PATH)).toBe(3);
    expect(g.call('open', '/f', g.o.O_DIRECTORY)).toBe('ENOTDIR');
    expect(g.call('open', '/dangling', 1 | g.o.O_CREAT | g.o.O_EXCL, 0o644)).toBe('EEXIST');
    expect(g.call('mkdir', '/dangling', 0o755)).toBe('EEXIST');
    expect(g.call('open', '/dangling', 1 | g.o.O_CREAT, 0o644)).toBe(4);
    expect(g.get('/made')).toBe('');
    expect(g.call('open', '/', 1)).toBe('EISDIR');
    const at = g.alloc(16);
    // the link itself, through its descriptor
    expect(g.call('readlinkat', 3, '', at, 16)).toBe(1);
    expect(g.read(at, 1)).toBe('f');
  });

  it('resolves relative to a descriptor', () => {
    const g = makeGuest();
    g.call('mkdir', '/d', 0o755);
    g.put('/d/f', 'x');
    const fd = g.call('open', '/d', 0) as number;
    const file = g.call('openat', fd, 'f', 0) as number;
    expect(file).toBeGreaterThan(fd);
    expect(g.call('openat', 99, 'f', 0)).toBe('EBADF');
    expect(g.call('openat', 99, '/d/f', 0)).toBe(5);
    expect(g.call('openat', file, 'f', 0)).toBe('ENOTDIR');
    const buffer = g.alloc(256);
    expect(g.call('fstatat64', file, '', buffer, 0)).toBe('ENOENT');
    expect(g.call('fstatat64', file, '', buffer, 0x1000)).toBe(0);
    expect(g.call('fstatat64', file, '', buffer, 0x8000)).toBe('EINVAL');
    expect(g.call('fchdir', fd)).toBe(0);
    expect(g.get('f')).toBe('x');
  });

  it('knows the working directory after it was renamed and removed', () => {
    const g = makeGuest();
    const at = g.alloc(64);
    g.call('mkdir', '/d', 0o755);
    g.call('mkdir', '/d/e', 0o755);
    g.call('chdir', '/d/e');
    expect(g.call('getcwd', at, 64)).toBe(5);
    expect(g.call('getcwd', at, 4)).toBe('ERANGE');
    g.call('rename', '/d', '/long');
    expect(g.call('getcwd', at, 64)).toBe(8);
    expect(g.read(at, 8)).toBe('/long/e\0');
    expect(g.call('rename', '/long', '/long/e/x')).toBe('EINVAL');
    g.call('rmdir', '/long/e');
    expect(g.call('getcwd', at, 64)).toBe('ENOENT');
    expect(g.call('mkdir', 'x', 0o755)).toBe('ENOENT');
  });

  it('checks permissions of those who are not root', () => {
    const g = makeGuest();
    g.call('mkdir', '/locked', 0o700);
    g.put('/locked/f', 'x');
    g.put('/mine', 'x');
    g.call('chown', '/mine', 1000, 1000);
    g.call('chmod', '/mine', 0o400);
    Object.assign(g.p.credentials, { euid: 1000, fsuid: 1000, capabilities: initialCapabilities(1000) });
    expect(g.get('/locked/f')).toBe('EACCES');
    expect(g.get('/mine')).toBe('x');
    expect(g.call('open', '/mine', 1)).toBe('EACCES');
    expect(g.call('open', '/new', 1 | g.o.O_CREAT, 0o644)).toBe('EACCES');
    expect(g.call('chmod', '/locked', 0o777)).toBe('EPERM');
    expect(g.call('chmod', '/mine', 0o600)).toBe(0);
  });

  it('keeps names that are not UTF-8', () => {
    const g = makeGuest();
    const name = g.bytes(Uint8Array.of(0x2f, 0xff, 0xc3, 0xa4, 0x80, 0));
    expect(g.call('mkdir', name, 0o755)).toBe(0);
    expect(g.call('rmdir', g.bytes(Uint8Array.of(0x2f, 0xff, 0xc3, 0xa4, 0x80, 0)))).toBe(0);
    g.call('mkdir', name, 0o755);
    expect(g.call('chdir', name)).toBe(0);
    const at = g.alloc(64);
    expect(g.call('getcwd', at, 64)).toBe(6);
    expect([...g.memory.view(at, 6, 'read')]).toEqual([0x2f, 0xff, 0xc3, 0xa4, 0x80, 0]);
  });
});
