import { ABI, Access, announceLdt, makeDescriptor, readDescriptor, setGdtEntry, UserDesc } from '../../../translators/x86/abi.ts';
import { UserSegment } from '../../../translators/x86/segments.ts';
import { X86 } from '../../../translators/x86/state.ts';
import type { GuestMemory } from '../../vcpu/guest-memory.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';

/** struct user_desc: entry_number, base_addr, limit, flags. */
const USER_DESC = 16;
/** Of an entry that is to be empty: base and limit 0, and these flags; for set_thread_area also none, for the old modify_ldt any. */
const EMPTY = UserDesc.READ_EXEC_ONLY | UserDesc.NOT_PRESENT;
const FLAGS = 0x7f;

interface Wanted {
  readonly entry: number;
  readonly flags: number;
  readonly words: readonly [low: number, high: number];
}

function readUserDesc(memory: GuestMemory, address: number, empties: (flags: number) => boolean): Wanted {
  const [entry, base, limit, word] = [0, 4, 8, 12].map((offset) => memory.u32(address + offset));
  const flags = word & FLAGS;
  const empty = base === 0 && limit === 0 && (flags === EMPTY || empties(flags));
  return { entry: entry | 0, flags, words: empty ? [0, 0] : makeDescriptor(base, limit, flags) };
}

const DATA_SEGMENTS = [X86.ES, X86.DS, X86.FS, X86.GS];
const isPlainSelector = (selector: number): boolean => selector < 4 || selector === UserSegment.DATA;

/** Loads a segment register; one that cannot be loaded becomes null, as after a failed load in the kernel. */
export function loadSegment(p: Process, register: number, selector: number): void {
  const number = (register - X86.ES) / 4;
  // what holds already is not loaded anew: null in FS and GS may be that of a new program
  if (isPlainSelector(selector) && p.vcpu.get32(register) === selector) return;
  if (p.vcpu.callHelper('x86_set_segment', number, selector) === LOAD_FAILED) p.vcpu.callHelper('x86_set_segment', number, 0);
}
const LOAD_FAILED = 1;

/** Segment registers that hold a selector follow its descriptor. */
function reload(p: Process, selector: number): void {
  for (const register of DATA_SEGMENTS) {
    const held = p.vcpu.get32(register);
    if ((held | 3) === (selector | 3)) loadSegment(p, register, held);
  }
}

const isTlsEntry = (entry: number): boolean => entry >= ABI.firstTlsEntry && entry < ABI.firstTlsEntry + ABI.tlsEntries;
const tlsWords = (p: Process, entry: number): [number, number] => [
  p.vcpu.get32(X86.GDT + entry * 8) >>> 0,
  p.vcpu.get32(X86.GDT + entry * 8 + 4) >>> 0,
];

/** `address` is in `memory`, which is a tracer's if that sets an entry; then `given` is its number. */
export function setThreadArea(p: Process, address: number, memory: GuestMemory, given?: number): number {
  const wanted = readUserDesc(memory, address, (flags) => flags === 0);
  let entry = given ?? wanted.entry;
  if (entry === -1) {
    for (entry = ABI.firstTlsEntry; isTlsEntry(entry) && tlsWords(p, entry)[1] !== 0; ) entry++;
    if (!isTlsEntry(entry)) return -Errno.ESRCH;
    memory.setU32(address, entry);
  }
  if (!isTlsEntry(entry)) return -Errno.EINVAL;
  setGdtEntry(p.vcpu.state, entry, wanted.words);
  reload(p, entry << 3);
  return 0;
}

export function getThreadArea(p: Process, entry: number, address: number, memory: GuestMemory): number {
  if (!isTlsEntry(entry)) return -Errno.EINVAL;
  const words = tlsWords(p, entry);
  const { base, limit, flags } = words[1] === 0 ? { base: 0, limit: 0, flags: EMPTY } : readDescriptor(...words);
  [entry, base, limit, flags].forEach((word, n) => {
    memory.setU32(address + n * 4, word);
  });
  return 0;
}

const enum ModifyLdt {
  Read = 0,
  /** Without UserDesc.USEABLE. */
  WriteOld = 1,
  ReadDefault = 2,
  Write = 0x11,
}
/** What the kernel's default LDT is long. */
const DEFAULT_BYTES = 128;
const LDT_BYTES = UserSegment.LDT_ENTRIES * 8;

/** modify_ldt(2): the table is common to all threads. */
export function modifyLdt(p: Process, command: number, address: number, bytes: number): number {
  switch (command) {
    case ModifyLdt.Read: {
      const count = Math.min(bytes, LDT_BYTES);
      p.memory.write(address, p.vcpu.table.slice(0, count));
      return count;
    }
    case ModifyLdt.ReadDefault: {
      const count = Math.min(bytes, DEFAULT_BYTES);
      p.memory.write(address, new Uint8Array(count));
      return count;
    }
    case ModifyLdt.WriteOld:
    case ModifyLdt.Write:
      return bytes === USER_DESC ? writeLdt(p, address, command === ModifyLdt.WriteOld) : -Errno.EINVAL;
    default:
      return -Errno.ENOSYS;
  }
}

/** user_desc.contents of a conforming code segment, which must not be present. */
const CONFORMING = 3;

function writeLdt(p: Process, address: number, old: boolean): number {
  const { entry, flags, words } = readUserDesc(p.memory, address, () => old);
  if (entry < 0 || entry >= UserSegment.LDT_ENTRIES) return -Errno.EINVAL;
  if ((flags & UserDesc.CONTENTS) >>> 1 === CONFORMING && (old || !(flags & UserDesc.NOT_PRESENT))) return -Errno.EINVAL;
  const kept = old ? words[1] & ~Access.AVL : words[1];
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, words[0], true);
  view.setUint32(4, kept, true);
  p.vcpu.writeTable(entry * 8, bytes);
  announceLdt(p.vcpu.state);
  reload(p, (entry << 3) | 4);
  return 0;
}

/** What the return from a signal handler does with CS and SS. False if they cannot be loaded. */
export function restoreCodeAndStack(p: Process, code: number, stack: number): boolean {
  const changed = (register: number, selector: number): boolean => p.vcpu.get32(register) !== selector;
  if (changed(X86.SS, stack | 3) && p.vcpu.callHelper('x86_set_segment', (X86.SS - X86.ES) / 4, stack | 3) === LOAD_FAILED) return false;
  return !changed(X86.CS, code | 3) || p.vcpu.callHelper('x86_restore_code', code) === 0;
}

/** Code and stack of a signal handler. */
export function enterFlatCode(p: Process): void {
  restoreCodeAndStack(p, ABI.userCode, ABI.userData);
}
