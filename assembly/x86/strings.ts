/**
 * REP, REPE and REPNE of the string instructions (SDM volume 2, REP/REPE/REPZ/REPNE/REPNZ). A call is one pass: at most
 * RepLimit.PASS of work, then the guest instruction is entered again. Results are those of one element after the other,
 * whatever is done at once.
 */
import { accessible, checkRead, checkWrite, guestLoad, guestStore } from '../memory';
import { Layout, PagePermission, TlbBit } from '../shared/layout';
import { RepForm, RepLimit, RepPass } from '../shared/rep';
import { X86 } from '../../translators/x86/state';
import { STORES, x86_watch } from './system/debug';
import { destinationFault, destinationBase, sourceBase, sourceFault } from './system/string-segments';

// @ts-ignore: decorator
@inline
function get(slot: u32): u32 {
  return load<u32>(Layout.STATE + slot);
}
// @ts-ignore: decorator
@inline
function set(slot: u32, value: u32): void {
  store<u32>(Layout.STATE + slot, value);
}
/** Where a guest address lies in this memory, that `accessible` has found. */
// @ts-ignore: decorator
@inline
function at(address: u32): usize {
  if (PAGED) return address + (load<u32>((address >>> 12) << 2, Layout.TLB) & TlbBit.ADDRESS);
  return address - Layout.FLOOR + Layout.WINDOW;
}

// @ts-ignore: decorator
@inline
function mask(form: u32): u32 {
  return form & RepForm.ADDRESS16 ? 0xffff : 0xffffffff;
}
/** Adds to ECX, ESI or EDI within the address size. */
// @ts-ignore: decorator
@inline
function advance(slot: u32, delta: u32, within: u32): void {
  const old = get(slot);
  set(slot, (old & ~within) | ((old + delta) & within));
}
/** Elements of this pass. */
function passCount<T>(form: u32): u32 {
  const most: u32 = form & RepForm.SINGLE ? 1 : RepLimit.PASS / sizeof<T>();
  const count = min(get(X86.ECX) & mask(form), most);
  store<u32>(Layout.REP_WORK, load<u32>(Layout.REP_WORK) + <u32>(count * sizeof<T>()));
  return count;
}
// @ts-ignore: decorator
@inline
function exhausted(): bool {
  return load<u32>(Layout.REP_WORK) >= <u32>RepLimit.RUN;
}
// @ts-ignore: decorator
@inline
function step<T>(): u32 {
  return get(X86.DF) ? <u32>-(<i32>sizeof<T>()) : sizeof<T>();
}
/** Elements can be handled many at once: addresses rise, and do not wrap at 64 KiB. */
// @ts-ignore: decorator
@inline
function plain(form: u32): bool {
  return get(X86.DF) == 0 && (form & (RepForm.ADDRESS16 | RepForm.SEGMENTED)) == 0;
}
// @ts-ignore: decorator
@inline
function outcome(form: u32): u32 {
  return get(X86.ECX) & mask(form) ? RepPass.More : RepPass.Finished;
}

/** Linear address of the source and the destination. `base` is the source's in user mode. */
// @ts-ignore: decorator
@inline
function sourceAt(form: u32, base: u32, within: u32): u32 {
  if (form & RepForm.SEGMENTED) return sourceBase(form) + (get(X86.ESI) & within);
  return base + (get(X86.ESI) & within);
}
// @ts-ignore: decorator
@inline
function destinationAt(form: u32, within: u32): u32 {
  if (form & RepForm.SEGMENTED) return destinationBase(form) + (get(X86.EDI) & within);
  return get(X86.EDI) & within;
}
/** Whether an element of the source may be read; a fault is recorded if not. */
// @ts-ignore: decorator
@inline
function mayReadSource(form: u32, within: u32, from: u32, size: u32): bool {
  if (form & RepForm.SEGMENTED) {
    if (sourceFault(form, get(X86.ESI) & within, size)) return false;
  }
  return checkRead(from, size);
}
// @ts-ignore: decorator
@inline
function mayReadDestination(form: u32, within: u32, to: u32, size: u32): bool {
  if (form & RepForm.SEGMENTED) {
    if (destinationFault(form, get(X86.EDI) & within, size, false)) return false;
  }
  return checkRead(to, size);
}
// @ts-ignore: decorator
@inline
function mayWrite(form: u32, within: u32, to: u32, size: u32): bool {
  if (form & RepForm.SEGMENTED) {
    if (destinationFault(form, get(X86.EDI) & within, size, true)) return false;
  }
  return checkWrite(to, size);
}

