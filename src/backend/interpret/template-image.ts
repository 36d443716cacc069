import { Layout } from '../../../assembly/shared/layout.ts';
import { TerminatorKind } from '../../../assembly/shared/lowering.ts';
import {
  Entry,
  HoleFlag,
  Hole as HoleWord,
  Node,
  NodeFlag,
  Open,
  Slot,
  TemplateOp,
  Template as TemplateWord,
} from '../../../assembly/shared/template.ts';
import { op } from '../../ir/ops.ts';
import { type DelaySlot, type Digit, digitOf, type Template, type TemplateEnd, type TemplateMaker } from '../../ir/template.ts';

const I32_CONST = op('i32.const');
const INSN = op('insn');
const SHUFFLE = op('i8x16.shuffle');

const OPENS = new Map([
  [INSN, Open.Pc],
  [SHUFFLE, Open.Shuffle],
]);

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

const slotBits = ({ target, marked }: DelaySlot): number => (target === undefined ? Slot.WITHIN : Slot.APART) | (marked ? Slot.MARKED : 0);

function bytesOf({ block, length, holeOf, registerOf, holes, end }: Template, slot: DelaySlot | undefined): readonly number[] {
  const { shuffles } = block;
  const bytes: number[] = [];
  const u16 = (n: number): void => void bytes.push(n & 0xff, (n >>> 8) & 0xff);
  const u32 = (n: number): void => {
    u16(n);
    u16(n >>> 16);
  };
  const [first, second, third] = end ? endWords(end) : [0, 0, 0];
  bytes.push(block.size, holes.length, shuffles.length, end ? KINDS[end.kind] : TemplateWord.NO_END);
  u16(length);
  u16(first);
  bytes.push(second, third, slot ? slotBits(slot) : 0, slot?.target ?? 0);
  for (const { field, shift, negated, relative, constant, mask, region } of holes) {
    const flags = (negated ? HoleFlag.NEGATED : 0) | (relative ? HoleFlag.RELATIVE : 0) | (region ? HoleFlag.REGION : 0);
    bytes.push(field?.offset ?? 0, (field?.bytes ?? 0) | (field?.bigEndian ? HoleWord.BIG_ENDIAN : 0), flags, shift ?? 0);
    u32(constant ?? 0);
    u32(mask ?? -1);
  }
  for (let v = 0; v < length; v++) {
    const number = block.op[v];
    const register = registerOf[v];
    const open = holeOf[v] >= 0 ? Open.Hole : register >= 0 ? Open.Register : (OPENS.get(number) ?? Open.Nothing);
    const hole = open === Open.Hole;
    const count = block.operandCount(v);
    const words = Array.from({ length: count }, (_, i) => {
      if (hole) return holeOf[v];
      if (open === Open.Register && i === 0) return register;
      return open === Open.Pc && i !== 1 ? 0 : block.operand(v, i);
    });
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

/** The first word of a node that looks at it. */
function headerOf({ offset, bytes, bigEndian, shift, mask, zero }: Digit): number {
  const flags = (bytes === 4 ? NodeFlag.WORD : 0) | (bigEndian ? NodeFlag.BIG_ENDIAN : 0) | (zero ? NodeFlag.ZERO : 0);
  return offset | (shift << 8) | (mask << 16) | (flags << 24);
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

  /** See IsaTemplates. */
  constructor(private readonly first: Digit) {}

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
      root = this.node(headerOf(this.first));
      this.roots.set(mode, root);
    }
    return root;
  }
  /** A new node; 0 without room. */
  private node(header: number): number {
    const node = this.allocate(Node.SIZE);
    if (node !== 0) this.put(node, header);
    return node;
  }

  /** Puts in what was made of an instruction, whose bytes `byteAt` gives. False without room, or if what such instructions are hangs on other bytes. */
  add(root: number, { template, key, slot }: Made, byteAt: (at: number) => number): boolean {
    const address = template ? this.append(bytesOf(template, slot)) : 0;
    if (template && address === 0) return false;
    let child = 0;
    for (const digit of key) {
      const header = headerOf(digit);
      let node = child === 0 ? root : this.get(child);
      if (node === 0) {
        node = this.node(header);
        if (node === 0) return false;
        this.change(child, node);
      }
      if (this.get(node) !== header) return false;
      child = node + Node.CHILDREN + 4 * digitOf(digit, byteAt);
    }
    this.change(child, template ? address + Entry.TEMPLATE : Entry.CLOSED);
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
  static restore(saved: ArrayBuffer, first: Digit): TemplateImage {
    const image = new TemplateImage(first);
    const [count] = new Uint32Array(saved, 0, 1);
    const roots = new Uint32Array(saved, 4, 2 * count);
    for (let i = 0; i < roots.length; i += 2) image.roots.set(roots[i], roots[i + 1]);
    image.bytes = new Uint8Array(saved, 4 + roots.byteLength);
    image.view = new DataView(saved, 4 + roots.byteLength);
    image.end = image.bytes.length;
    return image;
  }
}
