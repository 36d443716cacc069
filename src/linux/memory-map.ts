/** What a mapping shows of a file. The file system's files are adapted to it. */
export interface MappableFile {
  readonly name: string;
  /** Reads up to `into.length` bytes at `position`; short only at the end of the file. */
  read(into: Uint8Array, position: number): number | Promise<number>;
  /** Writes back a shared mapping. Absent: read-only. */
  write?(from: Uint8Array, position: number): number | Promise<number>;
}

export interface MemoryMap {
  /** Bytes mapped. */
  readonly used: number;
}
