import type { Process } from './process.ts';

/** A resource limit; Infinity is RLIM_INFINITY. */
export interface Limit {
  soft: number;
  hard: number;
}

export type LimitName =
  | 'cpu'
  | 'fsize'
  | 'data'
  | 'stack'
  | 'core'
  | 'rss'
  | 'nproc'
  | 'nofile'
  | 'memlock'
  | 'as'
  | 'locks'
  | 'sigpending'
  | 'msgqueue'
  | 'nice'
  | 'rtprio'
  | 'rttime';

export type Limits = Record<LimitName, Limit>;

export const STACK_LIMIT = 8 << 20;
/** Bytes of the largest program file that is read, symbols and all. */
export const PROGRAM_LIMIT = 1 << 30;

/** With those that have ended and that nobody has waited for. How many may run is the embedder's choice. */
export const MOST_PROCESSES = 4096;

/** RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one. */
export function checkProcessorTime({ group, limits: { cpu }, signals, system }: Process): void {
  if (cpu.soft === Infinity && cpu.hard === Infinity) return;
  system.scheduler.account();
  const seconds = Number(group.processorTime) / 1e9;
  if (seconds >= cpu.hard) signals.raise('SIGKILL');
  else if (seconds >= cpu.soft) {
    cpu.soft = Math.floor(seconds) + 1;
    signals.raise('SIGXCPU');
  }
}

export function defaultLimits(): Limits {
  const limit = (soft: number, hard = soft): Limit => ({ soft, hard });
  return {
    cpu: limit(Infinity),
    fsize: limit(Infinity),
    data: limit(Infinity),
    stack: limit(STACK_LIMIT, Infinity),
    core: limit(0, Infinity),
    rss: limit(Infinity),
    nproc: limit(MOST_PROCESSES),
    nofile: limit(1024, 4096),
    memlock: limit(8 << 20),
    as: limit(Infinity),
    locks: limit(Infinity),
    sigpending: limit(4096),
    msgqueue: limit(819200),
    nice: limit(0),
    rtprio: limit(0),
    rttime: limit(Infinity),
  };
}
