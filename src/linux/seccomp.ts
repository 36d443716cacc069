import type { GuestMemory } from '../vcpu/guest-memory.ts';

/** What a filter says of a call, in the upper half of its result; the lower half is data (seccomp(2)). */
export const enum Action {
  KillThread = 0,
  Trap = 0x0003_0000,
  Errno = 0x0005_0000,
  UserNotification = 0x7fc0_0000,
  Trace = 0x7ff0_0000,
  Log = 0x7ffc_0000,
  Allow = 0x7fff_0000,
  KillProcess = 0x8000_0000,
}

/** What a thread may call: read, write, exit and sigreturn (strict), or what its filters say, the newest first. */
export type Seccomp = { readonly mode: 'strict' } | { readonly mode: 'filter'; readonly filters: readonly Filter[] };

/** A classic BPF program over struct seccomp_data. */
export type Filter = readonly Instruction[];
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BPF_MAXINSNS; what all filters of a thread may have, each counted with four more; BPF_MEMWORDS. */
const MOST_INSTRUCTIONS = 4096;
const MOST_IN_ALL = 32768;
/** What all threads together may have. */
const MOST_TOGETHER = 1 << 20;
const MEMORY_WORDS = 16;
/** sizeof(struct seccomp_data) */
const DATA_BYTES = 64;

const enum Op {
  LdImm = 0x00,
  LdxImm = 0x01,
  LdAbs = 0x20,
  LdMem = 0x60,
  LdxMem = 0x61,
  LdLen = 0x80,
  LdxLen = 0x81,
  St = 0x02,
  Stx = 0x03,
  DivK = 0x34,
  LshK = 0x64,
  RshK = 0x74,
  Neg = 0x84,
  Ja = 0x05,
  RetK = 0x06,
  RetA = 0x16,
  Tax = 0x07,
  Txa = 0x87,
}
const ALU = 4;
const JUMP = 5;
/** BPF_X */
const WITH_X = 8;
const ADD_TO_RSH = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0];
const COMPARISONS = [0x10, 0x20, 0x30, 0x40];
const ALLOWED: ReadonlySet<number> = new Set([
  ...[
    Op.LdImm,
    Op.LdxImm,
    Op.LdAbs,
    Op.LdMem,
    Op.LdxMem,
    Op.LdLen,
    Op.LdxLen,
    Op.St,
    Op.Stx,
    Op.Neg,
    Op.Ja,
    Op.RetK,
    Op.RetA,
    Op.Tax,
    Op.Txa,
  ],
  ...ADD_TO_RSH.flatMap((operation) => [ALU | operation, ALU | operation | WITH_X]),
  ...COMPARISONS.flatMap((comparison) => [JUMP | comparison, JUMP | comparison | WITH_X]),
]);
const isBranch = (code: number): boolean => (code & 7) === JUMP && code !== Op.Ja;

/** Reads struct sock_fprog and its filter. Undefined where Linux has EINVAL. Throws GuestMemoryFault. */
export function readFilter(memory: GuestMemory, address: number): Filter | undefined {
  const count = memory.u16(address);
  if (count === 0 || count > MOST_INSTRUCTIONS) return undefined;
  const from = memory.u32(address + 4);
  const filter = Array.from({ length: count }, (_, index): Instruction => {
    const at = from + index * 8;
    return { code: memory.u16(at), jt: memory.u8(at + 2), jf: memory.u8(at + 3), k: memory.u32(at + 4) };
  });
  return isSafe(filter) ? filter : undefined;
}

