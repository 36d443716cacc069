import { fail } from '../fs/fail.ts';
import { MemorySocket } from '../fs/memory-fs.ts';
import { demand, Want } from '../fs/namespace.ts';
import type { LocalName } from '../net/address.ts';
import type { Sender } from '../net/inbox.ts';
import { isSocket, Socket } from '../net/socket.ts';
import type { Process } from '../process.ts';
import { effective } from './arguments.ts';
import { freePlace } from './names.ts';

export function socketOf(p: Process, fd: number): Socket {
  const { file, pathOnly } = p.files.get(fd);
  if (pathOnly) fail('EBADF');
  return isSocket(file) ? file : fail('ENOTSOCK');
}

export const ownerOf = (p: Process): Sender => ({ pid: p.pid, uid: p.credentials.euid, gid: p.credentials.egid });

/** Of each type there may be one of that name. */
const abstractKey = ({ type }: Socket, name: string): string => `${type} ${name}`;

/** Binds to a name, or to one that is free. */
export function bindLocal(p: Process, socket: Socket, given: LocalName | undefined): void {
  const { abstract, names } = p.system.sockets;
  if (given && !given.name.startsWith('\0')) {
    const place = freePlace(p, p.files.namespace.resolve(p.files.cwd, given.name, 'parent', effective(p)), false, 'EADDRINUSE');
    if (socket.local) fail('EINVAL');
    const inode = new MemorySocket(names, 0o777 & ~p.files.umask, socket);
    inode.uid = p.credentials.euid;
    inode.gid = p.credentials.egid;
    p.files.namespace.addName(place.directory, place.name, inode);
    socket.onClose.push(() => {
      inode.bound = undefined;
    });
    socket.local = given;
    return;
  }
  if (socket.local) fail('EINVAL');
  const candidate = (n: number): string => `\0${n.toString(16).padStart(5, '0')}`;
  let name = given?.name ?? candidate(0);
  for (let n = 1; abstract.has(abstractKey(socket, name)); n++) {
    if (given) fail('EADDRINUSE');
    name = candidate(n);
  }
  abstract.set(abstractKey(socket, name), socket);
  socket.onClose.push(() => void abstract.delete(abstractKey(socket, name)));
  socket.local = { name };
}

/** The socket of that name and type. */
export function localSocket(p: Process, from: Socket, { name }: LocalName): Socket {
  let found: object | undefined;
  if (name.startsWith('\0')) found = p.system.sockets.abstract.get(abstractKey(from, name));
  else {
    const inode = p.files.namespace.resolve(p.files.cwd, name, 'follow', effective(p)).inode ?? fail('ENOENT');
    demand(inode, Want.Write, effective(p));
    found = inode instanceof MemorySocket ? inode.bound : undefined;
  }
  if (!(found instanceof Socket)) return fail('ECONNREFUSED');
  if (found.type !== from.type) fail('EPROTOTYPE');
  return found;
}
