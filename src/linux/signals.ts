import type { SignalInfo } from './abi.ts';
import { WaitQueue } from './fs/wait.ts';

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

/** si_code of SIGCHLD. */
export const enum Cld {
  Exited = 1,
  Killed = 2,
  Trapped = 4,
  Stopped = 5,
  Continued = 6,
}

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
  Trace = 2,
  Seccomp = 1,
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

/** What the threads of a process share: what signals do, and those sent to the process. */
interface SharedSignals {
  actions: Map<number, Action>;
  readonly queue: Pending[];
  /** The first is the thread that the process began with, as long as it runs. */
  readonly threads: Set<Signals>;
  /** Wakes when a signal is queued, blocked or not. */
  readonly queued: WaitQueue;
  listener?: ((signal: number) => void) | undefined;
}

/** For a snapshot. */
export interface SavedSignals {
  readonly altStack: AltStack;
  readonly mask: bigint;
  readonly actions: readonly (readonly [signal: number, action: Action])[];
  readonly pending: readonly Pending[];
}

/** A thread's signals. */
export class Signals {
  altStack: AltStack = { start: 0, size: 0, disabled: true };
  /** Signals that interrupt a call although they are blocked (sigtimedwait). */
  awaited = 0n;
  /** Sent to this thread alone. */
  private readonly own: Pending[] = [];
  private readonly names = new Map<number, SignalName>();
  private readonly unblockable: bigint;
  private blocked = 0n;
  private saved: bigint | undefined;
  private poked = false;
  /** A tracer wants to know of signals that are ignored, too. */
  traced = false;
  private controller: AbortController | undefined;
  private readonly arrivals = new Set<() => void>();

  constructor(
    private readonly numbers: Readonly<Record<SignalName, number>>,
    /** The highest signal. */
    readonly count: number,
    private readonly shared: SharedSignals = { actions: new Map(), queue: [], threads: new Set(), queued: new WaitQueue() },
  ) {
    for (const [name, number] of Object.entries(numbers)) this.names.set(number, name as SignalName);
    this.unblockable = signalBit(numbers.SIGKILL) | signalBit(numbers.SIGSTOP);
    shared.threads.add(this);
  }

  /** What kcmp(2) compares: the same object for all whose handlers are common. */
  get handlers(): object {
    return this.shared.actions;
  }

  /** Signals of a new thread of the process: nothing is pending, and the same is blocked. */
  forThread(): Signals {
    const signals = new Signals(this.numbers, this.count, this.shared);
    signals.blocked = this.blocked;
    return signals;
  }
  /** Signals of a new process, which does with them what this one does; `common`: also from then on. */
  forProcess(common = false): Signals {
    const signals = new Signals(this.numbers, this.count, {
      actions: common ? this.shared.actions : new Map(this.shared.actions),
      queue: [],
      threads: new Set(),
      queued: new WaitQueue(),
    });
    signals.blocked = this.blocked;
    signals.altStack = this.altStack;
    return signals;
  }
  /** What execve does: handlers are gone, what is ignored stays so. */
  forgetHandlers(): void {
    const kept = new Map<number, Action>();
    for (const [signal, { handler }] of this.shared.actions) if (handler === SIG_IGN) kept.set(signal, { ...DEFAULT_ACTION, handler });
    // a process with which it had them in common keeps its own
    this.shared.actions = kept;
    this.altStack = { start: 0, size: 0, disabled: true };
  }
  /** What there is of a process with one thread. */
  get state(): SavedSignals {
    const { altStack, blocked, own, shared } = this;
    // a call that waits with another mask sets that again when it is made again
    return { altStack, mask: this.saved ?? blocked, actions: [...shared.actions], pending: [...shared.queue, ...own] };
  }
  restore({ altStack, mask, actions, pending }: SavedSignals): void {
    this.altStack = altStack;
    this.shared.actions = new Map(actions);
    this.shared.queue.push(...pending);
    this.mask = mask;
  }

  /** The thread is no more. */
  leave(): void {
    this.shared.threads.delete(this);
    this.announceShared();
  }
  /** What the thread waits for is another's from now on. */
  giveUp(): void {
    this.controller?.abort();
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
    // what this thread no longer takes is another's
    this.announceShared();
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
    return this.shared.actions.get(signal) ?? DEFAULT_ACTION;
  }
  setAction(signal: number, action: Action): void {
    this.shared.actions.set(signal, { ...action, mask: action.mask & ~this.unblockable });
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
    for (const queue of [this.shared.queue, ...Array.from(this.shared.threads, (thread) => thread.own)])
      for (let index = queue.length - 1; index >= 0; index--) if (queue[index].signal === signal) queue.splice(index, 1);
  }

