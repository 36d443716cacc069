/** What a repeated string instruction asks of its helper, and what the helper answers. Read by TypeScript and by AssemblyScript. */
export const enum RepForm {
  /** Element size in bytes: 1, 2 or 4. */
  SIZE = 7,
  /** SI, DI and CX instead of ESI, EDI and ECX. */
  ADDRESS16 = 8,
  /** CMPS and SCAS go on while the elements differ, not while they are equal. */
  REPNE = 16,
  /** Segments have bases and limits; bits 10…8 are the source's number. */
  SEGMENTED = 32,
  /** One element a pass. */
  SINGLE = 64,
  SEGMENT_SHIFT = 8,
}

export const enum RepLimit {
  /** Bytes of one pass at most. */
  PASS = 0x10000,
  /** Bytes that passes handle in one run(): a millisecond where they are moved at once, a tenth of a second one by one. */
  RUN = 0x800000,
}

export const enum RepPass {
  Finished = 0,
  /** The pass has reached its limit; the instruction goes on where it stands. */
  More = 1,
  /** Memory fault, recorded in EXIT_ARG0 and EXIT_ARG1; the registers show the iterations completed. */
  Fault = 2,
  /** Nothing was done: enough was done in this run(), which the budget, where a pass counts as one instruction, does not see. */
  Pause = 3,
}
