import { Errno } from '../errno.ts';
import { type Description, PollCode } from '../fs/file-table.ts';
import { isDirectory, Poll } from '../fs/vfs.ts';
import { FileEvent } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import type { Signals } from '../signals.ts';
import type { SyscallResult } from '../syscall.ts';

/** Whom F_SETOWN_EX names. */
const enum OwnerType {
  Thread = 0,
  Process = 1,
  Group = 2,
}

/** What si_band says to each si_code. */
const BANDS: Readonly<Record<PollCode, number>> = {
  [PollCode.In]: Poll.In | Poll.ReadNormal,
  [PollCode.Out]: Poll.Out | 0x100,
  [PollCode.Message]: Poll.In | Poll.ReadNormal | 0x400,
};

/** Who is told by a signal what becomes of an open file. */
interface Owner {
  type: OwnerType;
  /** 0 for nobody. */
  id: number;
  /** F_SETSIG; 0 for SIGIO without siginfo. */
  signal: number;
}
const owners = new WeakMap<Description, Owner>();

function ownerOf(description: Description): Owner {
  const known = owners.get(description);
  if (known) return known;
  const owner = { type: OwnerType.Process, id: 0, signal: 0 };
  owners.set(description, owner);
  return owner;
}

function* told({ system }: Process, { type, id }: Owner): Generator<(...signal: Parameters<Signals['raise']>) => boolean> {
  for (const group of system.processes.values()) {
    if (group.end) continue;
    const { signals } = group.leader;
    const thread = type === OwnerType.Thread ? group.threads.get(id) : undefined;
    if (thread) yield (...signal) => thread.signals.raiseHere(...signal);
    else if (id === (type === OwnerType.Group ? group.pgid : group.pid)) yield (...signal) => signals.raise(...signal);
  }
}

function tell(p: Process, description: Description, fd: number, code: PollCode): void {
  const owner = ownerOf(description);
  if (owner.id === 0) return;
  for (const raise of told(p, owner))
    if (owner.signal === 0 || !raise(owner.signal, { code, file: { band: BANDS[code], fd } })) raise('SIGIO');
}

export const forgetOwner = (description: Description): boolean => owners.delete(description);

/** Tells of an open file by a signal, as F_SETOWN and F_SETSIG ask for; who asks is told if nobody else is to be. */
export function tellOwner(p: Process, description: Description, fd: number): () => void {
  const owner = ownerOf(description);
  if (owner.id === 0) Object.assign(owner, { type: OwnerType.Process, id: p.pid });
  return () => tell(p, description, fd, PollCode.Message);
}

/** O_ASYNC: false if the file cannot tell. */
export function setAsynchronous(p: Process, fd: number, on: boolean): boolean {
  const description = p.files.get(fd);
  const { file } = description;
  if (!file?.subscribe || !file.poll) return false;
  if (on === (description.untell !== undefined)) return true;
  description.untell?.();
  description.untell = undefined;
  if (!on) return true;
  const interest = Poll.In | Poll.Out | Poll.HangUp | Poll.Error;
  const ready = (): number => file.poll!(interest) & interest;
  let before = ready();
  let waiting = file.available?.() ?? 0;
  description.untell = file.subscribe(() => {
    const now = ready();
    const bytes = file.available?.() ?? 0;
    const fresh = now & ~before;
    if (fresh & ~Poll.Out || bytes > waiting) tell(p, description, fd, PollCode.In);
    else if (fresh & Poll.Out) tell(p, description, fd, PollCode.Out);
    before = now;
    waiting = bytes;
  });
  return true;
}

/** F_SETOWN: a group if negative. */
function setOwner(p: Process, description: Description, type: OwnerType, id: number): number {
  if (id < 0) return -Errno.EINVAL;
  const owner = ownerOf(description);
  if (id !== 0 && [...told(p, { ...owner, type, id })].length === 0) return -Errno.ESRCH;
  Object.assign(owner, { type, id });
  return 0;
}

/** F_NOTIFY: its events, in the order of their bits. */
const DIRECTORY_EVENTS: readonly number[] = [
  FileEvent.Access,
  FileEvent.Modify,
  FileEvent.Create | FileEvent.MovedTo,
  FileEvent.Delete | FileEvent.MovedFrom,
  FileEvent.MovedWithin,
  FileEvent.Attributes,
];
const DN_MULTISHOT = 0x8000_0000;

/** What F_NOTIFY was last asked for. */
const notified = new WeakMap<Description, number>();

function notify(p: Process, description: Description, fd: number, more: number): number {
  const { inode } = description;
  if (!isDirectory(inode)) return -Errno.ENOTDIR;
  // what was asked for before still holds
  const events = description.untell && more !== 0 ? more | notified.get(description)! : more;
  description.untell?.();
  notified.set(description, events);
  const mask = DIRECTORY_EVENTS.reduce((all, event, bit) => (events & (1 << bit) ? all | event : all), 0);
  if (mask === 0) return 0;
  Object.assign(ownerOf(description), { type: OwnerType.Process, id: p.pid });
  const end = p.files.namespace.watches.add(inode, {
    mask,
    tell(event, name) {
      // of the directory itself only a change of its attributes is told
      if (name === '' && !(event & FileEvent.Attributes)) return;
      if (!(events & DN_MULTISHOT)) description.untell?.();
      tell(p, description, fd, PollCode.Message);
    },
    end: () => description.untell?.(),
  });
  description.untell = () => {
    end();
    description.untell = undefined;
  };
  return 0;
}

export type AsynchronousCommand = 'F_SETOWN' | 'F_GETOWN' | 'F_SETOWN_EX' | 'F_GETOWN_EX' | 'F_SETSIG' | 'F_GETSIG' | 'F_NOTIFY';

/** The commands of fcntl(2) about signals. */
export function tellCommand(p: Process, fd: number, command: AsynchronousCommand, argument: number): SyscallResult {
  const description = p.files.get(fd);
  const owner = ownerOf(description);
  const number = argument | 0;
  switch (command) {
    case 'F_SETOWN':
      return setOwner(p, description, number < 0 ? OwnerType.Group : OwnerType.Process, number === -0x8000_0000 ? -1 : Math.abs(number));
    case 'F_GETOWN':
      return owner.type === OwnerType.Group ? -owner.id : owner.id;
    case 'F_SETOWN_EX': {
      const type = p.memory.u32(argument);
      return type > OwnerType.Group ? -Errno.EINVAL : setOwner(p, description, type, p.memory.i32(argument + 4));
    }
    case 'F_GETOWN_EX':
      p.memory.setU32(argument, owner.type);
      p.memory.setU32(argument + 4, owner.id);
      return 0;
    case 'F_SETSIG':
      if (number !== 0 && !p.signals.isValid(number)) return -Errno.EINVAL;
      owner.signal = number;
      return 0;
    case 'F_GETSIG':
      return owner.signal;
    case 'F_NOTIFY':
      return notify(p, description, fd, argument);
  }
}
