import { type Saved, SnapshotError } from '../../snapshot/file.ts';
import { MemoryDirectory, MemoryFile, type MemoryInode } from './memory-fs.ts';
import { decodeName, encodeName } from './names.ts';
import { isDirectory, isSymlink } from './vfs.ts';

type Entry = { readonly [name: string]: Saved };

function attributes({ permissions, uid, gid, atime, mtime }: MemoryInode): Entry {
  return { mode: permissions, uid, gid, atime: String(atime), mtime: String(mtime) };
}
function setAttributes(inode: MemoryInode, { mode, uid, gid, atime, mtime }: Entry): void {
  inode.setAttributes({
    mode: Number(mode),
    uid: Number(uid),
    gid: Number(gid),
    atime: BigInt(atime as string),
    mtime: BigInt(mtime as string),
  });
}

/** Folders in one another: each takes two levels of what can be decoded. */
const MOST_DEPTH = 256;

/** All that is in a directory in memory. `known`: files that have a name already. Throws SnapshotError. */
export function saveTree(directory: MemoryDirectory, known = new Map<MemoryFile, Uint8Array>(), above = '', depth = 0): Entry {
  if (depth > MOST_DEPTH) throw new SnapshotError(`folders in memory are in one another more than ${MOST_DEPTH} deep`);
  const entries = directory.list().map(({ name }): Entry => {
    const inode = directory.lookup(name)!;
    const path = `${above}/${name}`;
    const named = { name: encodeName(name) };
    if (inode instanceof MemoryDirectory) return { ...named, ...saveTree(inode, known, path, depth + 1) };
    if (isSymlink(inode)) return { ...named, target: encodeName(inode.readlink()) };
    if (!(inode instanceof MemoryFile)) throw new SnapshotError(`${path}, which is in memory, is neither a file nor a folder`);
    const first = known.get(inode);
    if (first) return { ...named, first };
    known.set(inode, encodeName(path));
    return { ...named, ...attributes(inode), content: inode.bytes() };
  });
  return { ...attributes(directory), entries };
}

/** Puts it there, over what is there already. */
export function restoreTree(directory: MemoryDirectory, saved: Entry, root = directory): void {
  for (const entry of saved.entries as readonly Entry[]) {
    const name = decodeName(entry.name as Uint8Array);
    const there = directory.lookup(name);
    if (entry.entries) {
      const made = there instanceof MemoryDirectory ? there : directory.makeDirectory(name, 0o700);
      restoreTree(made, entry, root);
      continue;
    }
    if (there && isDirectory(there)) throw new SnapshotError(`${name} is a folder now`);
    if (there) directory.unlink(name);
    if (entry.target) directory.makeSymlink(name, decodeName(entry.target as Uint8Array));
    else if (entry.first) directory.link(name, fileAt(root, decodeName(entry.first as Uint8Array)));
    else {
      const file = directory.makeFile(name, 0o600);
      const content = entry.content as Uint8Array;
      if (content.length > 0) file.writeAt(content, 0);
      setAttributes(file, entry);
    }
  }
  setAttributes(directory, saved);
}

function fileAt(root: MemoryDirectory, path: string): MemoryFile {
  let at: unknown = root;
  for (const name of path.split('/').filter(Boolean)) at = at instanceof MemoryDirectory ? at.lookup(name) : undefined;
  if (at instanceof MemoryFile) return at;
  throw new SnapshotError(`no file ${path} for a second name of it`);
}
