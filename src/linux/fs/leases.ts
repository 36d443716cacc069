import type { Description } from './file-table.ts';
import { type Inode, identity } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** F_RDLCK, F_WRLCK and F_UNLCK of fcntl(2). */
export const enum LeaseType {
  Read = 0,
  Write = 1,
  None = 2,
}

/** An open file whose holder is told before somebody else opens the file in a way that its type excludes. */
interface Lease {
  readonly holder: Description;
  type: LeaseType;
  /** What it has to become; the same as `type` as long as nobody waits for it. */
  target: LeaseType;
  readonly tell: () => void;
}

export interface Leases {
  /** Seconds that a holder has (/proc/sys/fs/lease-break-time). */
  breakTime: number;
  /** Calls back when some lease has become less. */
  readonly subscribe: WaitQueue['subscribe'];
  /** What the holder has, or will have once it has done what it was told. */
  typeOf(inode: Inode, holder: Description): LeaseType;
  /** Whether others than the holder have one, and whether any is being taken back. */
  others(inode: Inode, holder: Description): { readonly any: boolean; readonly leaving: boolean };
  set(inode: Inode, holder: Description, type: LeaseType.Read | LeaseType.Write, tell: () => void): void;
  /** False if there is none. */
  clear(inode: Inode, holder: Description): boolean;
  /** Whether leases are in the way of opening the file so; their holders have been told. */
  inTheWay(inode: Inode, writes: boolean): boolean;
  /** Their time is over: they are as they should be. */
  expire(inode: Inode): void;
}

export function makeLeases(): Leases {
  const files = new Map<string, Lease[]>();
  const queue = new WaitQueue();
  // most files have none: then nothing is looked up
  const of = (inode: Inode): readonly Lease[] => (files.size === 0 ? [] : (files.get(identity(inode)) ?? []));

  function keep(inode: Inode, leases: Lease[]): void {
    if (leases.length > 0) files.set(identity(inode), leases);
    else files.delete(identity(inode));
    queue.wake();
  }

  return {
    breakTime: 45,
    subscribe: queue.subscribe,
    typeOf: (inode, holder) => of(inode).find((lease) => lease.holder === holder)?.target ?? LeaseType.None,
    others(inode, holder) {
      const others = of(inode).filter((lease) => lease.holder !== holder);
      return { any: others.length > 0, leaving: of(inode).some(({ target }) => target === LeaseType.None) };
    },
    set(inode, holder, type, tell) {
      const others = of(inode).filter((lease) => lease.holder !== holder);
      keep(inode, [...others, { holder, type, target: type, tell }]);
    },
    clear(inode, holder) {
      const leases = of(inode);
      const rest = leases.filter((lease) => lease.holder !== holder);
      if (rest.length === leases.length) return false;
      keep(inode, rest);
      return true;
    },
    inTheWay(inode, writes) {
      const conflicts = of(inode).filter(({ type }) => writes || type === LeaseType.Write);
      const target = writes ? LeaseType.None : LeaseType.Read;
      for (const lease of conflicts) {
        if (lease.target === LeaseType.None || lease.target === target) continue;
        lease.target = target;
        lease.tell();
      }
      return conflicts.length > 0;
    },
    expire(inode) {
      const leases = of(inode).map((lease) => ({ ...lease, type: lease.target }));
      keep(
        inode,
        leases.filter(({ type }) => type !== LeaseType.None),
      );
    },
  };
}
