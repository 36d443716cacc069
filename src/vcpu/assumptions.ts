import { Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../ir/block.ts';
import type { Isa } from '../isa/isa.ts';
import type { GuestMemory } from './guest-memory.ts';

/** Times that a block is left because its assumption does not hold before it is lifted for another, and after which for none. */
const PATIENCE = 8;
const MOST = 3 * PATIENCE;

/** By pc of a block, what it is lifted to find in the word at Isa.assumed. A wrong one costs time only. */
export class Assumptions {
  private readonly values = new Map<number, number>();
  private readonly refuted = new Map<number, number>();

  constructor(
    private readonly memory: GuestMemory,
    private readonly isa: Isa | undefined,
  ) {}

  private get now(): number {
    return this.memory.data.getInt32(Layout.STATE + (this.isa?.assumed ?? 0), true);
  }
  /** −1 for none. */
  of(pc: number): number {
    return this.values.get(pc) ?? -1;
  }
  /** The guest is at `pc`, of which nothing was lifted yet. */
  begin(pc: number): void {
    if (this.isa?.assumed !== undefined && this.values.get(pc) !== -1) this.values.set(pc, this.now);
  }
  /** What was found for a block holds for those after it, a function called and what follows its return too, until one is known better. */
  passOn({ terminator }: Block, next: number): void {
    if (next < 0 || this.isa?.assumed === undefined) return;
    const to = (pc: number): void => {
      if (!this.values.has(pc)) this.values.set(pc, next);
    };
    if (terminator.kind === 'goto') to(terminator.pc);
    else if (terminator.kind === 'branch') {
      to(terminator.taken);
      to(terminator.next);
    } else if (terminator.kind === 'call' || terminator.kind === 'call-indirect') {
      if (terminator.kind === 'call') to(terminator.target);
      to(terminator.next);
    }
  }
  /** A block has left for it. Whether it is to be lifted anew. */
  refute(pc: number): boolean {
    const times = (this.refuted.get(pc) ?? 0) + 1;
    this.refuted.set(pc, times);
    if (times % PATIENCE !== 0) return false;
    this.values.set(pc, times < MOST && this.now !== this.of(pc) ? this.now : -1);
    return true;
  }
  forget(): void {
    this.values.clear();
    this.refuted.clear();
  }
}
