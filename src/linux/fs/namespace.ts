import { BusyFiles } from './busy.ts';
import { fail } from './fail.ts';
import { makeLeases } from './leases.ts';
import { Locks } from './locks.ts';
import { MemoryDirectory, MemoryFileSystem } from './memory-fs.ts';
import { compareNames, encodeName } from './names.ts';
import {
  type Directory,
  type DirectoryEntry,
  type FileSystem,
  type Inode,
  isDirectory,
  isSymlink,
  Mode,
  NAME_MAX,
  PATH_MAX,
} from './vfs.ts';
import { WaitQueue } from './wait.ts';
import { Watches } from './watches.ts';

/** Symbolic links that one path may lead through (path_resolution(7)). */
const MAX_LINKS = 40;
/** Names that may be given to what is in no file system. */
const MOST_NAMES = 16384;

export const enum Want {
  Read = 4,
  Write = 2,
  Execute = 1,
}

/** Who asks. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** CAP_DAC_OVERRIDE: passes all checks but whether a file is a program; CAP_DAC_READ_SEARCH: may read all, and search directories. */
  readonly overrides?: boolean;
  readonly searches?: boolean;
}

export interface Mount {
  readonly fileSystem: FileSystem;
  /** Where it covers a name; undefined for the root. */
  parent: Directory | undefined;
  name: string;
}

/** Where a path leads: `name` in `directory`, and what is there, if anything. */
export interface Place {
  readonly directory: Directory;
  /** '' if the path ends in `.`, `..` or is the root: then `directory` is what it names. */
  readonly name: string;
  readonly inode: Inode | undefined;
  /** The path ends in a slash, so it can only name a directory. */
  readonly slash: boolean;
  /** The last component as written: `.`, `..`, or '' for the root. */
  readonly last: string;
}

/** Where something is: its name, and the directory that has that. */
export type FoundPlace = { readonly directory: Directory; readonly name: string; readonly inode: Inode };

/** Of what a path leads to, also where it ends in `.` or is the root, which has no name. ENOENT if there is nothing. */
export function placeOf(namespace: Namespace, { directory, name, inode }: Place): FoundPlace {
  if (!inode) fail('ENOENT');
  if (name !== '') return { directory, name, inode };
  const mount = namespace.mounts.find(({ fileSystem }) => fileSystem.root === inode);
  if (mount?.parent) return { directory: mount.parent, name: mount.name, inode };
  return { directory: directory.parent ?? directory, name: directory.name, inode };
}

/** How to treat a symbolic link that a path ends in. `parent` does not look through a trailing slash either. */
export type Final = 'follow' | 'nofollow' | 'parent';

/**
 * The directory tree that a program sees: file systems mounted over names in one another. Paths are resolved here,
 * component by component; no file system ever sees more than a single name.
 */
export class Namespace {
  readonly mounts: Mount[] = [];
  readonly locks = new Locks();
  readonly leases = makeLeases();
  readonly busy = new BusyFiles();
  readonly watches = new Watches();
  readonly root: Directory;
  /** What covers a name, the newest last. */
  private readonly covered = new Map<Directory, Map<string, Inode[]>>();
  private readonly mountOf = new Map<Inode, Mount>();
  private nextDevice = 0x10;
  /** Calls have changed what is mounted; the same for all that have other roots. */
  private readonly history = { changed: false, mounts: 0, queue: new WaitQueue() };
  get changed(): boolean {
    return this.history.changed;
  }
  noteChange(): void {
    this.history.changed = true;
  }
  /** How often what is mounted has changed, and who is told of that. */
  get mountChanges(): number {
    return this.history.mounts;
  }
  readonly subscribeMounts = this.history.queue.subscribe;
  private noteMounts(): void {
    this.history.mounts++;
    this.history.queue.wake();
  }
  /** Where the nodes of devices are. */
  devices?: Directory;
  /** A further /proc. */
  makeProc?: () => FileSystem;
  /** Names that no file system has: of sockets, wherever they are. */
  private readonly named = new Map<Directory, Map<string, Inode>>();
  private readonly names = { count: 0 };

