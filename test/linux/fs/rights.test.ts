import { describe, expect, it } from 'vitest';
import { initialCapabilities } from '../../../src/linux/capabilities.ts';
import { Locks } from '../../../src/linux/fs/locks.ts';
import { MemoryFileSystem } from '../../../src/linux/fs/memory-fs.ts';
import { placeOf } from '../../../src/linux/fs/namespace.ts';
import { isDirectory, Mode } from '../../../src/linux/fs/vfs.ts';
import { makeGuest } from './guest.ts';

type Guest = ReturnType<typeof makeGuest>;
const statusOf = (g: Guest, path: string) => g.p.files.namespace.resolve(g.p.files.cwd, path, 'nofollow').inode!.stat();
function become(g: Guest, id: number): void {
  Object.assign(g.p.credentials, { euid: id, egid: id, fsuid: id, fsgid: id, capabilities: initialCapabilities(id) });
}

describe('files and who may do what', () => {
  it('are owned by who makes them', () => {
    const g = makeGuest();
    g.call('mkdir', '/all', 0o777);
    g.call('chmod', '/all', 0o777);
    become(g, 1000);
    g.put('/all/f', 'x');
    g.call('mkdir', '/all/d', 0o755);
    g.call('symlink', 'f', '/all/l');
    for (const name of ['f', 'd', 'l']) expect(statusOf(g, `/all/${name}`)).toMatchObject({ uid: 1000, gid: 1000 });
    expect(g.call('chown', '/all/f', 1000, 2000)).toBe('EPERM');
    expect(g.call('chown', '/all/f', 1000, 1000)).toBe(0);
  });

  it('have the group of a directory that says so', () => {
    const g = makeGuest();
    g.call('mkdir', '/shared', 0o777);
    g.call('chown', '/shared', 0, 50);
    g.call('chmod', '/shared', 0o2777);
    become(g, 1000);
    g.call('mkdir', '/shared/d', 0o755);
    expect(statusOf(g, '/shared/d')).toMatchObject({ uid: 1000, gid: 50, mode: Mode.Directory | 0o2755 });
  });

  it('in a sticky directory are for their owners to remove', () => {
    const g = makeGuest();
    g.call('mkdir', '/sticky', 0o777);
    g.call('chmod', '/sticky', 0o1777);
    g.put('/sticky/f', 'x');
    become(g, 1000);
    expect(g.call('unlink', '/sticky/f')).toBe('EPERM');
    expect(g.call('rename', '/sticky/f', '/sticky/g')).toBe('EPERM');
  });

  it('may be nodes of devices', () => {
    const g = makeGuest();
    expect(g.call('mknod', '/zero', Mode.Character | 0o666, 0x105)).toBe(0);
    const at = g.alloc(16);
    const fd = g.call('open', '/zero', 0) as number;
    expect(g.call('read', fd, at, 4)).toBe(4);
    expect(g.call('mknod', '/disk', Mode.Block | 0o600, 0x800)).toBe(0);
    expect(g.call('open', '/disk', 0)).toBe('ENXIO');
    become(g, 1000);
    expect(g.call('mknod', '/tmp/null', Mode.Character | 0o666, 0x103)).toBe('EPERM');
  });
});

describe('mounts', () => {
  it('cover each other, and go away in turn', () => {
    const g = makeGuest();
    const { namespace } = g.p.files;
    g.call('mkdir', '/m', 0o755);
    g.put('/m/below', 'x');
    const place = placeOf(namespace, namespace.resolve(namespace.root, '/m', 'follow'));
    for (const _ of [1, 2]) namespace.cover(place.directory, place.name, new MemoryFileSystem());
    g.put('/m/above', 'y');
    expect(g.list('/m')).toEqual(['.', '..', 'above']);
    namespace.uncover(namespace.mounts.at(-1)!);
    expect(g.list('/m')).toEqual(['.', '..']);
    namespace.uncover(namespace.mounts.at(-1)!);
    expect(g.get('/m/below')).toBe('x');
    expect(isDirectory(namespace.root)).toBe(true);
  });
});

describe('record locks', () => {
  const inode = new MemoryFileSystem().root;
  const lock = (owner: object, start: number, end: number, isWrite = true) => ({ owner, pid: 1, isWrite, start, end });

  it('become one where they meet', () => {
    const locks = new Locks();
    const [one, other] = [{}, {}];
    locks.set('fcntl', inode, lock(one, 10, 20));
    locks.set('fcntl', inode, lock(one, 0, 5));
    locks.set('fcntl', inode, lock(one, 5, 10));
    expect(locks.conflict('fcntl', inode, lock(other, 0, 1))).toMatchObject({ start: 0, end: 20 });
  });

  it('are not waited for in a circle', () => {
    const locks = new Locks();
    const [a, b, c] = [{}, {}, {}];
    for (const [owner, start] of [
      [a, 0],
      [b, 1],
      [c, 2],
    ] as const)
      locks.set('fcntl', inode, lock(owner, start, start + 1));
    expect(locks.wait('fcntl', inode, lock(a, 1, 2))).toBeDefined();
    const leave = locks.wait('fcntl', inode, lock(b, 2, 3));
    expect(locks.wait('fcntl', inode, lock(c, 0, 1))).toBeUndefined();
    leave?.();
    expect(locks.wait('fcntl', inode, lock(c, 0, 1))).toBeDefined();
  });
});
