import { Layout } from '../../../assembly/shared/layout.ts';
import { BlockInput, TerminatorKind } from '../../../assembly/shared/lowering.ts';
import { Assembled } from '../../../assembly/shared/template.ts';
import { Block, type Terminator } from '../../ir/block.ts';
import { TemplateMaker } from '../../ir/template.ts';
import { type Code, FetchFault } from '../../isa/code.ts';
import type { Isa, IsaTemplates } from '../../isa/isa.ts';
import type { Runtime } from '../runtime.ts';
import { TemplateImage } from './template-image.ts';

/** Before an ISA's name: the section of the runtime's module that has templates to begin with (src/build/templates.ts). */
export const TEMPLATES_SECTION = 'templates.';

const images = new WeakMap<Isa, TemplateImage>();
const NO_SHUFFLES: readonly (readonly number[])[] = [];

function imageFor(isa: Isa, { first }: IsaTemplates, runtime: Runtime): TemplateImage {
  let image = images.get(isa);
  if (!image) {
    const saved = isa.variant === undefined ? runtime.section(TEMPLATES_SECTION + isa.name) : undefined;
    image = saved ? TemplateImage.restore(saved, first) : new TemplateImage(first);
    images.set(isa, image);
  }
  return image;
}

/** Blocks for the interpreter, put together of templates. */
export class Templates {
  private readonly isaTemplates: IsaTemplates;
  private maker: TemplateMaker | undefined;
  private known: TemplateImage | undefined;
  private readonly memory: Uint8Array;
  private readonly words: Uint32Array;
  /** How much of the image this memory has. */
  private used = 0;
  private changes = 0;

  constructor(
    private readonly isa: Isa,
    private readonly runtime: Runtime,
    private readonly code: Code,
  ) {
    if (!isa.templates) throw new Error(`${isa.name} has no templates`);
    this.isaTemplates = isa.templates;
    const { buffer } = runtime.words;
    this.memory = new Uint8Array(buffer, Layout.TEMPLATES, Layout.TEMPLATES_END - Layout.TEMPLATES);
    this.words = new Uint32Array(buffer, Layout.TEMPLATES, (Layout.TEMPLATES_END - Layout.TEMPLATES) / 4);
  }

  /** A run whose blocks were all kept by an earlier one needs none. */
  private get image(): TemplateImage {
    this.known ??= imageFor(this.isa, this.isaTemplates, this.runtime);
    return this.known;
  }

  /**
   * The block at `pc`, with its ops in the runtime; undefined where lifting has to do it: if part of it has no template, or it ends near
   * the end of its page. Of at most so many instructions, and about so many ops.
   */
  block(pc: number, mode: number, most: number, mostOps: number): Block | undefined {
    const code = this.code.place(pc);
    if (code === undefined) return undefined;
    const { modeOf, longest, delaySlots } = this.isaTemplates;
    const odd = delaySlots ? pc & 3 : 0;
    if (odd > 1) return undefined;
    const kind = modeOf(mode);
    const root = this.image.root(kind);
    if (root === 0) return undefined;
    this.catchUp();
    for (;;) {
      const what =
        odd === 1 ? this.runtime.assembleSlot(pc - 1, code - 1, root) : this.runtime.assemble(pc, code, root, most, mostOps, longest);
      if (what === Assembled.Block) return this.assembled(pc);
      if (what === Assembled.Closed) return undefined;
      if (!this.learn(this.input(BlockInput.FIRST) >>> 0, root, kind)) return undefined;
    }
  }

  private input(word: BlockInput): number {
    return this.runtime.ir.input[word >>> 2];
  }
  private assembled(pc: number): Block {
    const { ir } = this.runtime;
    const size = this.input(BlockInput.BYTES);
    const instructions = this.input(BlockInput.INSTRUCTIONS);
    const length = this.input(BlockInput.LENGTH);
    return new Block(
      pc >>> 0,
      size,
      instructions,
      length,
      ir.opcodes,
      ir.a,
      ir.b,
      ir.c,
      ir.d,
      this.terminator(),
      NO_SHUFFLES,
      this.isa.helpers,
    );
  }
  private terminator(): Terminator {
    const first = this.input(BlockInput.FIRST);
    const kind: TerminatorKind = this.input(BlockInput.TERMINATOR);
    switch (kind) {
      case TerminatorKind.Goto:
        return { kind: 'goto', pc: first >>> 0 };
      case TerminatorKind.Branch:
        return { kind: 'branch', condition: first, taken: this.input(BlockInput.SECOND) >>> 0, next: this.input(BlockInput.THIRD) >>> 0 };
      case TerminatorKind.Call:
        return { kind: 'call', target: first >>> 0, next: this.input(BlockInput.SECOND) >>> 0 };
      case TerminatorKind.CallIndirect:
        return { kind: 'call-indirect', target: first, next: this.input(BlockInput.SECOND) >>> 0 };
      case TerminatorKind.Return:
        return { kind: 'return', target: first };
      case TerminatorKind.Jump:
        return { kind: 'jump', target: first };
      case TerminatorKind.Exit:
        throw new Error('no template exits');
    }
  }

  /** What other processors have learnt. */
  private catchUp(): void {
    const { image, words } = this;
    if (this.used < image.used) {
      this.memory.set(image.from(this.used), this.used);
      this.used = image.used;
    }
    for (; this.changes < image.changed.length; this.changes++) {
      const address = image.changed[this.changes];
      words[(address - Layout.TEMPLATES) >>> 2] = image.get(address);
    }
  }

  /** Whether something is known of the instruction at `pc` now. */
  private learn(pc: number, root: number, mode: number): boolean {
    const made = this.make(pc, mode);
    if (!made) return false;
    if (!this.image.add(root, made, (at) => this.code.u8(pc + at))) return false;
    this.catchUp();
    return true;
  }
  private make(pc: number, mode: number): ReturnType<TemplateMaker['make']> {
    try {
      this.maker ??= new TemplateMaker(this.isa);
      return this.maker.make(this.code, pc, mode);
    } catch (error) {
      if (error instanceof FetchFault) return undefined;
      throw error;
    }
  }
}
