import { Layout } from '../../../assembly/shared/layout.ts';
import { TerminatorKind } from '../../../assembly/shared/lowering.ts';
import { Entry, Node, Open, TemplateOp, Template as TemplateWord } from '../../../assembly/shared/template.ts';
import { op } from '../../ir/ops.ts';
import type { Template, TemplateEnd, TemplateMaker } from '../../ir/template.ts';

const I32_CONST = op('i32.const');
const INSN = op('insn');
const SHUFFLE = op('i8x16.shuffle');

const KINDS: Readonly<Record<TemplateEnd['kind'], TerminatorKind>> = {
  goto: TerminatorKind.Goto,
  branch: TerminatorKind.Branch,
  call: TerminatorKind.Call,
  'call-indirect': TerminatorKind.CallIndirect,
  return: TerminatorKind.Return,
  jump: TerminatorKind.Jump,
};
function endWords(end: TemplateEnd): readonly [number, number, number] {
  switch (end.kind) {
    case 'goto':
      return [end.pc, 0, 0];
    case 'branch':
      return [end.condition, end.taken, end.next];
    case 'call':
    case 'call-indirect':
      return [end.target, end.next, 0];
    default:
      return [end.target, 0, 0];
  }
}

function bytesOf({ block, holeOf, holes, end }: Template): readonly number[] {
  const { shuffles } = block;
  const bytes: number[] = [];
  const u16 = (n: number): void => void bytes.push(n & 0xff, (n >>> 8) & 0xff);
  const u32 = (n: number): void => {
    u16(n);
    u16(n >>> 16);
  };
  const [first, second, third] = end ? endWords(end) : [0, 0, 0];
  bytes.push(block.size, holes.length, shuffles.length, end ? KINDS[end.kind] : TemplateWord.NO_END);
  u16(block.length);
  u16(first);
  bytes.push(second, third);
  for (const { field, negated, relative, constant, mask } of holes) {
    bytes.push(field?.offset ?? 0, field?.bytes ?? 0, Number(negated ?? false), Number(relative ?? false));
    u32(constant ?? 0);
    u32(mask ?? -1);
  }
  for (let v = 0; v < block.length; v++) {
    const number = block.op[v];
    const open = holeOf[v] >= 0 ? Open.Hole : number === INSN ? Open.Pc : number === SHUFFLE ? Open.Shuffle : Open.Nothing;
    const hole = open === Open.Hole;
    const count = block.operandCount(v);
    const words = Array.from({ length: count }, (_, i) => (hole ? holeOf[v] : open === Open.Pc && i !== 1 ? 0 : block.operand(v, i)));
    const wide = words.reduce((mask, word, i) => (word >>> 16 ? mask | (1 << i) : mask), 0);
    u16(hole ? I32_CONST : number);
    bytes.push((hole ? 0 : block.valueMask(v)) | (count << TemplateOp.COUNT_SHIFT), wide | (open << TemplateOp.OPEN_SHIFT));
    words.forEach((word, i) => {
      if (wide & (1 << i)) u32(word);
      else u16(word);
    });
  }
  for (const lanes of shuffles) bytes.push(...lanes);
  return bytes;
}

type Made = NonNullable<ReturnType<TemplateMaker['make']>>;

/** All templates of an ISA, as they lie in a guest's memory from Layout.TEMPLATES on. Every memory of this host thread has a copy. */
export class TemplateImage {
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private end = 0;
  /** By mode: the first node. */
  private readonly roots = new Map<number, number>();
  /** Words that were changed after they were written, one after the other. */
  readonly changed: number[] = [];

  get used(): number {
    return this.end;
  }

  /** Puts these bytes behind the others and gives their address, a multiple of four; 0 without room. */
  private append(bytes: readonly number[]): number {
    const address = this.allocate((bytes.length + 3) & ~3);
    if (address !== 0) this.bytes.set(bytes, address - Layout.TEMPLATES);
    return address;
  }
  /** The address of so many new bytes, all zero; 0 without room. */
  private allocate(size: number): number {
    const at = this.end;
    if (at + size > Layout.TEMPLATES_END - Layout.TEMPLATES) return 0;
    this.end += size;
    if (this.end > this.bytes.length) this.grow(2 * this.end);
    return Layout.TEMPLATES + at;
  }
  get(address: number): number {
    return this.view.getUint32(address - Layout.TEMPLATES, true);
  }
  private put(address: number, word: number): void {
    this.view.setUint32(address - Layout.TEMPLATES, word, true);
  }
  private change(address: number, word: number): void {
    this.put(address, word);
    this.changed.push(address);
  }
  private grow(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, Math.min(this.end, this.bytes.length)));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
  from(start: number): Uint8Array {
    return this.bytes.subarray(start, this.end);
  }

  /** The first node for code of a mode; 0 without room. */
  root(mode: number): number {
    let root = this.roots.get(mode);
    if (root === undefined) {
      root = this.node(0, 4);
      this.roots.set(mode, root);
    }
    return root;
  }
  /** A new node; 0 without room. */
  private node(byte: number, shift: number): number {
    const node = this.allocate(Node.SIZE);
    if (node !== 0) this.put(node, byte | (shift << 8));
    return node;
  }

  /** Puts in what was made of an instruction, whose bytes `byteAt` gives. False without room, or if what such instructions are hangs on other bytes. */
  add(root: number, { template, length, open }: Made, byteAt: (at: number) => number): boolean {
    const address = template ? this.append(bytesOf(template)) : 0;
    if (template && address === 0) return false;
    let slot = 0;
    for (let half = 0; half < 2 * length; half++) {
      const at = half >>> 1;
      if (open.some(({ offset, bytes }) => at >= offset && at < offset + bytes)) continue;
      const shift = half & 1 ? 0 : 4;
      let node = slot === 0 ? root : this.get(slot);
      if (node === 0) {
        node = this.node(at, shift);
        if (node === 0) return false;
        this.change(slot, node);
      }
      if (this.get(node) !== (at | (shift << 8))) return false;
      slot = node + Node.CHILDREN + 4 * ((byteAt(at) >>> shift) & 15);
    }
    this.change(slot, template ? address + Entry.TEMPLATE : Entry.CLOSED);
    return true;
  }

  /** All of it, for `restore`. */
  save(): Uint8Array<ArrayBuffer> {
    const head = Uint32Array.of(this.roots.size, ...[...this.roots].flat());
    const out = new Uint8Array(head.byteLength + this.end);
    out.set(new Uint8Array(head.buffer));
    out.set(this.from(0), head.byteLength);
    return out;
  }
  static restore(saved: ArrayBuffer): TemplateImage {
    const image = new TemplateImage();
    const [count] = new Uint32Array(saved, 0, 1);
    const roots = new Uint32Array(saved, 4, 2 * count);
    for (let i = 0; i < roots.length; i += 2) image.roots.set(roots[i], roots[i + 1]);
    image.bytes = new Uint8Array(saved, 4 + roots.byteLength);
    image.view = new DataView(saved, 4 + roots.byteLength);
    image.end = image.bytes.length;
    return image;
  }
}
