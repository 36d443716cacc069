/** Bytes that are read where they are needed, such as those of a file. */
export interface KeptBytes {
  readonly length: number;
  /** A copy that begins at a multiple of four. Undefined if they cannot be read, or are not what was kept. */
  read(start: number, end: number): Uint8Array<ArrayBuffer> | undefined;
  /** No more will be read. */
  close?(): void;
}

/** What is kept is made of parts, each of which is read by itself and only if it is needed. */
export interface Part<T> {
  /** Undefined if it is damaged. */
  readonly value: () => T | undefined;
  /** As it is kept. */
  readonly bytes: () => Uint8Array | undefined;
}

/** Parts by the pcs that they are found at. */
export interface Parts<T> {
  readonly empty: boolean;
  at(pc: number): Part<T> | undefined;
  /** Those that count most come first, each with its pcs. */
  all(): readonly (readonly [pcs: readonly number[], part: Part<T>])[];
}

/** A part that is here. */
export function partOf<T>(value: T, encode: (value: T) => Uint8Array): Part<T> {
  return { value: () => value, bytes: () => encode(value) };
}

/** A part that lies in `source`. */
function partIn<T>(source: KeptBytes, start: number, end: number, decode: (bytes: Uint8Array<ArrayBuffer>) => T | undefined): Part<T> {
  let known: { readonly value: T | undefined } | undefined;
  const bytes = () => source.read(start, end);
  return {
    value() {
      if (!known) {
        const found = bytes();
        known = { value: found && decode(found) };
      }
      return known.value;
    },
    bytes,
  };
}

export function partsOf<T>(all: readonly (readonly [pcs: readonly number[], part: Part<T>])[]): Parts<T> {
  const byPc = new Map(all.flatMap(([pcs, part]) => pcs.map((pc) => [pc, part] as const)));
  return { empty: all.length === 0, at: (pc) => byPc.get(pc), all: () => all };
}

/**
 * Parts that lie in `source`: `ends` says where each ends, the first begins at `start`. `table` has pairs of a pc and the number of the
 * part that it is found in, by ascending pc. Undefined if that cannot be so.
 */
export function partsIn<T>(
  source: KeptBytes,
  start: number,
  ends: Uint32Array,
  table: Uint32Array,
  decode: (bytes: Uint8Array<ArrayBuffer>) => T | undefined,
): Parts<T> | undefined {
  for (let i = 0, at = start; i < ends.length; i++) {
    if (ends[i] < at || ends[i] % 4 !== 0 || ends[i] > source.length) return undefined;
    at = ends[i];
  }
  for (let i = 0; i < table.length; i += 2) if (table[i + 1] >= ends.length || (i > 0 && table[i] <= table[i - 2])) return undefined;
  const made: Part<T>[] = [];
  const part = (n: number): Part<T> => {
    made[n] ??= partIn(source, n === 0 ? start : ends[n - 1], ends[n], decode);
    return made[n];
  };
  return {
    empty: ends.length === 0,
    at(pc) {
      let low = 0;
      let high = table.length / 2;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (table[2 * middle] < pc) low = middle + 1;
        else high = middle;
      }
      return table[2 * low] === pc ? part(table[2 * low + 1]) : undefined;
    },
    all() {
      const pcs = Array.from(ends, (): number[] => []);
      for (let i = 0; i < table.length; i += 2) pcs[table[i + 1]].push(table[i]);
      return pcs.map((list, n) => [list, part(n)] as const);
    },
  };
}
