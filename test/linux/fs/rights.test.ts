import { describe, expect, it } from 'vitest';
import { mountCalls } from '../../../src/linux/calls/mount.ts';
import { dividedCredentialCalls, processCalls } from '../../../src/linux/calls/process.ts';
import { ALL_CAPABILITIES, initialCapabilities } from '../../../src/linux/capabilities.ts';
import { Locks } from '../../../src/linux/fs/locks.ts';
import { MEMORY_LIMIT, MemoryFileSystem } from '../../../src/linux/fs/memory-fs.ts';
import { placeOf } from '../../../src/linux/fs/namespace.ts';
import { isDirectory, Mode } from '../../../src/linux/fs/vfs.ts';
import type { PartialCall, Syscall } from '../../../src/linux/syscall.ts';
import { makeGuest } from './guest.ts';

type Guest = ReturnType<typeof makeGuest>;
const statusOf = (g: Guest, path: string) => g.p.files.namespace.resolve(g.p.files.cwd, path, 'nofollow').inode!.stat();
const EPERM = -1;
const EBUSY = -16;
const EINVAL = -22;

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

describe('capabilities', () => {
  it('are gone with the last id that is root’s', () => {
    for (const call of ['setreuid32', 'setresuid32', 'setuid32']) {
      const { p } = makeGuest();
      const set = dividedCredentialCalls[call] as Syscall;
      expect(set(p, [1000, 1000, 1000])).toBe(0);
      expect(p.credentials).toMatchObject({ uid: 1000, euid: 1000, suid: 1000, capabilities: { permitted: 0n, effective: 0n } });
    }
  });
  it('let one ask for the limits of others’ processes', () => {
    const [g, other] = [makeGuest(), makeGuest()];
    Object.assign(other.p.group, { pid: 8, leader: other.p });
    g.p.system.processes.set(8, other.p.group);
    const { call } = processCalls.prlimit64 as PartialCall;
    const RLIMIT_NOFILE = 7;
    const ask = () => call(g.p, [8, RLIMIT_NOFILE, 0, g.alloc(16)]);
    expect(ask()).toBe(0);
    become(g, 1000);
    g.p.credentials.uid = 1000;
    expect(ask()).toBe(EPERM);
  });
  it('are kept for one that may be root again', () => {
    const { p } = makeGuest();
    (dividedCredentialCalls.setreuid32 as Syscall)(p, [0xffff_ffff, 1000]);
    expect(p.credentials).toMatchObject({ uid: 0, euid: 1000, suid: 1000, capabilities: { permitted: ALL_CAPABILITIES, effective: 0n } });
  });
});

/** A call of mount(2)'s family; what fails is thrown. */
function administer(g: Guest, name: keyof typeof mountCalls, ...list: (number | string)[]): number {
  const row = mountCalls[name];
  const call = typeof row === 'function' ? row : row.call;
  return call(g.p, [...list.map((one) => (typeof one === 'string' ? g.text(one) : one)), 0, 0]) as number;
}
function makeAdministrator(options = {}): Guest {
  const g = makeGuest('i386', options);
  Object.assign(g.p.group, { leader: g.p });
  const mounted = { used: 0, entries: 0, limit: MEMORY_LIMIT, detached: new Set() };
  Object.assign(g.p.system, { mounted, first: g.p.group });
  g.call('mkdir', '/m', 0o755);
  return g;
}

