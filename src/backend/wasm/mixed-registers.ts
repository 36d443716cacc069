import type { Block } from '../../ir/block.ts';
import { OPS, TYPE_SIZES, Type } from '../../ir/ops.ts';
import { type Place, retype } from '../../ir/passes/retype.ts';
import type { Register } from '../../isa/isa.ts';
import { loopDepths } from './loops.ts';
import type { Region } from './region.ts';
import { MAX_SLOTS, Slots, STATE_ACCESS } from './slots.ts';

/** How a region's loops use the two words of a register, each access counted as often as it is likely to be made. */
interface Use {
  readonly offset: number;
  whole: number;
  readonly halves: [number, number];
  readonly hasSingle: [boolean, boolean];
  inLoop: boolean;
}

/** What accesses of the whole must outweigh those of a half by, which then cost several operations. */
const HALF_COST = 2;

/**
 * Registers that the region's loops access as numbers of several types (Register.mixed): those that are mostly accessed as one get it. Gives
 * the blocks with all accesses as that type, and the registers that this region keeps in locals.
 */
export function settleTypes(region: Region, registers: readonly Register[]): { region: Region; registers: readonly Register[] } {
  const places = placesOf(usesOf(region, registers));
  if (places.length === 0) return { region, registers };
  const touched = new Set(new Slots(registers).touchedBy(region.blocks).map(({ offset }) => offset));
  const plain = registers.filter(({ local, offset }) => local && touched.has(offset));
  const chosen = places.slice(0, Math.max(0, MAX_SLOTS - plain.length));
  const byGranule = new Map<number, Place>();
  for (const place of chosen)
    for (let byte = 0; byte < TYPE_SIZES[place.type]; byte += 4) byGranule.set((place.offset + byte) >>> 2, place);
  const retyped = new Map<Block, Block>();
  const blocks = region.blocks.map((block) => {
    const known = retyped.get(block) ?? retype(block, (offset) => byGranule.get(offset >>> 2));
    retyped.set(block, known);
    return known;
  });
  const more = chosen.map(({ offset, type }): Register => ({ name: `+${offset}`, offset, type, local: true, visible: false }));
  return { region: { ...region, blocks }, registers: [...plain, ...more] };
}

function usesOf(region: Region, registers: readonly Register[]): readonly Use[] {
  const byGranule = new Map<number, Use>();
  const uses: Use[] = [];
  for (const { mixed, offset } of registers) {
    if (!mixed) continue;
    const use: Use = { offset, whole: 0, halves: [0, 0], hasSingle: [false, false], inLoop: false };
    uses.push(use);
    byGranule.set(offset >>> 2, use).set((offset >>> 2) + 1, use);
  }
  if (uses.length === 0 || !region.isLoopHeader.includes(true)) return [];
  const depths = loopDepths(region);
  for (const [i, block] of region.blocks.entries()) {
    for (let v = 0; v < block.length; v++) {
      const access = STATE_ACCESS[block.op[v]];
      const use = access && byGranule.get(block.a[v] >>> 2);
      if (!use) continue;
      const type = access === 'get' ? OPS[block.op[v]].result : block.typeOf(block.b[v]);
      const half = block.a[v] === use.offset ? 0 : 1;
      use.inLoop ||= depths[i] > 0;
      if (TYPE_SIZES[type] === 8) use.whole += 8 ** depths[i];
      else {
        use.halves[half] += 8 ** depths[i];
        use.hasSingle[half] ||= type === Type.F32;
      }
    }
  }
  return uses;
}

/** Those used most first. */
function placesOf(uses: readonly Use[]): readonly Place[] {
  const weighed: { place: Place; weight: number }[] = [];
  for (const { offset, whole, halves, hasSingle, inLoop } of uses) {
    if (!inLoop) continue;
    const parts = halves[0] + halves[1];
    if (whole > HALF_COST * parts) weighed.push({ place: { offset, type: Type.F64 }, weight: whole });
    else if (whole === 0) {
      for (const half of [0, 1])
        if (halves[half] > 0)
          weighed.push({ place: { offset: offset + 4 * half, type: hasSingle[half] ? Type.F32 : Type.I32 }, weight: halves[half] });
    }
  }
  return weighed.sort((x, y) => y.weight - x.weight).map(({ place }) => place);
}