  constructor(root: FileSystem) {
    if (!isDirectory(root.root)) throw new Error('the root of a file tree must be a directory');
    this.root = root.root;
    this.addMount({ fileSystem: root, parent: undefined, name: '' });
  }

  /** The same tree with a directory of it for its root (chroot(2)). */
  below(root: Directory): Namespace {
    return Object.assign(Object.create(Namespace.prototype) as Namespace, this, { root });
  }

  private addMount(mount: Mount): void {
    const { fileSystem } = mount;
    const isTaken = (number: number): boolean => this.mounts.some(({ fileSystem: { device } }) => device === number);
    // Minor numbers of major 0, as Linux gives file systems without a device. Another namespace may have given one before.
    if (fileSystem.device === 0 || isTaken(fileSystem.device)) {
      while (isTaken(this.nextDevice)) this.nextDevice++;
      fileSystem.device = this.nextDevice;
    }
    this.mounts.push(mount);
    this.mountOf.set(mount.fileSystem.root, mount);
  }

  /** Mounts at an absolute path. Directories on the way that do not exist are made up in memory. */
  mount(path: string, fileSystem: FileSystem): void {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    if (!path.startsWith('/') || names.includes('..') || names.length === 0)
      throw new Error(`cannot mount at '${path}': not an absolute path`);
    if (fileSystem.root.fileSystem !== fileSystem || this.mountOf.has(fileSystem.root))
      throw new Error(`'${path}': file system is mounted already`);
    const name = names.pop()!;
    let directory = this.root;
    for (const step of names) {
      const child = this.child(directory, step);
      if (child && isDirectory(child)) directory = child;
      else if (child && isSymlink(child)) directory = this.directory(this.resolve(directory, step, 'follow'));
      else if (child) fail('ENOTDIR');
      else if (directory instanceof MemoryDirectory) directory = directory.makeDirectory(step, 0o755);
      else {
        const made = new MemoryFileSystem();
        this.cover(directory, step, made);
        directory = made.root;
      }
    }
    this.cover(directory, name, fileSystem);
  }

  /** Mounts over a name. */
  cover(directory: Directory, name: string, fileSystem: FileSystem): void {
    let names = this.covered.get(directory);
    if (!names) {
      names = new Map();
      this.covered.set(directory, names);
    }
    this.addMount({ fileSystem, parent: directory, name });
    names.set(name, [...(names.get(name) ?? []), fileSystem.root]);
    this.noteMounts();
  }

  private lift({ fileSystem, parent, name }: Mount): void {
    const names = parent && this.covered.get(parent);
    const rest = names?.get(name)?.filter((inode) => inode !== fileSystem.root) ?? [];
    if (rest.length > 0) names?.set(name, rest);
    else names?.delete(name);
    if (names?.size === 0) this.covered.delete(parent!);
  }

  /** Takes a mount away. */
  uncover(mount: Mount): void {
    this.lift(mount);
    this.mounts.splice(this.mounts.indexOf(mount), 1);
    this.mountOf.delete(mount.fileSystem.root);
    this.noteMounts();
  }

  /** A mount is elsewhere from now on; `to` undefined: it is a root; without a name: above that directory, where no path leads. */
  move(mount: Mount, to: Pick<FoundPlace, 'directory' | 'name'> | undefined): void {
    if (mount.parent) this.lift(mount);
    Object.assign(mount, { parent: to?.directory, name: to?.name ?? '' });
    if (!to?.name) return;
    const names = this.covered.get(to.directory) ?? new Map<string, Inode[]>();
    names.set(to.name, [...(names.get(to.name) ?? []), mount.fileSystem.root]);
    this.covered.set(to.directory, names);
  }

  /** Whether something is mounted over this name: it can then not be removed or renamed (EBUSY). */
  isMountPoint(directory: Directory, name: string): boolean {
    return this.covered.get(directory)?.has(name) ?? false;
  }