describe('mounts', () => {
  it('count what they hold until nobody has it', () => {
    const g = makeAdministrator();
    const { mounted } = g.p.system;
    administer(g, 'mount', 'none', '/m', 'tmpfs', 0, 0);
    g.call('mkdir', '/m/d', 0o755);
    g.put('/m/d/f', 'x'.repeat(1000));
    const fd = g.call('open', '/m/d/f', 0) as number;
    const description = g.p.files.get(fd);
    description.references++;
    // as one that is on its way through a socket
    g.call('close', fd);
    const { used } = mounted;
    expect(used).toBeGreaterThanOrEqual(1000);
    expect(administer(g, 'umount2', '/m', 0)).toBe(0);
    expect(mounted).toMatchObject({ used, entries: 0 });
    description.file!.truncate!(0);
    description.file!.close!();
    expect(mounted).toMatchObject({ used: 0, entries: 0 });
  });

  it('may go deep', () => {
    const g = makeAdministrator();
    const { mounted } = g.p.system;
    administer(g, 'mount', 'none', '/m', 'tmpfs', 0, 0);
    const fileSystem = g.p.files.namespace.mounts.at(-1)!.fileSystem as MemoryFileSystem;
    let directory = fileSystem.root;
    for (let depth = 0; depth < 20_000; depth++) directory = directory.makeDirectory('d', 0o755);
    expect(administer(g, 'umount2', '/m', 0)).toBe(0);
    expect(mounted.entries).toBe(0);
    expect(directory.removed).toBe(true);
  });

  it('stay read-only, and are not emptied, where the embedder has made them', () => {
    const fileSystem = new MemoryFileSystem({ readOnly: true });
    const own = new MemoryFileSystem();
    own.root.makeFile('f', 0o644);
    const g = makeAdministrator({
      mounts: [
        { path: '/fixed', fileSystem },
        { path: '/own', fileSystem: own },
      ],
    });
    expect(administer(g, 'mount', 'none', '/fixed', 0, 0x20, 0)).toBe(EINVAL);
    expect(fileSystem.readOnly).toBe(true);
    expect(administer(g, 'umount2', '/own', 0)).toBe(0);
    expect(own.root.lookup('f')).toBeDefined();
    expect(administer(g, 'mount', 'none', '/', 'tmpfs', 0, 0)).toBe(EBUSY);
  });

  it('change places with the root, which may be above the new one', () => {
    const g = makeAdministrator();
    const { files } = g.p;
    administer(g, 'mount', 'none', '/m', 'tmpfs', 0, 0);
    g.put('/below', 'old');
    g.put('/m/new', 'new');
    const old = files.namespace.root;
    files.cwd = files.namespace.directory(files.namespace.resolve(old, '/m', 'follow'));
    expect(administer(g, 'pivot_root', '.', '.')).toBe(0);
    expect(g.get('/new')).toBe('new');
    expect(g.list('/')).toEqual(['.', '..', 'new']);
    files.cwd = old;
    expect(files.namespace.pathOf(old)).toBe('/');
    expect(administer(g, 'umount2', '.', 2)).toBe(0);
    expect(g.get('/below')).toBe('ENOENT');
  });

  it('do not change places with what covers them', () => {
    const g = makeAdministrator();
    const { files } = g.p;
    const mount = () => administer(g, 'mount', 'none', '/m', 'tmpfs', 0, 0);
    mount();
    files.cwd = files.namespace.directory(files.namespace.resolve(files.namespace.root, '/m', 'follow'));
    mount();
    g.call('mkdir', '/m/x', 0o755);
    expect(administer(g, 'pivot_root', '.', '/m/x')).toBe(EINVAL);
    expect(administer(g, 'pivot_root', '/m', '/m/x')).toBe(0);
    expect(g.list('/x')).toContain('m');
  });

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

  it('are not given to who waits for them while their owner changes them', () => {
    const locks = new Locks();
    const [owner, other] = [lock({}, 0, 10), lock({}, 0, 10)];
    for (const kind of ['fcntl', 'flock'] as const) {
      locks.set(kind, inode, owner);
      let got = 0;
      const end = locks.subscribe(() => {
        if (locks.conflict(kind, inode, other)) return;
        locks.set(kind, inode, other);
        got++;
      });
      locks.set(kind, inode, owner);
      expect(got).toBe(0);
      locks.clear(kind, inode, owner);
      expect(got).toBe(1);
      end();
    }
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
