import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { describe } from '../fs/file-table.ts';
import { decodeName } from '../fs/names.ts';
import { demand, Want } from '../fs/namespace.ts';
import { type Inode, NAME_MAX, type OpenFile, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import { tellNetlink } from '../net/netlink.ts';
import type { Socket } from '../net/socket.ts';
import type { Process, ThreadGroup } from '../process.ts';
import type { Calls, SyscallResult } from '../syscall.ts';
import { anonymousFile } from './anonymous.ts';
import { buffer, effective, waitFor } from './arguments.ts';
import { socketOf } from './local-name.ts';
import { readTimespec, readTimespec64 } from './time.ts';
import type { ReadTime } from './timer.ts';

/** mq_overview(7): limits of /proc/sys/fs/mqueue, which hold without rights, and what holds for all. */
const DEFAULT_MESSAGES = 10;
const DEFAULT_BYTES = 8192;
const MOST_MESSAGES = 65536;
const MOST_BYTES = 1 << 24;
const MOST_QUEUES = 256;
const PRIORITIES = 32768;
/** What the kernel holds of each message besides its text. */
const OVERHEAD = 64;

/** sigevent(7) */
const enum Notify {
  Signal = 0,
  None = 1,
  Thread = 2,
}
/** The text that C libraries give for SIGEV_THREAD, and what its last byte becomes. */
const COOKIE = 32;
const enum Cookie {
  WokenUp = 1,
  Removed = 2,
}

interface Message {
  readonly bytes: Uint8Array;
  readonly priority: number;
}

interface Notification {
  readonly group: ThreadGroup;
  /** 0 for none. */
  readonly signal: number;
  readonly value: number;
  readonly kind: Notify;
  /** Of SIGEV_THREAD: where a thread of the program's waits for this text. */
  readonly thread?: { readonly socket: Socket; readonly cookie: Uint8Array };
}

/** A message queue (POSIX), of which the system knows by its name. */
export interface MessageQueue {
  readonly inode: Inode;
  readonly most: number;
  readonly largest: number;
  /** The next one first. */
  readonly messages: Message[];
  readonly changed: WaitQueue;
  /** How many wait in mq_timedreceive. */
  receivers: number;
  notification: Notification | undefined;
}
const queues = new WeakMap<object, MessageQueue>();

/** Of an open queue. */
function queueOf(p: Process, fd: number): MessageQueue {
  const { file } = p.files.get(fd);
  return (file && queues.get(file.read)) ?? fail('EBADF');
}

function queueName(p: Process, address: number): string {
  const name = decodeName(p.memory.cString(address, 4096));
  if (name === '') fail('ENOENT');
  if (name === '.' || name === '..' || name.includes('/')) fail('EACCES');
  if (name.length > NAME_MAX) fail('ENAMETOOLONG');
  return name;
}

/** struct mq_attr has eight words: flags, messages at most, their size, messages now. */
function make(p: Process, name: string, mode: number, attributes: number): MessageQueue {
  const all = p.system.messageQueues;
  const [most, largest] =
    attributes === 0 ? [DEFAULT_MESSAGES, DEFAULT_BYTES] : [p.memory.i32(attributes + 4), p.memory.i32(attributes + 8)];
  const isRoot = capable(p, Cap.SysResource);
  if (most <= 0 || most > (isRoot ? MOST_MESSAGES : DEFAULT_MESSAGES)) fail('EINVAL');
  if (largest <= 0 || largest > (isRoot ? MOST_BYTES : DEFAULT_BYTES)) fail('EINVAL');
  if (all.size >= MOST_QUEUES) fail('ENOSPC');
  let total = 0;
  for (const queue of [...all.values(), { most, largest }]) total += queue.most * (queue.largest + OVERHEAD);
  if (total > p.limits.msgqueue.soft) fail('EMFILE');
  const inode = anonymousFile(p, mode & ~p.files.umask & 0o777);
  const queue: MessageQueue = {
    inode,
    most,
    largest,
    messages: [],
    changed: new WaitQueue(),
    receivers: 0,
    notification: undefined,
  };
  all.set(name, queue);
  return queue;
}

/** What read(2) shows of a queue. */
function statusText({ messages, notification }: MessageQueue): string {
  const size = messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const number = (value: number): string => `${value}`.padEnd(5);
  const { group, signal = 0, kind = 0 } = notification ?? {};
  return `QSIZE:${`${size}`.padEnd(10)} NOTIFY:${number(kind)} SIGNO:${number(signal)} NOTIFY_PID:${`${group?.pid ?? 0}`.padEnd(6)}\n`;
}

function open(p: Process, address: number, flags: number, mode: number, attributes: number): number {
  const { O_CREAT, O_EXCL, O_NONBLOCK } = p.abi.open;
  const name = queueName(p, address);
  const access = { read: (flags & 3) !== 1, write: (flags & 3) !== 0 };
  if ((flags & 3) === 3) return -Errno.EINVAL;
  let queue = p.system.messageQueues.get(name);
  if (queue && flags & O_CREAT && flags & O_EXCL) return -Errno.EEXIST;
  if (queue) demand(queue.inode, (access.read ? Want.Read : 0) | (access.write ? Want.Write : 0), effective(p));
  else if (!(flags & O_CREAT)) return -Errno.ENOENT;
  queue ??= make(p, name, mode, attributes);
  const opened = queue;
  const file: OpenFile = {
    inode: opened.inode,
    seekable: true,
    read(into, position) {
      const text = new TextEncoder().encode(statusText(opened)).subarray(position, position + into.length);
      into.set(text);
      return text.length;
    },
    write: () => fail('EINVAL'),
    poll: () => (opened.messages.length > 0 ? Poll.In | Poll.ReadNormal : 0) | (opened.messages.length < opened.most ? Poll.Out : 0),
    subscribe: opened.changed.subscribe,
    close() {
      unregister(p, opened);
    },
  };
  queues.set(file.read, opened);
  const description = describe(opened.inode, file, access, `/${name}`, { nonblock: (flags & O_NONBLOCK) !== 0 });
  return p.files.install(description, p.limits.nofile.soft, true);
}

function unlink(p: Process, address: number): number {
  const name = queueName(p, address);
  const queue = p.system.messageQueues.get(name) ?? fail('ENOENT');
  if (!capable(p, Cap.Fowner) && queue.inode.stat().uid !== p.credentials.fsuid) return -Errno.EPERM;
  p.system.messageQueues.delete(name);
  return 0;
}

/** Waits for `attempt` as long as the descriptor and the time allow. */
function wait(p: Process, fd: number, queue: MessageQueue, due: number | undefined, attempt: () => number): SyscallResult {
  if (p.files.get(fd).nonblock) {
    const result = attempt();
    return result === WOULD_BLOCK ? -Errno.EAGAIN : result;
  }
  const milliseconds = due === undefined ? undefined : Math.max(0, due - Number(p.host.now()) / 1e6);
  return waitFor(
    p,
    [{ subscribe: queue.changed.subscribe }],
    (last) => {
      const result = attempt();
      return result === WOULD_BLOCK && last ? -Errno.ETIMEDOUT : result;
    },
    { milliseconds },
  );
}

/** SI_MESGQ, which MIPS numbers its own way. */
const messageCode = (p: Process): number => (p.abi.name === 'i386' ? -3 : -4);

/** A message has come where there was none: who asked for it learns of that, once. */
function notify(p: Process, queue: MessageQueue): void {
  const { notification } = queue;
  if (!notification || queue.receivers > 0) return;
  queue.notification = undefined;
  tellThread(notification, Cookie.WokenUp);
  const { group, signal, value } = notification;
  if (signal !== 0 && !group.end) group.leader.signals.raise(signal, { code: messageCode(p), pid: p.pid, uid: p.credentials.uid, value });
}

function send(p: Process, a: readonly number[], time: ReadTime): SyscallResult {
  const [fd, address, length, priority] = a;
  const due = a[4] === 0 ? undefined : time(p, a[4]);
  if (priority >= PRIORITIES) return -Errno.EINVAL;
  const queue = queueOf(p, fd);
  if (!p.files.get(fd).access.write) return -Errno.EBADF;
  if (length > queue.largest) return -Errno.EMSGSIZE;
  const bytes = p.memory.view(address, length, 'read').slice();
  return wait(p, fd, queue, due, () => {
    const { messages } = queue;
    if (messages.length >= queue.most) return WOULD_BLOCK;
    const before = messages.findIndex((one) => one.priority < priority);
    messages.splice(before < 0 ? messages.length : before, 0, { bytes, priority });
    if (messages.length === 1) notify(p, queue);
    queue.changed.wake();
    return 0;
  });
}

function receive(p: Process, a: readonly number[], time: ReadTime): SyscallResult {
  const [fd, address, length, priority] = a;
  const due = a[4] === 0 ? undefined : time(p, a[4]);
  const queue = queueOf(p, fd);
  if (!p.files.get(fd).access.read) return -Errno.EBADF;
  if (length < queue.largest) return -Errno.EMSGSIZE;
  const attempt = (): number => {
    const [message] = queue.messages;
    if (!message) return WOULD_BLOCK;
    queue.messages.shift();
    queue.changed.wake();
    buffer(p, address, message.bytes.length, 'write').set(message.bytes);
    if (priority !== 0) p.memory.setU32(priority, message.priority);
    return message.bytes.length;
  };
  const result = wait(p, fd, queue, due, attempt);
  if (typeof result === 'number') return result;
  queue.receivers++;
  return result.finally(() => queue.receivers--);
}

function tellThread({ thread }: Notification, why: Cookie): void {
  if (thread) tellNetlink(thread.socket, Uint8Array.of(...thread.cookie.subarray(0, COOKIE - 1), why));
}

/** What the process asked for, it is told of no more. */
function unregister(p: Process, queue: MessageQueue): void {
  const { notification } = queue;
  if (notification?.group !== p.group) return;
  queue.notification = undefined;
  tellThread(notification, Cookie.Removed);
}

function register(p: Process, fd: number, event: number): number {
  const [value, signal, kind] = [0, 4, 8].map((offset) => (event === 0 ? Notify.None : p.memory.i32(event + offset)));
  if (kind !== Notify.Signal && kind !== Notify.None && kind !== Notify.Thread) return -Errno.EINVAL;
  if (kind === Notify.Signal && !p.signals.isValid(signal)) return -Errno.EINVAL;
  let thread: Notification['thread'];
  if (kind === Notify.Thread) {
    const cookie = p.memory.view(value >>> 0, COOKIE, 'read').slice();
    const socket = socketOf(p, signal);
    if (socket.family !== 'netlink') return -Errno.EINVAL;
    thread = { socket, cookie };
  }
  const queue = queueOf(p, fd);
  if (event === 0) {
    unregister(p, queue);
    return 0;
  }
  if (queue.notification && !queue.notification.group.end) return -Errno.EBUSY;
  queue.notification = { group: p.group, signal: kind === Notify.Signal ? signal : 0, value, kind, ...(thread && { thread }) };
  return 0;
}

function attributes(p: Process, fd: number, next: number, old: number): number {
  const { O_NONBLOCK } = p.abi.open;
  const queue = queueOf(p, fd);
  const description = p.files.get(fd);
  const flags = next === 0 ? undefined : p.memory.u32(next);
  if (flags !== undefined && flags & ~O_NONBLOCK) return -Errno.EINVAL;
  if (old !== 0) {
    const words = [description.nonblock ? O_NONBLOCK : 0, queue.most, queue.largest, queue.messages.length, 0, 0, 0, 0];
    words.forEach((word, index) => {
      p.memory.setU32(old + index * 4, word);
    });
  }
  if (flags !== undefined) description.nonblock = flags !== 0;
  return 0;
}

/** POSIX message queues (mq_overview(7)). */
export const messageQueueCalls: Calls = {
  mq_open: (p, a) => open(p, a[0], a[1], a[2], a[3]),
  mq_unlink: (p, a) => unlink(p, a[0]),
  mq_timedsend: (p, a) => send(p, a, readTimespec),
  mq_timedsend_time64: (p, a) => send(p, a, readTimespec64),
  mq_timedreceive: (p, a) => receive(p, a, readTimespec),
  mq_timedreceive_time64: (p, a) => receive(p, a, readTimespec64),
  mq_notify: (p, a) => register(p, a[0], a[1]),
  mq_getsetattr: (p, a) => attributes(p, a[0], a[1], a[2]),
};
