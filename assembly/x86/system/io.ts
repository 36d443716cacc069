// IN, OUT, INS, OUTS and who may (SDM volume 1, chapter 19).

import { Eflags, Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { System } from '../../../translators/x86/system/state';
import { portRead, portWrite } from '../../env';
import { checkRead, checkWrite, guestLoad, guestStore } from '../../memory';
import { busWork } from '../../paged';
import { Layout } from '../../shared/layout';
import { RepForm, RepLimit, RepPass } from '../../shared/rep';
import { cpl, get, raise, set, systemCanRead, systemLoad } from './core';
import { STORES, watchPort, x86_watch } from './debug';
import { isVirtual, segmentFault } from './descriptors';

/** 0, or 1 with #GP(0) recorded. In virtual-8086 mode IOPL does not count, only the bitmap. */
export function x86_port_permission(port: u32, bytes: u32): u32 {
  if (!isVirtual() && cpl() <= (get(X86.OTHER_FLAGS) & Eflags.IOPL) >>> 12) return 0;
  const base = get(System.TR + 4);
  const limit = get(System.TR + 8);
  if (get(System.TR + 12) & 0x800 && limit >= 0x67) {
    if (!systemCanRead(base + 0x66, 2)) return 1;
    const at: u32 = <u32>systemLoad<u16>(base + 0x66) + (port >>> 3);
    // the processor always reads two bytes
    if (at + 1 <= limit) {
      if (!systemCanRead(base + at, 2)) return 1;
      const bits = (<u32>systemLoad<u16>(base + at) >>> (port & 7)) & ((1 << bytes) - 1);
      if (!bits) return 0;
    }
  }
  raise(Vector.GP, 0);
  return 1;
}

export function x86_in(port: u32, bytes: u32): u32 {
  watchPort(port, bytes);
  return portRead(port, bytes);
}
export function x86_out(port: u32, bytes: u32, value: u32): void {
  watchPort(port, bytes);
  portWrite(port, bytes, value);
}

/** Elements of one pass with a repeat prefix: an interrupt need not wait long. */
const PASS: u32 = 4096;

function within(form: u32): u32 {
  return form & RepForm.ADDRESS16 ? 0xffff : 0xffffffff;
}
function advance(slot: u32, delta: u32, mask: u32): void {
  const old = get(slot);
  set(slot, (old & ~mask) | ((old + delta) & mask));
}
function elements(form: u32): u32 {
  return form & RepForm.REPNE ? min(get(X86.ECX) & within(form), form & RepForm.SINGLE ? 1 : PASS) : 1;
}
function counted(form: u32): void {
  if (form & RepForm.REPNE) advance(X86.ECX, -1, within(form));
}
function outcome(form: u32): u32 {
  return form & RepForm.REPNE && get(X86.ECX) & within(form) ? RepPass.More : RepPass.Finished;
}
function worked(count: u32): bool {
  if (load<u32>(Layout.REP_WORK) >= <u32>RepLimit.RUN) return false;
  busWork(count);
  return true;
}

/** `form` is a RepForm, in which REPNE says that there is a repeat prefix. */
export function x86_ins(form: u32): u32 {
  const size = form & RepForm.SIZE;
  const mask = within(form);
  const port = get(X86.EDX) & 0xffff;
  const step = get(X86.DF) ? -size : size;
  const count = elements(form);
  if (!worked(count)) return RepPass.Pause;
  for (let n = count; n; n--) {
    const offset = get(X86.EDI) & mask;
    if (segmentFault(Segment.ES, offset, size) || !get(System.WRITABLE + Segment.ES * 4)) {
      raise(Vector.GP, 0);
      return RepPass.Fault;
    }
    const address = get(X86.ES_BASE + Segment.ES * 4) + offset;
    if (!checkWrite(address, size)) return RepPass.Fault;
    if (form & RepForm.SINGLE) {
      x86_watch(address, size | STORES);
      watchPort(port, size);
    }
    const value = portRead(port, size);
    if (size === 1) guestStore<u8>(address, <u8>value);
    else if (size === 2) guestStore<u16>(address, <u16>value);
    else guestStore<u32>(address, value);
    advance(X86.EDI, step, mask);
    counted(form);
  }
  return outcome(form);
}

export function x86_outs(form: u32): u32 {
  const size = form & RepForm.SIZE;
  const mask = within(form);
  const port = get(X86.EDX) & 0xffff;
  const step = get(X86.DF) ? -size : size;
  const segment = (form >>> RepForm.SEGMENT_SHIFT) & 7;
  const count = elements(form);
  if (!worked(count)) return RepPass.Pause;
  for (let n = count; n; n--) {
    const offset = get(X86.ESI) & mask;
    if (segmentFault(segment, offset, size)) {
      raise(segment === Segment.SS ? Vector.SS : Vector.GP, 0);
      return RepPass.Fault;
    }
    const address = get(X86.ES_BASE + segment * 4) + offset;
    if (!checkRead(address, size)) return RepPass.Fault;
    if (form & RepForm.SINGLE) {
      x86_watch(address, size);
      watchPort(port, size);
    }
    portWrite(port, size, size === 1 ? <u32>guestLoad<u8>(address) : size === 2 ? <u32>guestLoad<u16>(address) : guestLoad<u32>(address));
    advance(X86.ESI, step, mask);
    counted(form);
  }
  return outcome(form);
}
