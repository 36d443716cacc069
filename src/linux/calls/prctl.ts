import { SecureBit } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import type { Process } from '../process.ts';
import { ambient, inBounds, keepCapabilities, leaveBounds, setSecureBits } from './capability.ts';
import { seccompMode, setSeccompMode } from './seccomp.ts';

const enum Pr {
  SetDeathSignal = 1,
  GetDeathSignal = 2,
  GetDumpable = 3,
  SetDumpable = 4,
  GetKeepCaps = 7,
  SetKeepCaps = 8,
  GetTiming = 13,
  SetTiming = 14,
  SetName = 15,
  GetName = 16,
  GetSeccomp = 21,
  SetSeccomp = 22,
  ReadBounds = 23,
  LeaveBounds = 24,
  GetTsc = 25,
  GetSecureBits = 27,
  SetSecureBits = 28,
  SetTimerSlack = 29,
  GetTimerSlack = 30,
  SetChildSubreaper = 36,
  GetChildSubreaper = 37,
  SetNoNewPrivileges = 38,
  GetNoNewPrivileges = 39,
  GetThpDisable = 42,
  SetThpDisable = 41,
  Ambient = 47,
}

export const PRCTL_NOTE = 'name, dumpable, parent-death signal, no_new_privs, seccomp, capabilities';

/** Nanoseconds. */
const TIMER_SLACK = 50_000;

export function prctl(p: Process, a: readonly number[]): number {
  const [option, argument, second, third, fourth] = a;
  const { group } = p;
  switch (option) {
    case Pr.SetName:
      p.name = decodeName(p.memory.cString(argument, 15).slice(0, 15));
      return 0;
    case Pr.GetName: {
      const bytes = new Uint8Array(16);
      bytes.set(encodeName(p.name).subarray(0, 15));
      p.memory.write(argument, bytes);
      return 0;
    }
    case Pr.SetDeathSignal:
      if (argument !== 0 && !p.signals.isValid(argument)) return -Errno.EINVAL;
      group.deathSignal = argument;
      return 0;
    case Pr.GetDeathSignal:
      p.memory.setU32(argument, group.deathSignal);
      return 0;
    case Pr.SetDumpable:
      if (argument > 1) return -Errno.EINVAL;
      group.dumpable = argument === 1;
      return 0;
    case Pr.GetDumpable:
      return Number(group.dumpable);
    case Pr.GetTiming:
      return 0;
    case Pr.SetTiming:
      return argument === 0 ? 0 : -Errno.EINVAL;
    case Pr.SetTimerSlack:
      group.timerSlack = argument || TIMER_SLACK;
      return 0;
    case Pr.GetTimerSlack:
      return group.timerSlack ?? TIMER_SLACK;
    case Pr.GetTsc:
      p.memory.setU32(argument, 1);
      return 0;
    case Pr.SetChildSubreaper:
      group.subreaper = argument !== 0;
      return 0;
    case Pr.GetChildSubreaper:
      p.memory.setU32(argument, Number(group.subreaper));
      return 0;
    case Pr.SetNoNewPrivileges:
      if (argument !== 1 || second || third || fourth) return -Errno.EINVAL;
      group.noNewPrivileges = true;
      return 0;
    case Pr.GetNoNewPrivileges:
      return argument || second || third || fourth ? -Errno.EINVAL : Number(group.noNewPrivileges);
    case Pr.SetThpDisable:
      return second || third || fourth ? -Errno.EINVAL : 0;
    case Pr.GetThpDisable:
      return argument || second || third || fourth ? -Errno.EINVAL : 0;
    case Pr.GetSeccomp:
      return seccompMode(p);
    case Pr.SetSeccomp:
      return setSeccompMode(p, argument, second);
    case Pr.ReadBounds:
      return inBounds(p, argument);
    case Pr.LeaveBounds:
      return leaveBounds(p, argument);
    case Pr.GetKeepCaps:
      return p.credentials.capabilities.secureBits & SecureBit.KeepCaps ? 1 : 0;
    case Pr.SetKeepCaps:
      return keepCapabilities(p, argument);
    case Pr.GetSecureBits:
      return p.credentials.capabilities.secureBits;
    case Pr.SetSecureBits:
      return setSecureBits(p, argument);
    case Pr.Ambient:
      return ambient(p, a);
    default:
      return -Errno.EINVAL;
  }
}
