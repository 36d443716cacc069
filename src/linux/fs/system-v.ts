import type { Owned } from '../calls/sysv.ts';
import type { System } from '../system.ts';

const column = (value: number, width: number): string => String(value).padStart(width);
const row = (...columns: readonly (readonly [number, number])[]): string => columns.map(([value, width]) => column(value, width)).join(' ');
const named = ({ key, id, mode }: Owned): string => `${row([key | 0, 10], [id, 10])}  ${mode.toString(8).padStart(4)}`;
const owners = ({ uid, gid, cuid, cgid }: Owned): string => row([uid, 5], [gid, 5], [cuid, 5], [cgid, 5]);

/** The texts of /proc/sysvipc, columns as Linux has them. */
export function systemVText({ mailboxes, semaphores, segments }: System, kind: 'msg' | 'sem' | 'shm'): string {
  const lines = {
    msg: () => [
      '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime',
      ...[...mailboxes.byId.values()].map(
        (box) =>
          `${named(box)}  ${row([box.bytes, 10], [box.messages.length, 10], [box.sender, 5], [box.receiver, 5])} ${owners(box)} ${row([box.sentAt, 10], [box.receivedAt, 10], [box.changedAt, 10])}`,
      ),
    ],
    sem: () => [
      '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime',
      ...[...semaphores.byId.values()].map(
        (set) => `${named(set)} ${column(set.values.length, 10)} ${owners(set)} ${row([set.operatedAt, 10], [set.changedAt, 10])}`,
      ),
    ],
    shm: () => [
      '       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime        rss       swap',
      ...[...segments.byId.values()].map((segment) => {
        const { size, creator, last, description, attachedAt, detachedAt, changedAt } = segment;
        const use = `${row([size, 10], [creator, 5], [last, 5])}  ${column(description.references - 1, 5)}`;
        return `${named(segment)} ${use} ${owners(segment)} ${row([attachedAt, 10], [detachedAt, 10], [changedAt, 10], [size, 10], [0, 10])}`;
      }),
    ],
  };
  return `${lines[kind]().join('\n')}\n`;
}
