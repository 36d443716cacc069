import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import { freeId, IPC_64, IPC_NOWAIT, IpcCommand, keyed, type Owned, owner, setOwner, writeOwner } from './sysv.ts';

const MSG_NOERROR = 0o10000;
const MSG_EXCEPT = 0o20000;
const MSG_COPY = 0o40000;
/** MSGMAX, MSGMNB and MSGMNI */
const LONGEST = 8192;
const MOST_BYTES = 16384;
const MOST_QUEUES = 32000;
/** What a message takes besides its text, and what all of them may take. */
const OVERHEAD = 128;
const MOST_TOGETHER = 64 << 20;
/** struct msqid64_ds, the same in all ABIs. */
const enum Status {
  BYTES = 60,
  COUNT = 64,
  LIMIT = 68,
  SENDER = 72,
  RECEIVER = 76,
  SIZE = 88,
}

/** A queue of messages (System V). */
export interface Mailbox extends Owned {
  readonly messages: { readonly type: number; readonly text: Uint8Array }[];
  limit: number;
  sender: number;
  receiver: number;
  readonly changed: WaitQueue;
}

const boxOf = (p: Process, id: number): Mailbox => p.system.mailboxes.get(id) ?? fail('EINVAL');
const filled = ({ messages }: Mailbox): number => messages.reduce((sum, { text }) => sum + text.length, 0);

/** What all queues take of the host's memory. */
function held(mailboxes: ReadonlyMap<number, Mailbox>): number {
  let sum = 0;
  for (const box of mailboxes.values()) sum += filled(box) + box.messages.length * OVERHEAD;
  return sum;
}

function msgget(p: Process, key: number, flags: number): number {
  const { mailboxes } = p.system;
  const found = keyed(mailboxes, key, flags);
  if (found) return found.id;
  if (mailboxes.size >= MOST_QUEUES) return -Errno.ENOSPC;
  const id = freeId(mailboxes);
  mailboxes.set(id, { ...owner(p, id, key, flags), messages: [], limit: MOST_BYTES, sender: 0, receiver: 0, changed: new WaitQueue() });
  return id;
}

/** Waits for a change of the queue as long as `attempt` gives WOULD_BLOCK; `refused` is what it then gives that does not wait. */
function waitForBox(p: Process, box: Mailbox, flags: number, refused: number, attempt: () => number): SyscallResult {
  return waitFor(
    p,
    [{ subscribe: box.changed.subscribe }],
    () => {
      if (p.system.mailboxes.get(box.id) !== box) return -Errno.EIDRM;
      const result = attempt();
      return result === WOULD_BLOCK && flags & IPC_NOWAIT ? refused : result;
    },
    { interrupted: () => -Errno.ERESTARTNOHAND },
  );
}

function msgsnd(p: Process, id: number, at: number, size: number, flags: number): SyscallResult {
  if (size > LONGEST) return -Errno.EINVAL;
  const type = p.memory.i32(at);
  const text = p.memory.view(at + 4, size, 'read').slice();
  if (type < 1) return -Errno.EINVAL;
  const box = boxOf(p, id);
  return waitForBox(p, box, flags, -Errno.EAGAIN, () => {
    if (filled(box) + size > box.limit || box.messages.length >= box.limit) return WOULD_BLOCK;
    if (held(p.system.mailboxes) + size + OVERHEAD > MOST_TOGETHER) return -Errno.ENOMEM;
    box.messages.push({ type, text });
    box.sender = p.pid;
    box.changed.wake();
    return 0;
  });
}

/** The place of the message that `type` asks for; −1 if there is none. */
function findMessage({ messages }: Mailbox, type: number, flags: number): number {
  if (type === 0) return messages.length > 0 ? 0 : -1;
  if (type > 0) return messages.findIndex((message) => (message.type === type) !== ((flags & MSG_EXCEPT) !== 0));
  const least = messages.reduce((found, message) => Math.min(found, message.type), Infinity);
  return least <= -type ? messages.findIndex((message) => message.type === least) : -1;
}

function msgrcv(p: Process, id: number, at: number, size: number, type: number, flags: number): SyscallResult {
  if (flags & MSG_COPY) return -Errno.ENOSYS;
  if ((size | 0) < 0) return -Errno.EINVAL;
  const box = boxOf(p, id);
  return waitForBox(p, box, flags, -Errno.ENOMSG, () => {
    const found = findMessage(box, type | 0, flags);
    if (found < 0) return WOULD_BLOCK;
    const message = box.messages[found];
    if (message.text.length > size && !(flags & MSG_NOERROR)) return -Errno.E2BIG;
    const text = message.text.subarray(0, size);
    box.messages.splice(found, 1);
    box.receiver = p.pid;
    box.changed.wake();
    p.memory.setU32(at, message.type);
    p.memory.write(at + 4, text);
    return text.length;
  });
}

function msgctl(p: Process, id: number, command: number, address: number): number {
  const box = boxOf(p, id);
  switch (command & ~IPC_64) {
    case IpcCommand.Remove:
      p.system.mailboxes.delete(id);
      box.changed.wake();
      return 0;
    case IpcCommand.Set: {
      const limit = p.memory.u32(address + Status.LIMIT);
      if (limit > MOST_BYTES && !capable(p, Cap.SysResource)) return -Errno.EPERM;
      box.limit = limit;
      box.changed.wake();
      return setOwner(p, box, address);
    }
    case IpcCommand.Status:
      p.memory.view(address, Status.SIZE, 'write').fill(0);
      writeOwner(p, box, address);
      p.memory.setU32(address + Status.BYTES, filled(box));
      p.memory.setU32(address + Status.COUNT, box.messages.length);
      p.memory.setU32(address + Status.LIMIT, box.limit);
      p.memory.setU32(address + Status.SENDER, box.sender);
      p.memory.setU32(address + Status.RECEIVER, box.receiver);
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

export const mailboxCalls = {
  msgget: (p, a) => msgget(p, a[0], a[1]),
  msgsnd: (p, a) => msgsnd(p, a[0], a[1], a[2], a[3]),
  msgrcv: (p, a) => msgrcv(p, a[0], a[1], a[2], a[3], a[4]),
  msgctl: partial((p, a) => msgctl(p, a[0], a[1], a[2]), 'no MSG_STAT, MSG_INFO, IPC_INFO; no times; permissions are not checked'),
} satisfies Calls;
