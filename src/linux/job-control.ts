import { Errno } from './errno.ts';
import type { Process, ThreadGroup } from './process.ts';
import { SIG_IGN, type SignalName, signalBit } from './signals.ts';
import type { System } from './system.ts';

const membersOf = ({ processes }: System, pgid: number): ThreadGroup[] => [...processes.values()].filter((group) => group.pgid === pgid);

/** Nobody outside of it, but in its session, could continue it (setpgid(2)). */
function isOrphaned(system: System, pgid: number): boolean {
  return membersOf(system, pgid).every(({ parent, sid }) => !parent || parent.pgid === pgid || parent.sid !== sid);
}

/**
 * What use of the terminal is to a process that does not have it: 0 if it may go on, else an error, after SIGTTIN or SIGTTOU has been
 * sent to its group.
 */
export function backgroundUse(p: Process, name: Extract<SignalName, 'SIGTTIN' | 'SIGTTOU'>): number {
  const { system, group, signals } = p;
  if (group.sid !== system.session || group.pgid === system.foreground) return 0;
  const signal = signals.number(name);
  const isDeaf = signals.action(signal).handler === SIG_IGN || (signals.mask & signalBit(signal)) !== 0n;
  if (isDeaf) return name === 'SIGTTIN' ? -Errno.EIO : 0;
  if (isOrphaned(system, group.pgid)) return -Errno.EIO;
  for (const { leader, end } of membersOf(system, group.pgid)) if (!end) leader.signals.raise(signal);
  return -Errno.ERESTARTSYS;
}

/** tcsetpgrp(3) */
export function setForeground(p: Process, pgid: number): number {
  const { system, group } = p;
  if (group.sid !== system.session) return -Errno.ENOTTY;
  const refused = backgroundUse(p, 'SIGTTOU');
  if (refused) return refused;
  if ((pgid | 0) < 0) return -Errno.EINVAL;
  const members = membersOf(system, pgid);
  if (members.length === 0) return -Errno.ESRCH;
  if (!members.some(({ sid }) => sid === group.sid)) return -Errno.EPERM;
  system.foreground = pgid;
  return 0;
}

/** TIOCSCTTY: the leader of a session that has no terminal takes it. */
export function takeTerminal(p: Process): number {
  const { system, group } = p;
  if (group.sid === system.session) return 0;
  if (group.sid !== p.pid) return -Errno.EPERM;
  system.session = group.sid;
  system.foreground = group.pgid;
  return 0;
}
