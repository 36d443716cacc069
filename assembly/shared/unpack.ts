/** What unpacking has come to (assembly/unpack). */
export const enum Unpacked {
  Done = 0,
  More = 1,
  Damaged = 2,
}

/** Where a kernel is unpacked: in the place of µops, before there are any. Offsets from Layout.UOPS. */
export const enum UnpackPlace {
  /** Probabilities of LZMA, 28,296 bytes at most. */
  PROBABILITIES = 0,
  /** Tables of CRC32. */
  TABLES = 0x8000,
  /** The packed file, then what comes out of it. */
  FILE = 0x10000,
  /** Bytes after that which may be written, too. */
  SLACK = 16,
}
