/** Where a kernel is unpacked: in the place of µops, before there are any. Offsets from Layout.UOPS. */
export const enum UnpackPlace {
  /** Of what is checked beside the file. */
  SCRATCH = 0,
  /** Tables of CRC32. */
  TABLES = 0x8000,
  /** The packed file, then what comes out of it. */
  FILE = 0x10000,
  /** Bytes after that which may be read, too. */
  SLACK = 16,
}
