import { X86Image } from '../../../src/conformance/x86.ts';
import type { Case } from './case.ts';

/** What a vector's image of the state says, in parts. */
export interface ImageParts {
  readonly regs: Int32Array;
  readonly eflags: number;
  readonly fxsave: Uint8Array;
  readonly selectors: readonly number[];
  /** Of FS and GS. */
  readonly base: number;
}

export function imageOf(c: ImageParts): Uint8Array {
  const image = new Uint8Array(X86Image.BYTES);
  const view = new DataView(image.buffer);
  c.regs.forEach((value, r) => {
    view.setInt32(X86Image.GPR + 4 * r, value, true);
  });
  view.setInt32(X86Image.EFLAGS, c.eflags, true);
  c.selectors.forEach((value, s) => {
    view.setUint16(X86Image.SELECTORS + 2 * s, value, true);
  });
  view.setInt32(X86Image.SEGMENT_BASE, c.base, true);
  image.set(c.fxsave.subarray(0, X86Image.FXSAVE_BYTES), X86Image.FXSAVE);
  return image;
}

/** What a case says of the state before. */
export function partsOf(image: Uint8Array): Pick<Case, 'regs' | 'eflags' | 'threadSegment'> & { readonly fxsave: Uint8Array } {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const fxsave = new Uint8Array(512);
  fxsave.set(image.subarray(X86Image.FXSAVE));
  return {
    regs: Int32Array.from({ length: 8 }, (_, r) => view.getInt32(X86Image.GPR + 4 * r, true)),
    eflags: view.getInt32(X86Image.EFLAGS, true),
    threadSegment: view.getInt32(X86Image.SEGMENT_BASE, true) !== 0,
    fxsave,
  };
}
