import { concat } from '../isa/bytes.ts';
import type { IsaName } from '../isas.ts';

/**
 * A file of test vectors: states of a guest before and after a few instructions, as an oracle left them. Self-contained:
 * `MAGIC`, the length of the header as 32 bits little-endian, the header as JSON, then pages, templates and vectors.
 * A state before is a template with changes, a state after is the state before with changes.
 */
const MAGIC = 0x31564d57; // WMV1

/** Where the expected states come from. */
export interface Oracle {
  readonly name: string;
  /** What it ran on, and what made it: processor model, kernel, versions of compiler and emulator. */
  readonly details: Readonly<Record<string, string>>;
}

export interface VectorPage {
  readonly address: number;
  readonly permission: 'r' | 'rw' | 'rx';
}

/** A part of a writable page that a state before says. */
export interface MemoryWindow {
  readonly address: number;
  readonly length: number;
}

export interface Form {
  readonly group: string;
  /** As the translator's row has them. */
  readonly encoding: string;
  readonly text: string;
  readonly vectors: number;
  /** Why there are none. */
  readonly skipped?: string;
  /** Cases without a vector, since the oracle does not do what the manual says. */
  readonly omitted?: readonly { readonly reason: string; readonly count: number }[];
  /** Bits that the manual leaves undefined and vectors of this form do not compare, with the manual's section. */
  readonly undefined?: string;
  /** What the manual allows results in float registers to be apart. */
  readonly tolerance?: { readonly ulps?: number; readonly relative?: number };
  /** Where its vectors start in the file. */
  readonly at: number;
}

interface Header {
  readonly name: string;
  readonly isa: IsaName;
  readonly oracle: Oracle;
  readonly seed: number;
  readonly imageBytes: number;
  /** Bits of the bytes from `start` up to `end` of an image that are never compared. */
  readonly ignored: readonly (readonly [start: number, end: number, bits: number])[];
  readonly pages: readonly VectorPage[];
  readonly windows: readonly MemoryWindow[];
  /** What the code page holds but for the code. */
  readonly filler: readonly number[];
  /** False where the oracle does not tell where a fault was. */
  readonly comparesPc: boolean;
  readonly templates: number;
  readonly forms: readonly Form[];
}

export const enum EndKind {
  /** At the breakpoint, or wherever vectors of this ISA return to. */
  Stopped,
  Fault,
  /** Not within a million instructions. */
  Endless,
}

export interface End {
  readonly kind: EndKind;
  /** Of the fault, in the oracle's terms: x86 vector, Linux signal. */
  readonly number: number;
  /** Address that could not be accessed, where the oracle tells it. */
  readonly address: number;
}

export interface Vector {
  readonly pc: number;
  readonly code: Uint8Array;
  /** Guest state before, as the ISA's `Subject` lays it out. */
  readonly before: Uint8Array;
  /** Contents of the windows, one after the other. */
  readonly memory: Uint8Array;
  readonly end: End;
  readonly endPc: number;
  readonly after: Uint8Array;
  /** Bytes of memory that changed, by address. */
  readonly changes: ReadonlyMap<number, number>;
  /** Bits of the state that are not compared; all ones where nothing is. */
  readonly ignored: Uint8Array;
  /** Memory that is not compared: start and end of a range. */
  readonly ignoredMemory: readonly [number, number];
  /** The address of the fault is up to the processor. */
  readonly anyAddress: boolean;
}

export interface Suite extends Omit<Header, 'templates'> {
  readonly pageBytes: readonly Uint8Array[];
  vectors(form: Form): Generator<Vector>;
}

export const PAGE = 4096;

class Writer {
  readonly bytes: number[] = [];
  u(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.bytes.push((rest & 0x7f) | 0x80);
    this.bytes.push(rest);
  }
  s(value: number): void {
    this.u((value << 1) ^ (value >> 31));
  }
  raw(bytes: ArrayLike<number>): void {
    for (let i = 0; i < bytes.length; i++) this.bytes.push(bytes[i]);
  }
  /** What differs from `base`: runs of gap, length, bytes. */
  diff(base: Uint8Array, now: Uint8Array): void {
    const runs: [number, number][] = [];
    for (let i = 0; i < now.length; i++) {
      if (base[i] === now[i]) continue;
      const last = runs[runs.length - 1];
      if (last && i - last[1] < 2) last[1] = i + 1;
      else runs.push([i, i + 1]);
    }
    this.u(runs.length);
    let at = 0;
    for (const [from, to] of runs) {
      this.u(from - at);
      this.u(to - from);
      this.raw(now.subarray(from, to));
      at = to;
    }
  }
}

class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}
  private next(): number {
    if (this.at >= this.bytes.length) throw new RangeError('the vector file ends too early');
    return this.bytes[this.at++];
  }
  u(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.next();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
  s(): number {
    const value = this.u();
    return (value >>> 1) ^ -(value & 1);
  }
  raw(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new RangeError('the vector file ends too early');
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }
  diff(base: Uint8Array): Uint8Array {
    const out = base.slice();
    let at = 0;
    for (let runs = this.u(); runs > 0; runs--) {
      at += this.u();
      const run = this.raw(this.u());
      out.set(run, at);
      at += run.length;
    }
    return out;
  }
}

