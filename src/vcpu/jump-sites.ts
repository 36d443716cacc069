import { JumpSite, Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../ir/block.ts';
import { type GuestMemory, PagePermission } from './guest-memory.ts';

const MOST_SITES = Math.floor((Layout.UOPS - Layout.JUMP_SITES) / JumpSite.SIZE);
/** Targets of one jump that are remembered. */
const MOST_TARGETS = 128;

/** The JumpSite of each block that ends in an indirect jump, by pc. */
export class JumpSites {
  private readonly sites = new Map<number, number>();
  /** By JumpSite: what was ever noted there, though another target took its word. */
  private readonly targets = new Map<number, Set<number>>();
  private readonly words: Uint32Array;

  /** `anyTarget`: pcs are not what page permissions are for (memory model paged). */
  constructor(
    private readonly memory: GuestMemory,
    private readonly anyTarget: boolean,
  ) {
    this.words = new Uint32Array(memory.memory.buffer, Layout.JUMP_SITES, (Layout.UOPS - Layout.JUMP_SITES) / 4);
  }

  /** Where the jump at the end of the block notes its targets; undefined without one. */
  of(block: Block): number | undefined {
    return block.terminator.kind === 'jump' ? this.at(block.pc) : undefined;
  }
  /** The same for a block that ends in such a jump, by its pc. If all are taken it is the oldest, to which code that is still there goes on to note. */
  at(pc: number): number {
    const known = this.sites.get(pc);
    if (known !== undefined) return known;
    const site = this.sites.size < MOST_SITES ? Layout.JUMP_SITES + JumpSite.SIZE * this.sites.size : this.takeOldest();
    this.sites.set(pc, site);
    return site;
  }
  private takeOldest(): number {
    const [[pc, site]] = this.sites;
    this.sites.delete(pc);
    this.targets.delete(site);
    this.memory.bytes.fill(0, site, site + JumpSite.SIZE);
    return site;
  }

  /** The region that noted a target last since this was last asked, by its entry. */
  noted(block: Block): number | undefined {
    const site = this.of(block);
    if (site === undefined) return undefined;
    const { data } = this.memory;
    const entry = data.getUint32(site + JumpSite.BY, true);
    data.setUint32(site + JumpSite.BY, 0, true);
    return entry || undefined;
  }
  /** All targets that were ever noted. */
  seen(block: Block): readonly number[] {
    const site = this.of(block);
    return site === undefined ? [] : [...this.all(site)].filter(this.isTarget);
  }
  saw(block: Block, pc: number): boolean {
    const site = this.of(block);
    return site !== undefined && this.all(site).has(pc);
  }
  note(site: number, targets: readonly number[]): void {
    const all = this.targets.get(site) ?? new Set();
    for (const target of targets) if (all.size < MOST_TARGETS) all.add(target);
    this.targets.set(site, all);
  }
  /** For many sites each time that something is compiled. */
  private all(site: number): ReadonlySet<number> {
    let all = this.targets.get(site);
    if (!all) {
      all = new Set();
      this.targets.set(site, all);
    }
    const first = (site - Layout.JUMP_SITES) / 4;
    for (let i = first; i < first + JumpSite.WORDS && all.size < MOST_TARGETS; i++) {
      const target = this.words[i];
      if (target !== 0 && !all.has(target) && this.isTarget(target)) all.add(target);
    }
    return all;
  }
  private isTarget = (pc: number): boolean => pc !== 0 && (this.anyTarget || (this.memory.permission(pc) & PagePermission.Execute) !== 0);

  /** Nothing that notes targets is left. */
  clear(): void {
    this.memory.bytes.fill(0, Layout.JUMP_SITES, Layout.JUMP_SITES + JumpSite.SIZE * this.sites.size);
    this.sites.clear();
    this.targets.clear();
  }
}