/** Data breakpoints, which single elements meet; the caller has one to do. */
// @ts-ignore: decorator
@inline
function watchSource(form: u32, base: u32, size: u32): void {
  if (PAGED && form & RepForm.SINGLE) x86_watch(sourceAt(form, base, mask(form)), size);
}
// @ts-ignore: decorator
@inline
function watchDestination(form: u32, size: u32, isStore: bool): void {
  if (PAGED && form & RepForm.SINGLE) x86_watch(destinationAt(form, mask(form)), isStore ? size | STORES : size);
}

// MOVS

function movs<T>(form: u32, base: u32): u32 {
  const size: u32 = sizeof<T>();
  if (exhausted()) return RepPass.Pause;
  let count = passCount<T>(form);
  if (count) {
    watchSource(form, base, size);
    watchDestination(form, size, true);
  }
  if (plain(form)) {
    while (count) {
      const from = base + get(X86.ESI);
      const to = get(X86.EDI);
      const bytes = count * size;
      const n = min(accessible(from, bytes, PagePermission.Read), accessible(to, bytes, PagePermission.Write)) / size;
      if (n == 0) {
        // an element that is cut by the end of what may be accessed, or lies outside; in a whole machine also of a device, or of two pages
        if (!checkRead(from, size) || !checkWrite(to, size) || !PAGED) return RepPass.Fault;
        guestStore<T>(to, guestLoad<T>(from));
        set(X86.ESI, from + size);
        set(X86.EDI, to + size);
        set(X86.ECX, get(X86.ECX) - 1);
        count--;
        continue;
      }
      copyForward<T>(to, from, n * size);
      set(X86.ESI, get(X86.ESI) + n * size);
      set(X86.EDI, to + n * size);
      set(X86.ECX, get(X86.ECX) - n);
      count -= n;
    }
    return outcome(form);
  }
  const within = mask(form);
  const delta = step<T>();
  for (; count; count--) {
    const from = sourceAt(form, base, within);
    const to = destinationAt(form, within);
    if (!mayReadSource(form, within, from, size) || !mayWrite(form, within, to, size)) return RepPass.Fault;
    guestStore<T>(to, guestLoad<T>(from));
    advance(X86.ESI, delta, within);
    advance(X86.EDI, delta, within);
    advance(X86.ECX, -1, within);
  }
  return outcome(form);
}

/** Copies element by element, upwards; where the areas overlap, what was copied is copied again. */
function copyForward<T>(to: u32, from: u32, bytes: u32): void {
  const distance: u32 = PAGED ? <u32>(at(to) - at(from)) : to - from;
  if (distance >= bytes) {
    memory.copy(at(to), at(from), bytes);
  } else if (distance >= sizeof<T>()) {
    for (let done: u32 = 0; done < bytes; done += distance) memory.copy(at(to + done), at(from + done), min(distance, bytes - done));
  } else {
    for (let done: u32 = 0; done < bytes; done += sizeof<T>()) store<T>(at(to + done), load<T>(at(from + done)));
  }
}

export function x86_rep_movs(form: u32, base: u32): u32 {
  const size = form & RepForm.SIZE;
  return size == 1 ? movs<u8>(form, base) : size == 2 ? movs<u16>(form, base) : movs<u32>(form, base);
}

// STOS

function stos<T>(form: u32): u32 {
  const size: u32 = sizeof<T>();
  const value = <T>get(X86.EAX);
  if (exhausted()) return RepPass.Pause;
  let count = passCount<T>(form);
  if (count) watchDestination(form, size, true);
  if (plain(form)) {
    while (count) {
      const to = get(X86.EDI);
      const n = accessible(to, count * size, PagePermission.Write) / size;
      if (n == 0) {
        if (!checkWrite(to, size) || !PAGED) return RepPass.Fault;
        guestStore<T>(to, value);
        set(X86.EDI, to + size);
        set(X86.ECX, get(X86.ECX) - 1);
        count--;
        continue;
      }
      fillForward<T>(to, value, n * size);
      set(X86.EDI, to + n * size);
      set(X86.ECX, get(X86.ECX) - n);
      count -= n;
    }
    return outcome(form);
  }
  const within = mask(form);
  const delta = step<T>();
  for (; count; count--) {
    const to = destinationAt(form, within);
    if (!mayWrite(form, within, to, size)) return RepPass.Fault;
    guestStore<T>(to, value);
    advance(X86.EDI, delta, within);
    advance(X86.ECX, -1, within);
  }
  return outcome(form);
}

