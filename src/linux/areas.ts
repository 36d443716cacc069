import type { MappableFile } from './memory-map.ts';

/** What a mapping shows of a file. */
export interface Backing {
  readonly file: MappableFile;
  /** Position in the file of the area's first byte. */
  readonly offset: number;
}

/** A stretch of the address space with one set of properties. Bounds are page-aligned, `end` exclusive. */
export interface Area {
  readonly start: number;
  readonly end: number;
  /** PagePermission bits. */
  readonly permission: number;
  readonly shared: boolean;
  readonly backing: Backing | undefined;
  /** "[heap]", "[stack]" or a path, as /proc/self/maps shows it. */
  readonly name: string;
  /** Pages beyond the end of the file (from this address on): touching them is SIGBUS. */
  readonly fileEnd: number | undefined;
  /** mlock(2); it has no effect but that it shows. */
  readonly locked?: boolean;
  /** What a child finds there, if not the same (MADV_DONTFORK, MADV_WIPEONFORK). */
  readonly inChild?: 'nothing' | 'zeros' | undefined;
}

/** The part of an area between two addresses inside it. */
export function part(area: Area, start: number, end: number): Area {
  if (start === area.start && end === area.end) return area;
  const backing = area.backing && { ...area.backing, offset: area.backing.offset + (start - area.start) };
  return { ...area, start, end, backing };
}

/** Areas in the order of their addresses, without overlaps. */
export class Areas {
  private readonly list: Area[] = [];
  /** Whether any has shown a file to others as well: most processes have none. */
  haveShownShared = false;

  [Symbol.iterator](): IterableIterator<Area> {
    return this.list[Symbol.iterator]();
  }

  get count(): number {
    return this.list.length;
  }

  /** Index of the first area that ends above the address. */
  private indexFrom(address: number): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.list[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  at(address: number): Area | undefined {
    const area = this.list[this.indexFrom(address)];
    return area && area.start <= address ? area : undefined;
  }

  /** What of the areas lies in a range, cut to it. */
  within(start: number, end: number): Area[] {
    const found: Area[] = [];
    for (let index = this.indexFrom(start); index < this.list.length && this.list[index].start < end; index++) {
      const area = this.list[index];
      found.push(part(area, Math.max(start, area.start), Math.min(end, area.end)));
    }
    return found;
  }

  isFree(start: number, end: number): boolean {
    const next = this.list[this.indexFrom(start)];
    return !next || next.start >= end;
  }

  /** Whether areas cover the whole range. */
  covers(start: number, end: number): boolean {
    let at = start;
    for (let index = this.indexFrom(start); at < end; index++) {
      const area = this.list[index];
      if (!area || area.start > at) return false;
      at = area.end;
    }
    return true;
  }

  /** Takes a range out and puts `replacement` there; what reaches over its ends stays. */
  replace(start: number, end: number, replacement: readonly Area[]): void {
    const first = this.indexFrom(start);
    let last = first;
    const pieces: Area[] = [];
    while (last < this.list.length && this.list[last].start < end) last++;
    const head = this.list[first];
    if (last > first && head.start < start) pieces.push(part(head, head.start, start));
    pieces.push(...replacement);
    this.haveShownShared ||= replacement.some(({ shared, backing }) => shared && backing);
    const tail = this.list[last - 1];
    if (last > first && tail.end > end) pieces.push(part(tail, end, tail.end));
    this.list.splice(first, last - first, ...pieces);
    this.merge(Math.max(0, first - 1), first + pieces.length + 1);
  }

  private merge(from: number, to: number): void {
    for (let index = Math.min(to, this.list.length - 1); index > from; index--) {
      const [a, b] = [this.list[index - 1], this.list[index]];
      if (a.end === b.start && mergeable(a, b)) this.list.splice(index - 1, 2, { ...a, end: b.end });
    }
  }

  /** Start of the highest free range of this length that ends at or below `below` and does not start below `floor`. */
  highestGap(length: number, floor: number, below: number): number | undefined {
    let end = below;
    for (let index = this.list.length - 1; index >= 0; index--) {
      const area = this.list[index];
      if (area.start >= end) continue;
      if (area.end < end && end - Math.max(area.end, floor) >= length) return end - length;
      end = Math.min(end, area.start);
      if (end - length < floor) return undefined;
    }
    return end - length >= floor ? end - length : undefined;
  }
}

function mergeable(a: Area, b: Area): boolean {
  if (a.permission !== b.permission || a.shared !== b.shared || a.name !== b.name) return false;
  if (a.fileEnd !== b.fileEnd || !a.locked !== !b.locked || a.inChild !== b.inChild) return false;
  if (!a.backing || !b.backing) return a.backing === b.backing;
  return a.backing.file === b.backing.file && a.backing.offset + (a.end - a.start) === b.backing.offset;
}