  child(directory: Directory, name: string): Inode | undefined {
    return this.covered.get(directory)?.get(name)?.at(-1) ?? this.named.get(directory)?.get(name) ?? directory.lookup(name);
  }

  /** Whether something has a name that is in none of the file systems. */
  get hasNamed(): boolean {
    return this.names.count > 0;
  }

  /** Gives a name, which is free, to what is in none of the file systems. */
  addName(directory: Directory, name: string, inode: Inode): void {
    if (directory.fileSystem.readOnly) fail('EROFS');
    if (this.names.count >= MOST_NAMES) fail('ENOSPC');
    this.names.count++;
    this.named.set(directory, (this.named.get(directory) ?? new Map<string, Inode>()).set(name, inode));
  }
  /** False if it is no such name. */
  private dropName(directory: Directory, name: string): boolean {
    const names = this.named.get(directory);
    if (!names?.delete(name)) return false;
    if (names.size === 0) this.named.delete(directory);
    this.names.count--;
    return true;
  }

  unlink(directory: Directory, name: string): void {
    if (!this.dropName(directory, name)) directory.unlink(name);
  }

  removeDirectory(directory: Directory, name: string): void {
    const inode = directory.lookup(name);
    if (inode && isDirectory(inode) && this.named.has(inode)) fail('ENOTEMPTY');
    directory.removeDirectory(name);
  }

  rename(from: Directory, name: string, to: Directory, newName: string, exclusive: boolean): void {
    const moved = this.named.get(from)?.get(name);
    const replaced = this.named.get(to)?.get(newName);
    if (!moved && !replaced) {
      from.rename(name, to, newName, exclusive);
      return;
    }
    if (exclusive && this.child(to, newName)) fail('EEXIST');
    const source = this.child(from, name) ?? fail('ENOENT');
    const target = this.child(to, newName);
    if (source === target) return;
    if (replaced && isDirectory(source)) fail('ENOTDIR');
    if (target && isDirectory(target)) fail('EISDIR');
    if (target) this.unlink(to, newName);
    if (moved) {
      this.dropName(from, name);
      this.addName(to, newName, moved);
    } else from.rename(name, to, newName, true);
  }

  exchange(from: Directory, name: string, to: Directory, other: string): void {
    const ours = this.named.get(from)?.get(name);
    const theirs = this.named.get(to)?.get(other);
    if (!ours && !theirs) {
      from.exchange(name, to, other);
      return;
    }
    if (ours) this.dropName(from, name);
    if (theirs) this.dropName(to, other);
    if (!theirs) to.rename(other, from, name, true);
    if (!ours) from.rename(name, to, other, true);
    if (ours) this.addName(to, other, ours);
    if (theirs) this.addName(from, name, theirs);
  }

  /** The directory above, the root's being itself. */
  parent(directory: Directory): Directory {
    if (directory === this.root) return directory;
    return directory.parent ?? this.mountOf.get(directory)?.parent ?? directory;
  }

  entries(directory: Directory): DirectoryEntry[] {
    const covered = this.covered.get(directory);
    const named = this.named.get(directory);
    if (!covered && !named) return directory.list();
    const added = new Map(named);
    for (const [name, inodes] of covered ?? []) added.set(name, inodes.at(-1)!);
    const list = directory.list().filter((entry) => !added.has(entry.name));
    for (const [name, inode] of added) list.push({ name, inode: inode.stat().inode, format: inode.format });
    return list.sort((a, b) => compareNames(a.name, b.name));
  }

  /** Whether a directory is `above` or below it, without the root between them. */
  isBelow(directory: Directory, above: Directory): boolean {
    let at: Directory | undefined = directory;
    while (at && at !== above && at !== this.root) at = at.parent ?? this.mountOf.get(at)?.parent;
    return at === above;
  }

