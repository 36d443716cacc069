import { Code, FetchFault } from '../isa/code.ts';
import type { Disassembly } from '../isa/isa.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { Image } from './load.ts';
import type { Process } from './process.ts';
import { hex, locate } from './report.ts';

/** A guest function, or the file or mapping that code without symbols is in. */
export interface ProfiledFunction {
  readonly name: string;
  readonly file: string | undefined;
  /** Samples in it, and of those, in translated code. */
  samples: number;
  translated: number;
  /** Samples by pc. */
  readonly pcs: Map<number, number>;
}

/** Functions from the outermost to where the guest was, with the number of samples that had this stack. */
export interface ProfiledStack {
  readonly frames: readonly ProfiledFunction[];
  samples: number;
}

export type ProfiledInstruction = Disassembly & { readonly pc: number; readonly samples: number };

export interface Profile {
  readonly samples: number;
  readonly functions: readonly ProfiledFunction[];
  readonly stacks: readonly ProfiledStack[];
  /** The instructions around a function's samples, while the program's memory is as it was. */
  listing(f: ProfiledFunction): readonly ProfiledInstruction[];
}

/** Bytes of stack that are looked at, and frames that are found, at most. */
const STACK_BYTES = 8192;
const FRAMES = 64;
/** Bytes listed after the last sample of a function, and at most. */
const MARGIN = 16;
const LISTING_BYTES = 512;

/** From `start` up to `end`, as far as there is code. */
function instructions(p: Process, start: number, end: number): (Disassembly & { readonly pc: number })[] {
  const code = new Code(p.memory.codePage);
  const out: (Disassembly & { readonly pc: number })[] = [];
  try {
    for (let pc = start; pc < end; pc += out[out.length - 1].length) out.push({ pc, ...p.abi.isa.disassemble(code, pc) });
  } catch (error) {
    if (!(error instanceof FetchFault)) throw error;
  }
  return out;
}

/**
 * Notes where the guest is each time it is asked. Callers are found by the return addresses on the guest's stack: words that
 * follow a call that was lifted, and whose target, where it is known, is the function called. What is not found is left out.
 */
export class Profiler {
  private total = 0;
  private readonly functions = new Map<string, ProfiledFunction>();
  private readonly byPc = new Map<number, ProfiledFunction>();
  private readonly stacks = new Map<string, ProfiledStack>();

  constructor(
    private readonly p: Process,
    private readonly vcpu: Vcpu,
    private readonly images: readonly Image[],
  ) {}

  private functionAt(pc: number): ProfiledFunction {
    let f = this.byPc.get(pc);
    if (f) return f;
    const { symbol, file } = locate(this.p, this.images, pc);
    // without symbols, a function begins where calls go to
    const start = symbol === undefined ? this.vcpu.calledBefore(pc) : undefined;
    const name =
      symbol ?? (start !== undefined && locate(this.p, this.images, start).file === file ? hex(start) : `[${file ?? 'unknown'}]`);
    const key = `${name} ${file}`;
    f = this.functions.get(key);
    if (!f) {
      f = { name, file, samples: 0, translated: 0, pcs: new Map() };
      this.functions.set(key, f);
    }
    this.byPc.set(pc, f);
    return f;
  }

  /** The guest has stopped somewhere in its code. */
  sample(): void {
    const { pc } = this.vcpu;
    const f = this.functionAt(pc);
    this.total++;
    f.samples++;
    if (this.vcpu.isTranslated(pc)) f.translated++;
    f.pcs.set(pc, (f.pcs.get(pc) ?? 0) + 1);
    const frames = [f, ...this.callers(f)].reverse();
    const key = frames.map(({ name }) => name).join(';');
    const stack = this.stacks.get(key);
    if (stack) stack.samples++;
    else this.stacks.set(key, { frames, samples: 1 });
  }

  private callers(innermost: ProfiledFunction): ProfiledFunction[] {
    const { p, vcpu } = this;
    const { memory } = vcpu;
    const found: ProfiledFunction[] = [];
    let callee = innermost;
    const consider = (word: number): void => {
      const call = vcpu.callBefore(word);
      if (!call || (call.target !== undefined && this.functionAt(call.target) !== callee)) return;
      callee = this.functionAt(call.pc);
      found.push(callee);
    };
    // a leaf function's return address may still be in a register
    for (const { offset, visible } of p.abi.isa.registers) if (visible && found.length === 0) consider(vcpu.get32(offset) >>> 0);
    const start = p.abi.stackPointer(p) & ~3;
    const little = p.abi.isa.endian === 'little';
    for (let at = 0; at < STACK_BYTES && found.length < FRAMES; at += 4) {
      const address = (start + at) >>> 0;
      if (!(memory.permission(address) & PagePermission.Read)) break;
      consider(memory.data.getUint32(GuestMemory.index(address), little));
    }
    return found;
  }

  result(): Profile {
    const { p } = this;
    const bySamples = (a: { samples: number }, b: { samples: number }): number => b.samples - a.samples;
    return {
      samples: this.total,
      functions: [...this.functions.values()].filter(({ samples }) => samples > 0).sort(bySamples),
      stacks: [...this.stacks.values()].sort(bySamples),
      listing: ({ pcs }) => {
        const [hottest] = [...pcs].reduce((a, b) => (b[1] > a[1] ? b : a));
        // samples are where instructions begin
        const start = Math.min(...[...pcs.keys()].filter((pc) => pc >= hottest - LISTING_BYTES / 2));
        const end = Math.min(Math.max(...pcs.keys()) + MARGIN, start + LISTING_BYTES);
        return instructions(p, start, end).map((line) => ({ ...line, samples: pcs.get(line.pc) ?? 0 }));
      },
    };
  }
}
