import { Layout, PagePermission } from '../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { GuestMemory } from '../vcpu/guest-memory.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

const PAGE_COUNT = Layout.PAGES_END - Layout.PAGES;
/** What the engine notes for itself, in four pages. */
const ENGINES = PagePermission.Code * 0x01010101;

/** Pages that are mapped, one after the other. */
interface Range {
  /** Numbers of the first page and of the one after the last. */
  readonly first: number;
  readonly last: number;
}

/** All that guest code can see of a guest in user mode. */
export interface Snapshot {
  readonly pc: number;
  readonly instructions: number;
  readonly mode: number;
  readonly state: Uint8Array;
  /** Permissions, without what the engine notes there for itself. */
  readonly pages: Uint8Array;
  readonly ranges: readonly { readonly first: number; readonly bytes: Uint8Array }[];
}

const stateOf = ({ memory }: Vcpu): Uint8Array => memory.bytes.subarray(Layout.STATE, Layout.STATE + Layout.STATE_SIZE);
const pagesOf = ({ memory }: Vcpu): Uint8Array => memory.bytes.subarray(Layout.PAGES, Layout.PAGES_END);

const wordsOf = (pages: Uint8Array): Int32Array => new Int32Array(pages.buffer, pages.byteOffset, PAGE_COUNT / 4);

function rangesOf(pages: Uint8Array): Range[] {
  const ranges: { first: number; last: number }[] = [];
  const words = wordsOf(pages);
  for (let w = 0; w < words.length; w++) {
    if (words[w] === 0) continue;
    for (let page = 4 * w; page < 4 * w + 4; page++) {
      if ((pages[page] & PagePermission.Used) === 0) continue;
      const range = ranges[ranges.length - 1];
      if (range?.last === page) range.last++;
      else ranges.push({ first: page, last: page + 1 });
    }
  }
  return ranges;
}

const bytesOf = (vcpu: Vcpu, { first, last }: Range): Uint8Array => {
  const start = GuestMemory.index(first * PAGE_SIZE);
  return vcpu.memory.bytes.subarray(start, start + (last - first) * PAGE_SIZE);
};

/** Takes the place of an older one, if that is given and no longer needed. */
export function takeSnapshot(vcpu: Vcpu, older?: Snapshot): Snapshot {
  const pages = older?.pages ?? new Uint8Array(PAGE_COUNT);
  const [from, to] = [pagesOf(vcpu), pages].map(wordsOf);
  for (let w = 0; w < from.length; w++) to[w] = from[w] & ~ENGINES;
  const ranges = rangesOf(pages).map((range, n) => {
    const bytes = bytesOf(vcpu, range);
    const old = older?.ranges[n]?.bytes;
    if (old?.length !== bytes.length) return { first: range.first, bytes: bytes.slice() };
    old.set(bytes);
    return { first: range.first, bytes: old };
  });
  return { pc: vcpu.pc, instructions: vcpu.retired, mode: vcpu.mode, state: stateOf(vcpu).slice(), pages, ranges };
}

/** Puts another vCPU of the same ISA, over a memory of the same size, into that state. What it has translated must still hold. */
export function restore(vcpu: Vcpu, snapshot: Snapshot): void {
  if (vcpu.isa.mode !== undefined) vcpu.mode = snapshot.mode;
  const pages = pagesOf(vcpu);
  const [here, there] = [pages, snapshot.pages].map(wordsOf);
  for (let w = 0; w < here.length; w++) {
    if ((here[w] & ~ENGINES) === there[w]) continue;
    for (let page = 4 * w; page < 4 * w + 4; page++)
      if (snapshot.pages[page] === 0 && pages[page] !== 0) bytesOf(vcpu, { first: page, last: page + 1 }).fill(0);
    here[w] = there[w] | (here[w] & ENGINES);
  }
  for (const { first, bytes } of snapshot.ranges) vcpu.memory.bytes.set(bytes, GuestMemory.index(first * PAGE_SIZE));
  stateOf(vcpu).set(snapshot.state);
  vcpu.pc = snapshot.pc;
  vcpu.stats.instructions = snapshot.instructions;
}

/** Guest addresses of bytes in which two guests with the same pages differ, the first ones; pages that only one has count whole. */
export function memoryDifferences(a: Vcpu, b: Vcpu, limit: number): number[] {
  const found: number[] = [];
  for (const { first, last } of rangesOf(pagesOf(a))) {
    const start = GuestMemory.index(first * PAGE_SIZE);
    const count = ((last - first) * PAGE_SIZE) / 4;
    const [x, y] = [a, b].map(({ memory }) => new Int32Array(memory.memory.buffer, start, count));
    for (let w = 0; w < count && found.length < limit; w++) {
      if (x[w] === y[w]) continue;
      for (let i = start + 4 * w; i < start + 4 * w + 4; i++)
        if (a.memory.bytes[i] !== b.memory.bytes[i]) found.push(first * PAGE_SIZE + i - start);
    }
  }
  return found.slice(0, limit);
}