  /** Absolute path of a directory, as getcwd(2) gives it for one outside of the root; undefined once it is removed. */
  pathOf(directory: Directory): string | undefined {
    const names: string[] = [];
    for (let at = directory; at !== this.root; ) {
      if (at.removed) return undefined;
      const mount = at.parent ? undefined : this.mountOf.get(at);
      const above = at.parent ?? mount?.parent;
      if (above) names.push(mount ? mount.name : at.name);
      else return `(unreachable)/${names.reverse().join('/')}`;
      at = above;
    }
    return `/${names.reverse().join('/')}`;
  }

  pathOfPlace(place: Place): string {
    const directory = this.pathOf(place.directory) ?? '';
    if (place.name === '') return directory;
    return directory === '/' ? `/${place.name}` : `${directory}/${place.name}`;
  }

  /** ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES as path_resolution(7) has them. The last component may be missing. */
  resolve(start: Directory, path: string, final: Final, who?: Identity): Place {
    if (path === '') fail('ENOENT');
    if (encodeName(path).length >= PATH_MAX) fail('ENAMETOOLONG');
    let directory = path.startsWith('/') ? this.root : start;
    let slash = path.endsWith('/');
    let links = 0;
    const pending = path
      .split('/')
      .filter((name) => name !== '')
      .reverse();
    let last = '';
    while (pending.length > 0) {
      const name = pending.pop()!;
      if (who) demand(directory, Want.Execute, who);
      last = name;
      if (name === '.') continue;
      if (name === '..') {
        directory = this.parent(directory);
        continue;
      }
      if (name.length * 3 > NAME_MAX && encodeName(name).length > NAME_MAX) fail('ENAMETOOLONG');
      const isLast = pending.length === 0;
      const inode = this.child(directory, name);
      if (inode && isSymlink(inode) && (!isLast || final === 'follow' || (final === 'nofollow' && slash))) {
        if (++links > MAX_LINKS) fail('ELOOP');
        if (inode.follow) {
          const target = inode.follow();
          if (isLast) {
            if (slash && !isDirectory(target)) fail('ENOTDIR');
            return { directory, name, inode: target, slash, last };
          }
          if (!isDirectory(target)) fail('ENOTDIR');
          directory = target;
          continue;
        }
        const target = inode.readlink();
        if (target === '') fail('ENOENT');
        if (target.startsWith('/')) directory = this.root;
        if (isLast && target.endsWith('/')) slash = true;
        const names = target.split('/');
        for (let at = names.length - 1; at >= 0; at--) if (names[at] !== '') pending.push(names[at]);
        last = '';
        continue;
      }
      if (isLast) {
        if (slash && final !== 'parent' && inode && !isDirectory(inode)) fail('ENOTDIR');
        return { directory, name, inode, slash, last };
      }
      if (!inode) fail('ENOENT');
      if (!isDirectory(inode)) fail('ENOTDIR');
      directory = inode;
    }
    return { directory, name: '', inode: directory, slash, last };
  }

  /** The directory at a place; ENOENT or ENOTDIR if it is none. */
  directory(place: Place): Directory {
    const inode = place.inode ?? fail('ENOENT');
    return isDirectory(inode) ? inode : fail('ENOTDIR');
  }
}

/** Whether the permission bits let `who` do all of `want`. */
export function permits(inode: Inode, want: number, who: Identity): boolean {
  const stat = inode.stat();
  if (who.overrides) return !(want & Want.Execute) || inode.format === Mode.Directory || (stat.mode & 0o111) !== 0;
  if (who.searches && !(want & Want.Write) && (inode.format === Mode.Directory || !(want & Want.Execute))) return true;
  const shift = stat.uid === who.uid ? 6 : stat.gid === who.gid || who.groups.includes(stat.gid) ? 3 : 0;
  return ((stat.mode >> shift) & want) === want;
}

export function demand(inode: Inode, want: number, who: Identity): void {
  if (who.overrides && (!(want & Want.Execute) || inode.format === Mode.Directory)) return;
  if (!permits(inode, want, who)) fail('EACCES');
}
