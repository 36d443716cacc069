import type { Block, Value } from '../../ir/block.ts';
import { OPS } from '../../ir/ops.ts';
import { innermostLoops } from './loops.ts';

/** A control-flow graph: for each node its successors' positions, or OUTSIDE. */
export interface Graph<T> {
  readonly nodes: readonly T[];
  readonly successors: number[][];
}

/** A loop's body is there so often at most, and with so many instructions in all. */
const COPIES = 4;
const INSTRUCTIONS = 48;
/** Of the body. */
const BLOCKS = 6;

/**
 * Repeats the bodies of small innermost loops that count, so that there are fewer looks at the budget, and fewer of the engine's own
 * at its stack. At most `instructions` more in all. Loops that end where they load a certain value are mostly short.
 */
export function unrollLoops<T extends { readonly block: Block }>(graph: Graph<T>, instructions: number, dispatches: boolean): Graph<T> {
  const nodes = [...graph.nodes];
  const successors = graph.successors.map((to) => [...to]);
  let left = instructions;
  for (const { header, body } of innermostLoops({ dispatches, blocks: nodes.map(({ block }) => block), successors })) {
    const first = [...body];
    const ends = first.some((i) => isCounted(nodes[i].block) && successors[i].some((to) => !body.has(to)));
    const size = first.reduce((sum, i) => sum + nodes[i].block.instructions, 0);
    const copies = Math.min(COPIES, Math.floor(INSTRUCTIONS / size));
    const more = size * (copies - 1);
    if (!ends || first.length > BLOCKS || copies < 2 || more > left || !first.every((i) => staysInside(nodes[i].block))) continue;
    left -= more;
    const original = first.map((i) => [...successors[i]]);
    let place = first;
    for (let copy = 1; copy < copies; copy++) {
      const next = first.map((_, k) => nodes.length + k);
      const there = (to: number): number => (to === header ? to : (next[first.indexOf(to)] ?? to));
      for (const [k, i] of first.entries()) {
        nodes.push({ ...nodes[i] });
        successors.push(original[k].map(there));
      }
      // the copy before goes on here
      const entry = next[first.indexOf(header)];
      for (const i of place) successors[i] = successors[i].map((to) => (to === header ? entry : to));
      place = next;
    }
  }
  return { nodes, successors };
}

const staysInside = ({ terminator: { kind } }: Block): boolean => kind === 'goto' || kind === 'branch';

/** Whether the block branches on what it has not loaded. */
function isCounted(block: Block): boolean {
  const t = block.terminator;
  if (t.kind !== 'branch') return false;
  const values = new Set<Value>([t.condition]);
  for (const v of values) {
    if (OPS[block.op[v]].memory) return false;
    for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) if (mask & 1) values.add(block.operand(v, i));
  }
  return true;
}
