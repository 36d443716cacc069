import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process } from '../process.ts';
import type { Calls, SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import {
  demandOwner,
  demandUse,
  highest,
  IPC_64,
  IPC_NOWAIT,
  IpcCommand,
  keyed,
  leave,
  make,
  type Owned,
  seconds,
  setOwner,
  Use,
  writeOwner,
  writeWords,
} from './sysv.ts';

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
/** Commands besides those of all kinds. */
const enum Command {
  Status = 11,
  Info = 12,
  StatusAny = 13,
}
/** struct msqid64_ds, the same in all ABIs; of the times the low words, in little-endian ones. */
const enum Status {
  SENT = 36,
  RECEIVED = 44,
  CHANGED = 52,
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
  /** Bytes of all messages. */
  bytes: number;
  sentAt: number;
  receivedAt: number;
  readonly changed: WaitQueue;
}

const boxOf = (p: Process, id: number): Mailbox => p.system.mailboxes.byId.get(id) ?? fail('EINVAL');

function count(p: Process, box: Mailbox, bytes: number, messages: number): void {
  const all = p.system.mailboxes.totals;
  box.bytes += bytes;
  all.bytes += bytes;
  all.count += messages;
}

function msgget(p: Process, key: number, flags: number): number {
  const { mailboxes } = p.system;
  const found = keyed(p, mailboxes, key, flags);
  if (found) return found.id;
  if (mailboxes.byId.size >= MOST_QUEUES) return -Errno.ENOSPC;
  const empty = { messages: [], bytes: 0, limit: MOST_BYTES, sender: 0, receiver: 0, sentAt: 0, receivedAt: 0, changed: new WaitQueue() };
  return make(p, mailboxes, key, flags, empty);
}

/** Waits for a change of the queue as long as `attempt` gives WOULD_BLOCK; `refused` is what it then gives that does not wait. */
function waitForBox(p: Process, box: Mailbox, flags: number, refused: number, attempt: () => number): SyscallResult {
  return waitFor(
    p,
    [{ subscribe: box.changed.subscribe }],
    () => {
      if (p.system.mailboxes.byId.get(box.id) !== box) return -Errno.EIDRM;
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
    demandUse(p, box, Use.Write);
    if (box.bytes + size > box.limit || box.messages.length >= box.limit) return WOULD_BLOCK;
    const all = p.system.mailboxes.totals;
    if (all.bytes + size + (all.count + 1) * OVERHEAD > MOST_TOGETHER) return -Errno.ENOMEM;
    box.messages.push({ type, text });
    count(p, box, size, 1);
    box.sentAt = seconds(p);
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
  if ((size | 0) < 0) return -Errno.EINVAL;
  const copies = (flags & MSG_COPY) !== 0;
  if (copies && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))) return -Errno.EINVAL;
  const box = boxOf(p, id);
  return waitForBox(p, box, flags, -Errno.ENOMSG, () => {
    demandUse(p, box, Use.Read);
    const found = copies ? (type < box.messages.length ? type : -1) : findMessage(box, type | 0, flags);
    if (found < 0) return WOULD_BLOCK;
    const message = box.messages[found];
    if (message.text.length > size && !(flags & MSG_NOERROR)) return -Errno.E2BIG;
    const text = message.text.subarray(0, size);
    if (!copies) {
      box.messages.splice(found, 1);
      count(p, box, -message.text.length, -1);
      box.receiver = p.pid;
      box.receivedAt = seconds(p);
      box.changed.wake();
    }
    p.memory.setU32(at, message.type);
    p.memory.write(at + 4, text);
    return text.length;
  });
}

/** struct msginfo: pool, map, max, mnb, mni, ssz, tql, seg */
function writeInfo(p: Process, address: number, inUse: boolean): number {
  const { mailboxes } = p.system;
  const { bytes, count: messages } = mailboxes.totals;
  const [pool, map, tql] = inUse ? [mailboxes.byId.size, messages, bytes] : [(MOST_QUEUES * MOST_BYTES) / 1024, MOST_BYTES, MOST_BYTES];
  writeWords(p, address, [pool, map, LONGEST, MOST_BYTES, MOST_QUEUES, 16, tql]);
  p.memory.setU16(address + 28, 0xffff);
  return highest(mailboxes);
}

function msgctl(p: Process, id: number, command: number, address: number): number {
  const kind = command & ~IPC_64;
  if (kind === IpcCommand.Info || kind === Command.Info) return writeInfo(p, address, kind === Command.Info);
  const box = boxOf(p, id);
  switch (kind) {
    case IpcCommand.Remove:
      demandOwner(p, box);
      count(p, box, -box.bytes, -box.messages.length);
      leave(p.system.mailboxes, box);
      box.changed.wake();
      return 0;
    case IpcCommand.Set: {
      const limit = p.memory.u32(address + Status.LIMIT);
      demandOwner(p, box);
      if (limit > MOST_BYTES && !capable(p, Cap.SysResource)) return -Errno.EPERM;
      box.limit = limit;
      box.changed.wake();
      return setOwner(p, box, address);
    }
    case IpcCommand.Status:
    case Command.Status:
    case Command.StatusAny: {
      if (kind !== Command.StatusAny) demandUse(p, box, Use.Read);
      const low = p.abi.isa.endian === 'little' ? 0 : 4;
      p.memory.view(address, Status.SIZE, 'write').fill(0);
      writeOwner(p, box, address);
      p.memory.setU32(address + Status.BYTES, box.bytes);
      p.memory.setU32(address + Status.COUNT, box.messages.length);
      p.memory.setU32(address + Status.LIMIT, box.limit);
      p.memory.setU32(address + Status.SENDER, box.sender);
      p.memory.setU32(address + Status.RECEIVER, box.receiver);
      p.memory.setU32(address + Status.SENT + low, box.sentAt);
      p.memory.setU32(address + Status.RECEIVED + low, box.receivedAt);
      p.memory.setU32(address + Status.CHANGED + low, box.changedAt);
      return kind === IpcCommand.Status ? 0 : id;
    }
    default:
      return -Errno.EINVAL;
  }
}

export const mailboxCalls = {
  msgget: (p, a) => msgget(p, a[0], a[1]),
  msgsnd: (p, a) => msgsnd(p, a[0], a[1], a[2], a[3]),
  msgrcv: (p, a) => msgrcv(p, a[0], a[1], a[2], a[3], a[4]),
  msgctl: (p, a) => msgctl(p, a[0], a[1], a[2]),
} satisfies Calls;