function fillForward<T>(to: u32, value: T, bytes: u32): void {
  const low = <u8>value;
  if (sizeof<T>() == 1 || value == <T>(<u32>low * 0x01010101)) {
    memory.fill(at(to), low, bytes);
    return;
  }
  const many = v128.splat<T>(value);
  let done: u32 = 0;
  for (; done + 16 <= bytes; done += 16) v128.store(at(to + done), many);
  for (; done < bytes; done += sizeof<T>()) store<T>(at(to + done), value);
}

export function x86_rep_stos(form: u32): u32 {
  const size = form & RepForm.SIZE;
  return size == 1 ? stos<u8>(form) : size == 2 ? stos<u16>(form) : stos<u32>(form);
}

// LODS

function lods<T>(form: u32, base: u32): u32 {
  const size: u32 = sizeof<T>();
  const within = mask(form);
  const delta = step<T>();
  if (exhausted()) return RepPass.Pause;
  for (let count = passCount<T>(form); count; count--) {
    const from = sourceAt(form, base, within);
    watchSource(form, base, size);
    if (!mayReadSource(form, within, from, size)) return RepPass.Fault;
    store<T>(Layout.STATE + X86.EAX, guestLoad<T>(from));
    advance(X86.ESI, delta, within);
    advance(X86.ECX, -1, within);
  }
  return outcome(form);
}

export function x86_rep_lods(form: u32, base: u32): u32 {
  const size = form & RepForm.SIZE;
  return size == 1 ? lods<u8>(form, base) : size == 2 ? lods<u16>(form, base) : lods<u32>(form, base);
}

// CMPS and SCAS

/** The flags of left − right, as X86's flag words hold them. */
function setCompareFlags<T>(left: T, right: T): void {
  const up: u32 = 32 - sizeof<T>() * 8;
  const a = <u32>left;
  const b = <u32>right;
  const difference = a - b;
  const result = <u32>(<T>difference);
  set(X86.CF, u32(a < b));
  set(X86.ZF_RESULT, result);
  set(X86.SF_RESULT, result << up);
  set(X86.PF_RESULT, result);
  set(X86.AF_RESULT, a ^ b ^ difference);
  set(X86.OF_RESULT, ((a ^ b) & (a ^ difference)) << up);
}

/** Number of leading elements, of `n`, at which the two areas agree (`equal`) or differ. */
function run<T>(left: u32, right: u32, n: u32, equal: bool): u32 {
  const lanes: u32 = 16 / sizeof<T>();
  const all: u32 = (1 << lanes) - 1;
  let i: u32 = 0;
  for (; i + lanes <= n; i += lanes) {
    let same = <u32>v128.bitmask<T>(v128.eq<T>(v128.load(at(left + i * sizeof<T>())), v128.load(at(right + i * sizeof<T>()))));
    if (equal) same ^= all;
    if (same) return i + ctz(same);
  }
  while (i < n && (load<T>(at(left + i * sizeof<T>())) == load<T>(at(right + i * sizeof<T>()))) == equal) i++;
  return i;
}

/** The same, of one area against a value. */
function runOf<T>(area: u32, value: T, n: u32, equal: bool): u32 {
  const lanes: u32 = 16 / sizeof<T>();
  const all: u32 = (1 << lanes) - 1;
  const many = v128.splat<T>(value);
  let i: u32 = 0;
  for (; i + lanes <= n; i += lanes) {
    let same = <u32>v128.bitmask<T>(v128.eq<T>(v128.load(at(area + i * sizeof<T>())), many));
    if (equal) same ^= all;
    if (same) return i + ctz(same);
  }
  while (i < n && (load<T>(at(area + i * sizeof<T>())) == value) == equal) i++;
  return i;
}

// Flags are written only when the instruction ends: a fault leaves them as they were before it (SDM volume 2, REP).

