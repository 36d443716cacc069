/** Calls that have done nothing yet while they wait: who goes on elsewhere makes them again. */
const REPEATED =
  /^(readv?|poll|ppoll|_newselect|select|pselect6|pause|(rt_)?sigsuspend|rt_sigtimedwait|(clock_)?nanosleep|futex)(_time(32|64))?$/;
export const canRepeat = (call: string): boolean => REPEATED.test(call);

/** Holds a program still while something is done with it. */
export class Standstill {
  private readonly requests: (() => Promise<void>)[] = [];
  private held: Promise<void> | undefined;
  private ended = false;

  /** `isStill`: whether it has not begun, or waits in a call that can be made again. */
  constructor(private readonly isStill: () => boolean) {}

  /** Has `act` called, which never rejects: now, or when the program next comes by or ends. It goes no further before that is done. */
  request(act: () => Promise<void>): void {
    this.requests.push(act);
    if (this.ended) this.end();
    else if (this.isStill()) this.serve();
  }
  private serve(): void {
    this.held ??= this.requests
      .shift()?.()
      .finally(() => {
        this.held = undefined;
        if (this.isStill()) this.serve();
      });
  }

  get wanted(): boolean {
    return this.held !== undefined || this.requests.length > 0;
  }
  /** The program is between two instructions. Resolves when it may go on. */
  async pass(): Promise<void> {
    while (this.wanted) {
      this.serve();
      await this.held;
    }
  }
  /** It has ended: what is asked for still is told so. */
  end(): void {
    this.ended = true;
    for (const act of this.requests.splice(0)) void act();
  }
}
