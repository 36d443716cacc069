import { Layout } from '../../../assembly/shared/layout.ts';
import { BlockInput } from '../../../assembly/shared/lowering.ts';
import { Assembled } from '../../../assembly/shared/template.ts';
import { TemplateMaker } from '../../ir/template.ts';
import { type Code, FetchFault, PAGE_SIZE } from '../../isa/code.ts';
import type { Isa, IsaTemplates } from '../../isa/isa.ts';
import type { Runtime } from '../runtime.ts';
import { TemplateImage } from './template-image.ts';

/** Before an ISA's name: the section of the runtime's module that has templates to begin with (src/build/templates.ts). */
export const TEMPLATES_SECTION = 'templates.';

const images = new WeakMap<Isa, TemplateImage>();

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
   * Puts the block at `pc` into the runtime's `ir`; false where lifting has to do it: if part of it has no template, or it comes near
   * the end of its page, and may not go on in the next one or that lies elsewhere. Of at most so many instructions, and about so many ops.
   */
  assemble(pc: number, mode: number, most: number, mostOps: number, mayGoOn: boolean): boolean {
    const code = this.code.place(pc);
    if (code === undefined) return false;
    const { modeOf, longest, delaySlots } = this.isaTemplates;
    const odd = delaySlots ? pc & 3 : 0;
    if (odd > 1) return false;
    const kind = modeOf(mode);
    const root = this.image.root(kind);
    if (root === 0) return false;
    this.catchUp();
    let room = PAGE_SIZE - (pc % PAGE_SIZE);
    for (;;) {
      const what =
        odd === 1 ? this.runtime.assembleSlot(pc - 1, code - 1, root) : this.runtime.assemble(pc, code, room, root, most, mostOps, longest);
      if (what === Assembled.Block) return true;
      if (what === Assembled.Closed) return false;
      if (what === Assembled.End) {
        if (!mayGoOn || room > PAGE_SIZE || this.code.place((pc + room) >>> 0) !== code + room) return false;
        room += PAGE_SIZE;
      } else if (!this.learn(this.runtime.ir.input[BlockInput.FIRST >>> 2] >>> 0, root, kind)) return false;
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
