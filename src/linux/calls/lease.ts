import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import type { Description } from '../fs/file-table.ts';
import { LeaseType } from '../fs/leases.ts';
import { identity, Mode, WOULD_BLOCK } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import type { SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import { forgetOwner, tellOwner } from './asynchronous.ts';
import { lockable, unlockAll } from './lock.ts';

/** F_GETLEASE */
export const getLease = (p: Process, description: Description): number =>
  p.files.namespace.leases.typeOf(lockable(description), description);

/** How often a file is open besides, as far as descriptors tell. */
function otherUses(p: Process, description: Description): { readonly writers: boolean; readonly any: boolean } {
  const key = identity(lockable(description));
  const found = new Set<Description>();
  for (const { end, leader } of p.system.processes.values()) {
    if (end) continue;
    for (const fd of leader.files.list()) {
      const other = leader.files.get(fd);
      if (other !== description && !other.pathOnly && identity(lockable(other)) === key) found.add(other);
    }
  }
  return { writers: [...found].some(({ access }) => access.write), any: found.size > 0 };
}

/** F_SETLEASE */
export function setLease(p: Process, fd: number, wanted: number): number {
  const description = p.files.get(fd);
  const { leases } = p.files.namespace;
  const inode = lockable(description);
  if (description.pathOnly) return -Errno.EBADF;
  if (inode.stat().uid !== p.credentials.fsuid && !capable(p, Cap.Lease)) return -Errno.EACCES;
  if (inode.format !== Mode.Regular || wanted > LeaseType.None) return -Errno.EINVAL;
  if (wanted === LeaseType.None) {
    if (!leases.clear(inode, description)) return -Errno.EAGAIN;
    forgetOwner(description);
    return 0;
  }
  const uses = otherUses(p, description);
  const others = leases.others(inode, description);
  if (wanted === LeaseType.Read ? uses.writers || description.access.write || others.leaving : uses.any || others.any) return -Errno.EAGAIN;
  description.unlock = () => unlockAll(p, description);
  leases.set(inode, description, wanted === LeaseType.Read ? wanted : LeaseType.Write, tellOwner(p, description, fd));
  return 0;
}

/**
 * Makes `attempt` until no lease is in the way, which it tells by WOULD_BLOCK; once their holders' time is over, it is asked to
 * take no notice of them.
 */
export function afterLeases(p: Process, nonblock: boolean, attempt: (expired: boolean) => SyscallResult): SyscallResult {
  let result = attempt(false);
  if (result !== WOULD_BLOCK) return result;
  if (nonblock) return -Errno.EAGAIN;
  const again = (expired: boolean): number => {
    result = attempt(expired);
    return result === WOULD_BLOCK ? WOULD_BLOCK : 0;
  };
  const { leases } = p.files.namespace;
  const waited = waitFor(p, [leases], again, { milliseconds: leases.breakTime * 1000 });
  return waited instanceof Promise ? waited.then((interrupted) => interrupted || result) : result;
}