  /** Pending for this thread or the process. */
  get pending(): bigint {
    return [...this.own, ...this.shared.queue].reduce((set, entry) => set | signalBit(entry.signal), 0n);
  }

  /** Makes a signal of the process pending; a thread that does not block it gets it before it runs on. False if the queue is full. */
  raise(which: SignalName | number, info: SignalInfo = { code: SiCode.Kernel }): boolean {
    if (!this.enqueue(this.shared.queue, this.shared.threads, which, info)) return false;
    this.announceShared();
    return true;
  }
  /** The same for this thread alone. */
  raiseHere(which: SignalName | number, info: SignalInfo = { code: SiCode.Kernel }): boolean {
    if (!this.enqueue(this.own, [this], which, info)) return false;
    this.announce();
    return true;
  }
  private enqueue(queue: Pending[], threads: Iterable<Signals>, which: SignalName | number, info: SignalInfo): boolean {
    const signal = this.number(which);
    if (signal === this.numbers.SIGCONT)
      for (const name of ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) this.forget(this.numbers[name]);
    this.shared.listener?.(signal);
    const bit = signalBit(signal);
    const kept = Array.from(threads).some((thread) => thread.traced || bit & (thread.blocked | thread.awaited));
    if (this.isIgnored(signal) && !kept) return true;
    if (signal < FIRST_REALTIME && queue.some((entry) => entry.signal === signal)) return true;
    if (signal >= FIRST_REALTIME && this.queuedInAll() >= MAX_QUEUED) return false;
    queue.push({ signal, info });
    this.shared.queued.wake();
    return true;
  }
  private queuedInAll(): number {
    let sum = this.shared.queue.length;
    for (const { own } of this.shared.threads) sum += own.length;
    return sum;
  }
  /** Is told of each signal that is raised, whether or not it is blocked. */
  onRaise(listener: (signal: number) => void): void {
    this.shared.listener = listener;
  }

  /** Calls back when a signal is queued, blocked or not; gives what ends that. */
  onQueued(listener: (events: number) => void): () => void {
    return this.shared.queued.subscribe(listener);
  }

  /** Takes the lowest pending signal of `set` out of the queues. */
  take(set: bigint): Pending | undefined {
    return this.takeFrom(this.own, set) ?? this.takeFrom(this.shared.queue, set);
  }
  private takeFrom(queue: Pending[], set: bigint): Pending | undefined {
    let found = -1;
    queue.forEach((entry, index) => {
      if (!(signalBit(entry.signal) & set)) return;
      if (found < 0 || entry.signal < queue[found].signal) found = index;
    });
    return found < 0 ? undefined : queue.splice(found, 1)[0];
  }
  /** Takes the next signal that is not blocked. */
  next(): Pending | undefined {
    if (this.own.length > 0) {
      const pending = this.takeFrom(this.own, ~this.blocked);
      if (pending) return pending;
    }
    return this.shared.queue.length === 0 ? undefined : this.takeFrom(this.shared.queue, this.mine(~this.blocked));
  }

  /** Of signals of the process, those that this thread is to take: they go to the first thread that does not block them. */
  private mine(set: bigint): bigint {
    let rest = set;
    for (const thread of this.shared.threads) {
      if (thread === this) return rest;
      rest &= thread.blocked & ~thread.awaited;
    }
    return 0n;
  }
  private has(set: bigint): boolean {
    if (this.own.length > 0 && this.own.some((entry) => signalBit(entry.signal) & set)) return true;
    if (this.shared.queue.length === 0) return false;
    const mine = this.mine(set);
    return this.shared.queue.some((entry) => signalBit(entry.signal) & mine);
  }
  private get wanted(): boolean {
    return this.poked || this.has(~this.blocked | this.awaited);
  }
  /** The tracer wants something: calls are interrupted, and deliverSignals sees to it. */
  poke(): void {
    this.poked = true;
    this.announce();
  }
  takePoke(): void {
    this.poked = false;
  }
  /** Whether something is to be delivered. */
  get deliverable(): boolean {
    return this.has(~this.blocked);
  }

  /** Whether deliverSignals has something to do. */
  get mustDeliver(): boolean {
    return this.poked || this.saved !== undefined || this.deliverable;
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
  /** Tells the threads that are to take what is pending for the process. */
  private announceShared(): void {
    for (const { signal } of this.shared.queue) this.taker(signal)?.announce();
  }
  private taker(signal: number): Signals | undefined {
    const bit = signalBit(signal);
    for (const thread of this.shared.threads) if (bit & (~thread.blocked | thread.awaited)) return thread;
    return undefined;
  }
}
