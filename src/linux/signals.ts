import type { SignalInfo } from './abi.ts';

export type SignalName =
  | 'SIGHUP'
  | 'SIGINT'
  | 'SIGQUIT'
  | 'SIGILL'
  | 'SIGTRAP'
  | 'SIGABRT'
  | 'SIGBUS'
  | 'SIGFPE'
  | 'SIGKILL'
  | 'SIGUSR1'
  | 'SIGSEGV'
  | 'SIGUSR2'
  | 'SIGPIPE'
  | 'SIGALRM'
  | 'SIGTERM'
  | 'SIGCHLD'
  | 'SIGCONT'
  | 'SIGSTOP'
  | 'SIGTSTP'
  | 'SIGTTIN'
  | 'SIGTTOU'
  | 'SIGURG'
  | 'SIGXCPU'
  | 'SIGXFSZ'
  | 'SIGVTALRM'
  | 'SIGPROF'
  | 'SIGWINCH'
  | 'SIGIO'
  | 'SIGPWR'
  | 'SIGSYS';

/** si_code (include/uapi/asm-generic/siginfo.h); the same in both ABIs but for the timer and message codes, unused here. */
export const enum SiCode {
  User = 0,
  Kernel = 0x80,
  Queue = -1,
  Tkill = -6,
  IllegalOpcode = 1,
  IllegalOperand = 2,
  IntegerDivide = 1,
  IntegerOverflow = 2,
  FloatDivide = 3,
  FloatOverflow = 4,
  FloatUnderflow = 5,
  FloatInexact = 6,
  FloatInvalid = 7,
  NotMapped = 1,
  NotPermitted = 2,
  BusAlignment = 1,
  BusAddress = 2,
  Breakpoint = 1,
}

export const SIG_DFL = 0;
export const SIG_IGN = 1;

/** sa_flags in one ABI's numbers. */
export interface ActionFlags {
  readonly SA_NOCLDSTOP: number;
  readonly SA_NOCLDWAIT: number;
  readonly SA_SIGINFO: number;
  readonly SA_ONSTACK: number;
  readonly SA_RESTART: number;
  readonly SA_NODEFER: number;
  readonly SA_RESETHAND: number;
  /** 0 where the ABI has none. */
  readonly SA_RESTORER: number;
}

export interface Action {
  /** Guest address, SIG_DFL or SIG_IGN. */
  readonly handler: number;
  /** In the guest's numbers. */
  readonly flags: number;
  readonly mask: bigint;
  readonly restorer: number;
}

export interface AltStack {
  readonly start: number;
  readonly size: number;
  readonly disabled: boolean;
}

export interface Pending {
  readonly signal: number;
  readonly info: SignalInfo;
}

export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const DEFAULTS: Readonly<Partial<Record<SignalName, DefaultAction>>> = {
  SIGQUIT: 'core',
  SIGILL: 'core',
  SIGTRAP: 'core',
  SIGABRT: 'core',
  SIGBUS: 'core',
  SIGFPE: 'core',
  SIGSEGV: 'core',
  SIGXCPU: 'core',
  SIGXFSZ: 'core',
  SIGSYS: 'core',
  SIGCHLD: 'ignore',
  SIGURG: 'ignore',
  SIGWINCH: 'ignore',
  SIGCONT: 'continue',
  SIGSTOP: 'stop',
  SIGTSTP: 'stop',
  SIGTTIN: 'stop',
  SIGTTOU: 'stop',
};

/** Signals from this number on queue up instead of merging. */
const FIRST_REALTIME = 32;
/** RLIMIT_SIGPENDING */
const MAX_QUEUED = 4096;

const DEFAULT_ACTION: Action = { handler: SIG_DFL, flags: 0, mask: 0n, restorer: 0 };

export const signalBit = (signal: number): bigint => 1n << BigInt(signal - 1);

export class Signals {
  altStack: AltStack = { start: 0, size: 0, disabled: true };
  /** Signals that interrupt a call although they are blocked (sigtimedwait). */
  awaited = 0n;
  private readonly actions = new Map<number, Action>();
  private readonly queue: Pending[] = [];
  private readonly names = new Map<number, SignalName>();
  private readonly unblockable: bigint;
  private blocked = 0n;
  private saved: bigint | undefined;
  private controller: AbortController | undefined;
  private readonly arrivals = new Set<() => void>();

  constructor(
    private readonly numbers: Readonly<Record<SignalName, number>>,
    /** The highest signal. */
    readonly count: number,
  ) {
    for (const [name, number] of Object.entries(numbers)) this.names.set(number, name as SignalName);
    this.unblockable = signalBit(numbers.SIGKILL) | signalBit(numbers.SIGSTOP);
  }

