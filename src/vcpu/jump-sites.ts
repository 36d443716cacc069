import { JumpSite, Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../ir/block.ts';
import { type GuestMemory, PagePermission } from './guest-memory.ts';

/** Where a JumpSite notes a target. */
const wordOf = (pc: number): number => ((pc >>> 1) ^ (pc >>> 6)) & (JumpSite.WORDS - 1);

/** The JumpSite of each block that ends in an indirect jump, by pc. */
export class JumpSites {
  private readonly sites = new Map<number, number>();

  /** `anyTarget`: pcs are not what page permissions are for (memory model paged). */
  constructor(
    private readonly memory: GuestMemory,
    private readonly anyTarget: boolean,
  ) {}

  /** Where the jump at the end of the block notes its targets; undefined without one, or without room. */
  of(block: Block): number | undefined {
    return block.terminator.kind === 'jump' ? this.at(block.pc) : undefined;
  }
  /** The same for a block that ends in such a jump, by its pc. */
  at(pc: number): number | undefined {
    let site = this.sites.get(pc);
    if (site === undefined) {
      site = Layout.JUMP_SITES + JumpSite.SIZE * this.sites.size;
      if (site >= Layout.UOPS) return undefined;
      this.sites.set(pc, site);
    }
    return site;
  }
  private words(site: number): Uint32Array {
    return new Uint32Array(this.memory.memory.buffer, site, JumpSite.WORDS);
  }

  seen(block: Block): readonly number[] {
    const site = this.of(block);
    if (site === undefined) return [];
    return Array.from(this.words(site)).filter(
      (pc) => pc !== 0 && (this.anyTarget || (this.memory.permission(pc) & PagePermission.Execute) !== 0),
    );
  }
  saw(block: Block, pc: number): boolean {
    const site = this.of(block);
    return site !== undefined && this.words(site)[wordOf(pc)] === pc;
  }
  note(site: number, targets: readonly number[]): void {
    const words = this.words(site);
    for (const target of targets) words[wordOf(target)] = target;
  }

  /** Nothing that notes targets is left. */
  clear(): void {
    this.memory.bytes.fill(0, Layout.JUMP_SITES, Layout.JUMP_SITES + JumpSite.SIZE * this.sites.size);
    this.sites.clear();
  }
}
