/** Addresses of the pages that every case has, 4 KiB each, with nothing mapped around them. As in runner.c. */
export const DATA = 0x20000000;
export const STACK = 0x20010000;
export const CODE = 0x20020000;
export const READ_ONLY = 0x20030000;

/** Below the data page, so that running down from that page does not run through offset 0, a limit violation. */
export const SEGMENT_BASE = DATA - 0x1000;

export const DATA_BYTES = 128;
export const STACK_BYTES = 64;

/** A complete state of the processor and a few instructions. */
export interface Case {
  /** EAX ECX EDX EBX ESP EBP ESI EDI */
  readonly regs: Int32Array;
  readonly eflags: number;
  /** In the code page, which INT3 fills but for `code`. */
  readonly eip: number;
  /** At most 64 bytes. */
  readonly code: Uint8Array;
  /** DATA_BYTES bytes at this offset of the data page; the rest holds `background`. */
  readonly dataOffset: number;
  readonly data: Uint8Array;
  /** STACK_BYTES bytes at this offset of the stack page. */
  readonly stackOffset: number;
  readonly stack: Uint8Array;
  /** x87 and SSE state as FXSAVE stores it, 512 bytes; initial state without it. */
  readonly fxsave?: Uint8Array;
  /** FS and GS select a segment with base SEGMENT_BASE; else they are null. */
  readonly threadSegment: boolean;
}

/** How a case ended: at an INT3, or with the exception `vector`, or not at all. */
export interface End {
  readonly kind: 'breakpoint' | 'exception' | 'endless';
  readonly vector: number;
  /** First byte that could not be accessed, where the vector is 14. */
  readonly address: number;
}

export interface Outcome {
  readonly end: End;
  readonly regs: Int32Array;
  readonly eflags: number;
  /** Of the INT3, or of the instruction that faulted. */
  readonly eip: number;
  /** ES CS SS DS FS GS */
  readonly selectors: readonly number[];
  /** Bytes of data and stack page that changed, by address. */
  readonly changes: ReadonlyMap<number, number>;
  readonly fxsave: Uint8Array;
}

/** What data and stack page hold where a case does not say: byte `index` counts through both. */
export function background(index: number): number {
  return (index * 37 + (index >>> 8) + 11) & 0xff;
}

export interface Executor {
  readonly name: string;
  run(cases: readonly Case[]): Outcome[];
}
