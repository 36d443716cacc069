import { Cap, capable } from './capabilities.ts';
import { Errno } from './errno.ts';
import type { Terminal } from './fs/vfs.ts';
import type { Process, ThreadGroup } from './process.ts';
import { SIG_IGN, type SignalName, signalBit } from './signals.ts';
import type { System } from './system.ts';

const membersOf = ({ processes }: System, pgid: number): ThreadGroup[] => [...processes.values()].filter((group) => group.pgid === pgid);

/** Raises a signal in all processes of a group. */
export function signalGroup(system: System, pgid: number, name: SignalName): void {
  for (const { leader, end } of membersOf(system, pgid)) if (!end) leader.signals.raise(leader.signals.number(name));
}

/** Nobody outside of it, but in its session, could continue it (setpgid(2)). */
function isOrphaned(system: System, pgid: number): boolean {
  return membersOf(system, pgid).every(({ parent, sid }) => !parent || parent.pgid === pgid || parent.sid !== sid);
}

/**
 * What use of its terminal is to a process that does not have it: 0 if it may go on, else an error, after SIGTTIN or SIGTTOU has been
 * sent to its group.
 */
export function backgroundUse(p: Process, { owner }: Terminal, name: Extract<SignalName, 'SIGTTIN' | 'SIGTTOU'>): number {
  const { system, group, signals } = p;
  if (group.sid !== owner.session || group.pgid === owner.foreground) return 0;
  const signal = signals.number(name);
  const isDeaf = signals.action(signal).handler === SIG_IGN || (signals.mask & signalBit(signal)) !== 0n;
  if (isDeaf) return name === 'SIGTTIN' ? -Errno.EIO : 0;
  if (isOrphaned(system, group.pgid)) return -Errno.EIO;
  signalGroup(system, group.pgid, name);
  return -Errno.ERESTARTSYS;
}

/** tcsetpgrp(3) */
export function setForeground(p: Process, terminal: Terminal, pgid: number): number {
  const { system, group } = p;
  if (group.sid !== terminal.owner.session) return -Errno.ENOTTY;
  const refused = backgroundUse(p, terminal, 'SIGTTOU');
  if (refused) return refused;
  if ((pgid | 0) < 0) return -Errno.EINVAL;
  const members = membersOf(system, pgid);
  if (members.length === 0) return -Errno.ESRCH;
  if (!members.some(({ sid }) => sid === group.sid)) return -Errno.EPERM;
  terminal.owner.foreground = pgid;
  return 0;
}

/** TIOCSCTTY: the leader of a session that has no terminal takes one that no other process's session has, or by force. */
export function takeTerminal(p: Process, { owner }: Terminal, byForce: boolean): number {
  const { system, group } = p;
  if (group.sid === owner.session) return 0;
  if (group.sid !== p.pid || system.terminals.ofSession(group.sid)) return -Errno.EPERM;
  const isTaken = [...system.processes.values()].some(({ sid, pid, end }) => sid === owner.session && pid === sid && !end);
  if (isTaken && !(byForce && capable(p, Cap.SysAdmin))) return -Errno.EPERM;
  owner.session = group.sid;
  owner.foreground = group.pgid;
  return 0;
}

/** TIOCNOTTY: the leader gives its session's terminal away. Another process of it keeps it. */
export function leaveTerminal(p: Process, { owner }: Terminal): number {
  const { system, group } = p;
  if (group.sid !== owner.session) return -Errno.ENOTTY;
  if (group.sid === p.pid) system.terminals.leave(group.sid, false);
  return 0;
}
