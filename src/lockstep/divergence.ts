import type { Executor, VcpuOptions } from '../vcpu/vcpu.ts';
import { exitText, imageOf, type Stopped } from './compare.ts';
import type { Snapshot } from './snapshot.ts';

export const hex = (n: number): string => `0x${(n >>> 0).toString(16).padStart(8, '0')}`;

/** Two executors did not agree. `explain` finds out where, and tells. */
export class Divergence extends Error {
  override name = 'Divergence';
  readonly executor: Executor;
  /** Architectural state before, and after in either executor. */
  readonly after: readonly [Uint8Array, Uint8Array];
  /** Guest instructions completed before the stay, and in it. */
  readonly instructions: number;
  readonly retired: number;

  constructor(
    readonly before: Snapshot,
    stopped: Stopped,
    expected: Stopped,
    /** What differs: `name: translated | interpreted`. */
    readonly differences: readonly string[],
    readonly options: VcpuOptions,
    readonly engine: WebAssembly.Module | Uint8Array<ArrayBuffer>,
  ) {
    super(
      `the executors differ within ${stopped.retired} instructions from ${hex(before.pc)}, after ${before.instructions}: ${differences.slice(0, 3).join('; ')}`,
    );
    this.executor = options.executor;
    this.instructions = before.instructions;
    this.retired = Math.max(stopped.retired, expected.retired);
    this.after = [imageOf(stopped.vcpu), imageOf(expected.vcpu)];
    this.exits = [exitText(stopped.exit), exitText(expected.exit)];
  }
  readonly exits: readonly [string, string];

  /** A report for a person: the smallest piece of code from this state on that shows the difference, at every stage. */
  async explain(): Promise<string> {
    const { explainDivergence } = await import('./explain.ts');
    return explainDivergence(this);
  }
}
