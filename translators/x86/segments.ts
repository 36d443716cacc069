/** Descriptors of user mode as Linux arranges them. Read by TypeScript and by AssemblyScript. */
export const enum UserSegment {
  /** Selectors (privilege level 3) of flat 32-bit code and data: those of a 64-bit kernel. */
  CODE = 0x23,
  DATA = 0x2b,
  /** GDT entries that set_thread_area fills: the first one's number, and how many. */
  FIRST_TLS = 6,
  TLS_ENTRIES = 3,
  GDT_ENTRIES = 9,
  /** What SLDT and STR give: GDT_ENTRY_LDT, once there is one, and GDT_ENTRY_TSS. */
  LDT = 0x50,
  TASK = 0x40,
  /** LDT_ENTRIES of Linux. */
  LDT_ENTRIES = 8192,
}