function cmps<T>(form: u32, base: u32): u32 {
  const size: u32 = sizeof<T>();
  const equal = (form & RepForm.REPNE) == 0;
  if (exhausted()) return RepPass.Pause;
  let count = passCount<T>(form);
  if (count) {
    watchSource(form, base, size);
    watchDestination(form, size, false);
  }
  if (plain(form)) {
    while (count) {
      const left = base + get(X86.ESI);
      const right = get(X86.EDI);
      const bytes = count * size;
      const n = min(accessible(left, bytes, PagePermission.Read), accessible(right, bytes, PagePermission.Read)) / size;
      if (n == 0) {
        if (!checkRead(left, size) || !checkRead(right, size) || !PAGED) return RepPass.Fault;
        const a = guestLoad<T>(left);
        const b = guestLoad<T>(right);
        set(X86.ESI, left + size);
        set(X86.EDI, right + size);
        set(X86.ECX, get(X86.ECX) - 1);
        if ((a == b) != equal || get(X86.ECX) == 0) {
          setCompareFlags<T>(a, b);
          return RepPass.Finished;
        }
        count--;
        continue;
      }
      const agreed = run<T>(left, right, n, equal);
      const done = min(agreed + 1, n);
      set(X86.ESI, get(X86.ESI) + done * size);
      set(X86.EDI, right + done * size);
      set(X86.ECX, get(X86.ECX) - done);
      if (agreed < n || get(X86.ECX) == 0) {
        const last = (done - 1) * size;
        setCompareFlags<T>(load<T>(at(left + last)), load<T>(at(right + last)));
        return RepPass.Finished;
      }
      count -= n;
    }
    return outcome(form);
  }
  const within = mask(form);
  const delta = step<T>();
  for (; count; count--) {
    const left = sourceAt(form, base, within);
    const right = destinationAt(form, within);
    if (!mayReadSource(form, within, left, size) || !mayReadDestination(form, within, right, size)) return RepPass.Fault;
    const a = guestLoad<T>(left);
    const b = guestLoad<T>(right);
    advance(X86.ESI, delta, within);
    advance(X86.EDI, delta, within);
    advance(X86.ECX, -1, within);
    if ((a == b) != equal || (get(X86.ECX) & within) == 0) {
      setCompareFlags<T>(a, b);
      return RepPass.Finished;
    }
  }
  return outcome(form);
}

export function x86_rep_cmps(form: u32, base: u32): u32 {
  const size = form & RepForm.SIZE;
  return size == 1 ? cmps<u8>(form, base) : size == 2 ? cmps<u16>(form, base) : cmps<u32>(form, base);
}

function scas<T>(form: u32): u32 {
  const size: u32 = sizeof<T>();
  const equal = (form & RepForm.REPNE) == 0;
  const value = <T>get(X86.EAX);
  if (exhausted()) return RepPass.Pause;
  let count = passCount<T>(form);
  if (count) watchDestination(form, size, false);
  if (plain(form)) {
    while (count) {
      const area = get(X86.EDI);
      const n = accessible(area, count * size, PagePermission.Read) / size;
      if (n == 0) {
        if (!checkRead(area, size) || !PAGED) return RepPass.Fault;
        const element = guestLoad<T>(area);
        set(X86.EDI, area + size);
        set(X86.ECX, get(X86.ECX) - 1);
        if ((element == value) != equal || get(X86.ECX) == 0) {
          setCompareFlags<T>(value, element);
          return RepPass.Finished;
        }
        count--;
        continue;
      }
      const agreed = runOf<T>(area, value, n, equal);
      const done = min(agreed + 1, n);
      set(X86.EDI, area + done * size);
      set(X86.ECX, get(X86.ECX) - done);
      if (agreed < n || get(X86.ECX) == 0) {
        setCompareFlags<T>(value, load<T>(at(area + (done - 1) * size)));
        return RepPass.Finished;
      }
      count -= n;
    }
    return outcome(form);
  }
  const within = mask(form);
  const delta = step<T>();
  for (; count; count--) {
    const address = destinationAt(form, within);
    if (!mayReadDestination(form, within, address, size)) return RepPass.Fault;
    const element = guestLoad<T>(address);
    advance(X86.EDI, delta, within);
    advance(X86.ECX, -1, within);
    if ((element == value) != equal || (get(X86.ECX) & within) == 0) {
      setCompareFlags<T>(value, element);
      return RepPass.Finished;
    }
  }
  return outcome(form);
}

export function x86_rep_scas(form: u32): u32 {
  const size = form & RepForm.SIZE;
  return size == 1 ? scas<u8>(form) : size == 2 ? scas<u16>(form) : scas<u32>(form);
}
