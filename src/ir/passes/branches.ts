import { Block } from '../block.ts';
import { op } from '../ops.ts';

const EQZ = op('i32.eqz');
const EQ = op('i32.eq');
const NE = op('i32.ne');
const I32_CONST = op('i32.const');
const INVERSE: readonly (number | undefined)[] = ((pairs) => {
  const inverse: number[] = [];
  for (const [x, y] of pairs) {
    inverse[op(`i32.${x}`)] = op(`i32.${y}`);
    inverse[op(`i32.${y}`)] = op(`i32.${x}`);
  }
  return inverse;
})([
  ['lt_s', 'ge_s'],
  ['lt_u', 'ge_u'],
  ['gt_s', 'le_s'],
  ['gt_u', 'le_u'],
] as const);

/**
 * A branch on the result of a comparison that is also kept compares for itself, the other way round: engines make one instruction of a
 * comparison and a branch only if nothing else needs the result, and do not see that this one is the same.
 */
export function separateBranch(block: Block): Block {
  const t = block.terminator;
  if (t.kind !== 'branch') return block;
  let condition = t.condition;
  /** Whether the branch is taken where the comparison fails. */
  let onFailure = false;
  for (;;) {
    const opcode = block.op[condition];
    const isZero = (opcode === EQ || opcode === NE) && block.op[block.b[condition]] === I32_CONST && block.a[block.b[condition]] === 0;
    if (opcode !== EQZ && !isZero) break;
    if (opcode !== NE) onFailure = !onFailure;
    condition = block.a[condition];
  }
  const inverse = INVERSE[block.op[condition]];
  if (inverse === undefined || !isKept(block, condition)) return block;
  const n = block.length;
  const more = onFailure ? 1 : 2;
  const added = (words: ArrayLike<number>, first: number, then: number): number[] => {
    const out = new Array<number>(n + more);
    for (let v = 0; v < n; v++) out[v] = words[v];
    out[n] = first;
    if (more === 2) out[n + 1] = then;
    return out;
  };
  return new Block(
    block.pc,
    block.size,
    block.instructions,
    n + more,
    added(block.op, inverse, EQZ),
    added(block.a, block.a[condition], n),
    added(block.b, block.b[condition], 0),
    added(block.c, 0, 0),
    added(block.d, 0, 0),
    { kind: t.kind, condition: n + more - 1, taken: t.taken, next: t.next },
    block.shuffles,
    block.helpers,
  );
}

/** Whether more than the branch needs the value. */
function isKept(block: Block, value: number): boolean {
  for (let v = value + 1; v < block.length; v++) {
    const opcode = block.op[v];
    if (opcode === EQZ || opcode === EQ || opcode === NE) continue;
    for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) if (mask & 1 && block.operand(v, i) === value) return true;
  }
  return false;
}
