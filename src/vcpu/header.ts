import { Layout } from '../../assembly/shared/layout.ts';

/** The words before the guest's state in which the engine and the runtime tell each other things; their addresses are in Layout. */
export class Header {
  private readonly words: Int32Array;
  private readonly data: DataView;

  constructor({ buffer }: WebAssembly.Memory) {
    this.words = new Int32Array(buffer, 0, Layout.RUNTIME_DATA / 4);
    this.data = new DataView(buffer, 0, Layout.RUNTIME_DATA);
  }

  /** Signed. */
  get(address: number): number {
    return this.words[address >>> 2];
  }
  set(address: number, value: number): void {
    this.words[address >>> 2] = value;
  }
  get pc(): number {
    return this.get(Layout.PC) >>> 0;
  }
  set pc(value: number) {
    this.set(Layout.PC, value);
  }

  /**
   * So many guest instructions may be completed from now on, besides those that were; `completed` tells how many there are then. `isRest`: of
   * what was granted before.
   */
  grant(budget: number, completed: number, isRest = false): void {
    this.set(Layout.BUDGET, budget);
    if (!isRest) this.set(Layout.REP_WORK, 0);
    this.data.setBigInt64(Layout.RETIRED, BigInt(completed + budget), true);
  }
  /** So many more may be completed. */
  grantMore(count: number): void {
    this.set(Layout.BUDGET, this.get(Layout.BUDGET) + count);
    this.data.setBigInt64(Layout.RETIRED, this.data.getBigInt64(Layout.RETIRED, true) + BigInt(count), true);
  }
  get completed(): number {
    return Number(this.data.getBigInt64(Layout.RETIRED, true)) - this.get(Layout.BUDGET);
  }
}