/** Jumps stay inside, the end returns, words of data are whole, and words of memory are written before they are read. */
function isSafe(filter: Filter): boolean {
  const { length } = filter;
  const last = filter[length - 1].code;
  if (last !== Op.RetK && last !== Op.RetA) return false;
  /** Words of memory that have been written on every way there; all, as long as no way is known. */
  const written = new Uint16Array(length + 1).fill(0xffff);
  written[0] = 0;
  for (const [pc, { code, jt, jf, k }] of filter.entries()) {
    if (!ALLOWED.has(code)) return false;
    if (code === Op.LdAbs && (k >= DATA_BYTES || k % 4)) return false;
    if (code === Op.DivK && k === 0) return false;
    if ((code === Op.LshK || code === Op.RshK) && k >= 32) return false;
    let now = written[pc];
    if (code === Op.St || code === Op.Stx || code === Op.LdMem || code === Op.LdxMem) {
      if (k >= MEMORY_WORDS) return false;
      if (code === Op.St || code === Op.Stx) now |= 1 << k;
      else if (!(now & (1 << k))) return false;
    }
    if (code === Op.RetK || code === Op.RetA) continue;
    for (const distance of code === Op.Ja ? [k] : isBranch(code) ? [jt, jf] : [0]) {
      if (pc + 1 + distance >= length) return false;
      written[pc + 1 + distance] &= now;
    }
  }
  return true;
}

/** Instructions of filters, and four more for each. */
const total = (filters: readonly Filter[]): number => filters.reduce((sum, { length }) => sum + length + 4, 0);

/** With one more filter, or undefined if those are too many (ENOMEM): of this thread, or of `all` that there are. */
export function withFilter(before: Seccomp | undefined, filter: Filter, all: Iterable<Seccomp>): Seccomp | undefined {
  const filters = [filter, ...(before?.mode === 'filter' ? before.filters : [])];
  const own = total(filters);
  let together = own;
  for (const other of all) if (other.mode === 'filter') together += total(other.filters);
  return own > MOST_IN_ALL || together > MOST_TOGETHER ? undefined : { mode: 'filter', filters };
}

/** What the filters say of a call, given the words of its struct seccomp_data: the newest of those that allow least. */
export function judge(filters: readonly Filter[], data: readonly number[]): number {
  const strictness = (result: number): number => (result & 0xffff_0000) | 0;
  let least: number = Action.Allow;
  for (const filter of filters) {
    const result = run(filter, data);
    if (strictness(result) < strictness(least)) least = result;
  }
  return least;
}

function run(filter: Filter, data: readonly number[]): number {
  const memory = new Uint32Array(MEMORY_WORDS);
  let a = 0;
  let x = 0;
  for (let pc = 0; ; pc++) {
    const { code, jt, jf, k } = filter[pc];
    const operand = code & WITH_X ? x : k;
    if (isBranch(code)) {
      pc += holds(code & 0xf0, a, operand) ? jt : jf;
      continue;
    }
    switch (code) {
      case Op.LdImm:
        a = k;
        break;
      case Op.LdxImm:
        x = k;
        break;
      case Op.LdAbs:
        a = data[k / 4];
        break;
      case Op.LdLen:
        a = DATA_BYTES;
        break;
      case Op.LdxLen:
        x = DATA_BYTES;
        break;
      case Op.LdMem:
        a = memory[k];
        break;
      case Op.LdxMem:
        x = memory[k];
        break;
      case Op.St:
        memory[k] = a;
        break;
      case Op.Stx:
        memory[k] = x;
        break;
      case Op.Neg:
        a = -a >>> 0;
        break;
      case Op.Ja:
        pc += k;
        break;
      case Op.Tax:
        x = a;
        break;
      case Op.Txa:
        a = x;
        break;
      case Op.RetK:
        return k;
      case Op.RetA:
        return a;
      default:
        // a division by X = 0 returns 0
        if (code === (Op.DivK | WITH_X) && x === 0) return Action.KillThread;
        a = compute(code & 0xf0, a, operand) >>> 0;
    }
  }
}

function holds(comparison: number, a: number, operand: number): boolean {
  if (comparison === 0x10) return a === operand;
  if (comparison === 0x20) return a > operand;
  if (comparison === 0x30) return a >= operand;
  return (a & operand) !== 0;
}

function compute(operation: number, a: number, operand: number): number {
  switch (operation) {
    case 0x00:
      return a + operand;
    case 0x10:
      return a - operand;
    case 0x20:
      return Math.imul(a, operand);
    case 0x30:
      return a / operand;
    case 0x40:
      return a | operand;
    case 0x50:
      return a & operand;
    case 0x60:
      return a << operand;
    case 0x70:
      return a >>> operand;
    default:
      return a ^ operand;
  }
}