  number(signal: SignalName | number): number {
    return typeof signal === 'number' ? signal : this.numbers[signal];
  }
  /** "SIGSEGV", or "SIG42". */
  name(signal: number): string {
    return this.names.get(signal) ?? `SIG${signal}`;
  }
  isValid(signal: number): boolean {
    return Number.isInteger(signal) && signal >= 1 && signal <= this.count;
  }
  isFixed(signal: number): boolean {
    return (signalBit(signal) & this.unblockable) !== 0n;
  }

  /** Blocked signals; SIGKILL and SIGSTOP never are. */
  get mask(): bigint {
    return this.blocked;
  }
  set mask(mask: bigint) {
    this.blocked = mask & ~this.unblockable;
    this.announce();
  }

  /**
   * What ppoll, pselect and sigsuspend do: this mask holds until the call has returned and its signals are delivered;
   * a handler's frame restores the mask that was before.
   */
  suspendMask(mask: bigint): void {
    this.saved ??= this.blocked;
    this.mask = mask;
  }
  /** The mask that suspendMask replaced, once. */
  takeSavedMask(): bigint | undefined {
    const saved = this.saved;
    this.saved = undefined;
    return saved;
  }

  action(signal: number): Action {
    return this.actions.get(signal) ?? DEFAULT_ACTION;
  }
  setAction(signal: number, action: Action): void {
    this.actions.set(signal, { ...action, mask: action.mask & ~this.unblockable });
    if (this.isIgnored(signal)) this.forget(signal);
  }

  defaultAction(signal: number): DefaultAction {
    const name = this.names.get(signal);
    return (name && DEFAULTS[name]) ?? 'terminate';
  }

  isIgnored(signal: number): boolean {
    const { handler } = this.action(signal);
    return handler === SIG_IGN || (handler === SIG_DFL && this.defaultAction(signal) === 'ignore');
  }

  private forget(signal: number): void {
    for (let index = this.queue.length - 1; index >= 0; index--) if (this.queue[index].signal === signal) this.queue.splice(index, 1);
  }

  get pending(): bigint {
    return this.queue.reduce((set, entry) => set | signalBit(entry.signal), 0n);
  }

  /** Makes a signal pending; it is delivered before the guest runs on. False if the queue is full. */
  raise(which: SignalName | number, info: SignalInfo = { code: SiCode.Kernel }): boolean {
    const signal = this.number(which);
    const bit = signalBit(signal);
    if (signal === this.numbers.SIGCONT)
      for (const name of ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) this.forget(this.numbers[name]);
    if (this.isIgnored(signal) && !(bit & (this.blocked | this.awaited))) return true;
    if (signal < FIRST_REALTIME && this.queue.some((entry) => entry.signal === signal)) return true;
    if (this.queue.length >= MAX_QUEUED && signal !== this.numbers.SIGKILL) return false;
    this.queue.push({ signal, info });
    this.announce();
    return true;
  }

  /** Takes the lowest pending signal of `set` out of the queue. */
  take(set: bigint): Pending | undefined {
    let found = -1;
    this.queue.forEach((entry, index) => {
      if (!(signalBit(entry.signal) & set)) return;
      if (found < 0 || entry.signal < this.queue[found].signal) found = index;
    });
    return found < 0 ? undefined : this.queue.splice(found, 1)[0];
  }
  /** Takes the next signal that is not blocked. */
  next(): Pending | undefined {
    return this.queue.length === 0 ? undefined : this.take(~this.blocked);
  }
  private get wanted(): boolean {
    return this.queue.some((entry) => signalBit(entry.signal) & (~this.blocked | this.awaited));
  }
  /** Whether something is to be delivered. */
  get deliverable(): boolean {
    return this.queue.length > 0 && this.queue.some((entry) => signalBit(entry.signal) & ~this.blocked);
  }

  /** Whether deliverSignals has something to do. */
  get mustDeliver(): boolean {
    return this.saved !== undefined || this.deliverable;
  }

  /** Fires when a signal arrives that is not blocked. One controller serves all waits until it has fired. */
  interrupt(): AbortSignal {
    if (!this.controller || this.controller.signal.aborted) this.controller = new AbortController();
    if (this.wanted) this.controller.abort();
    return this.controller.signal;
  }
  /** Resolves when a signal is to be delivered. */
  arrival(): Promise<void> {
    if (this.wanted) return Promise.resolve();
    return new Promise((resolve) => this.arrivals.add(resolve));
  }
  private announce(): void {
    if (!this.wanted) return;
    this.controller?.abort();
    for (const resolve of this.arrivals) resolve();
    this.arrivals.clear();
  }
}