/** What `encodeSuite` needs of a vector besides the vector: which template it was made from. */
export type RecordedVector = Vector & { readonly template: number };

export interface RecordedSuite extends Omit<Header, 'templates' | 'forms'> {
  readonly pageBytes: readonly Uint8Array[];
  /** State and windows, one after the other. */
  readonly templates: readonly Uint8Array[];
  readonly forms: readonly (Omit<Form, 'vectors' | 'at'> & { readonly vectors: readonly RecordedVector[] })[];
}

/** Which bits of the state no vector compares. */
function ignoredMask(header: Pick<Header, 'ignored' | 'imageBytes'>): Uint8Array {
  const mask = new Uint8Array(header.imageBytes);
  for (const [from, to, bits] of header.ignored) mask.fill(bits, from, to);
  return mask;
}

export function encodeSuite(suite: RecordedSuite): Uint8Array {
  const { templates, pageBytes, forms, ...rest } = suite;
  const out = new Writer();
  for (const bytes of pageBytes) out.raw(bytes);
  for (const bytes of templates) out.raw(bytes);
  const mask = ignoredMask(suite);
  const listed: Form[] = forms.map(({ vectors, ...form }) => {
    const at = out.bytes.length;
    let previous: Vector | undefined;
    for (const v of vectors) {
      const same = previous !== undefined && previous.pc === v.pc && previous.code.every((byte, i) => byte === v.code[i]);
      out.u(same && previous?.code.length === v.code.length ? 0 : v.code.length);
      if (!(same && previous?.code.length === v.code.length)) {
        out.raw(v.code);
        out.u(v.pc);
      }
      previous = v;
      out.u(v.template);
      out.diff(templates[v.template], concat([v.before, v.memory]));
      const hasIgnored = v.ignoredMemory[1] > v.ignoredMemory[0];
      out.u(v.end.kind | (Number(v.anyAddress) << 2) | (Number(hasIgnored) << 3) | (v.end.number << 4));
      if (v.end.kind === EndKind.Fault) out.u(v.end.address);
      if (hasIgnored) for (const address of v.ignoredMemory) out.u(address);
      out.s((v.endPc - v.pc) | 0);
      out.diff(v.before, v.after);
      out.diff(mask, v.ignored);
      const runs: { start: number; bytes: number[] }[] = [];
      for (const [address, byte] of [...v.changes].sort(([a], [b]) => a - b)) {
        const last = runs[runs.length - 1];
        if (last && last.start + last.bytes.length === address) last.bytes.push(byte);
        else runs.push({ start: address, bytes: [byte] });
      }
      out.u(runs.length);
      for (const { start, bytes } of runs) {
        out.u(start);
        out.u(bytes.length);
        out.raw(bytes);
      }
    }
    return { ...form, vectors: vectors.length, at };
  });
  const header = new TextEncoder().encode(JSON.stringify({ ...rest, templates: templates.length, forms: listed } satisfies Header));
  const bytes = new Uint8Array(8 + header.length + out.bytes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, header.length, true);
  bytes.set(header, 8);
  bytes.set(out.bytes, 8 + header.length);
  return bytes;
}

/** Throws RangeError or SyntaxError if the bytes are no vector file. */
export function decodeSuite(file: Uint8Array): Suite {
  // a Buffer's slice is no copy
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8 || view.getUint32(0, true) !== MAGIC) throw new RangeError('not a file of test vectors');
  const body = 8 + view.getUint32(4, true);
  const { templates: count, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, body))) as Header;
  const reader = new Reader(bytes, body);
  const pageBytes = header.pages.map(() => reader.raw(PAGE));
  const templateBytes = header.imageBytes + header.windows.reduce((sum, w) => sum + w.length, 0);
  const templates = Array.from({ length: count }, () => reader.raw(templateBytes));
  const mask = ignoredMask(header);
  return {
    ...header,
    pageBytes,
    *vectors(form) {
      const r = new Reader(bytes, body + form.at);
      let code: Uint8Array = new Uint8Array(0);
      let pc = 0;
      for (let n = 0; n < form.vectors; n++) {
        const length = r.u();
        if (length > 0) {
          code = r.raw(length);
          pc = r.u();
        }
        const state = r.diff(templates[r.u()]);
        const before = state.slice(0, header.imageBytes);
        const flags = r.u();
        const kind: EndKind = flags & 3;
        const address = kind === EndKind.Fault ? r.u() : 0;
        const ignoredMemory: [number, number] = flags & 8 ? [r.u(), r.u()] : [0, 0];
        const endPc = (pc + r.s()) >>> 0;
        const after = r.diff(before);
        const ignored = r.diff(mask);
        const changes = new Map<number, number>();
        for (let runs = r.u(); runs > 0; runs--) {
          const start = r.u();
          for (const [i, byte] of r.raw(r.u()).entries()) changes.set(start + i, byte);
        }
        yield {
          pc,
          code,
          before,
          memory: state.slice(header.imageBytes),
          end: { kind, number: flags >>> 4, address },
          endPc,
          after,
          changes,
          ignored,
          ignoredMemory,
          anyAddress: (flags & 4) !== 0,
        };
      }
    },
  };
}
