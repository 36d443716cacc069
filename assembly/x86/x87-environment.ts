/** x87 instructions whose memory operand is no plain integer: 80-bit values, packed BCD, environments (SDM volume 1, 8.1.10). */
import { X86 } from '../../translators/x86/state';
import { checkRead, checkWrite, guestLoad, guestStore } from '../memory';
import { Layout } from '../shared/layout';
import {
  clearFlags,
  controlWord,
  EXPONENT,
  Fcw,
  Fsw,
  INTEGER_BIT,
  QUIET_BIT,
  raised,
  resultSe,
  resultSig,
  SIGN,
} from '../softfloat/float80';
import { bcdHigh, fromBcd, toBcd } from '../softfloat/float80-convert';
import {
  isEmpty,
  pending,
  physical,
  pop,
  push,
  Status,
  seOf,
  setControl,
  setStatusWord,
  settle,
  sigOf,
  statusWord,
  underflow,
  write,
} from './x87-stack';

function slot(offset: u32): usize {
  return Layout.STATE + offset;
}

/** FSTP m80 */
export function x87_store_f80(address: u32): u32 {
  if (pending()) return Status.Pending;
  if (!checkWrite(address, 10)) return Status.MemoryFault;
  clearFlags();
  const top = physical(0);
  if (isEmpty(top)) {
    if (!underflow()) {
      settle(Fsw.C1);
      return Status.Done;
    }
    guestStore<u64>(address, INTEGER_BIT | QUIET_BIT);
    guestStore<u16>(address + 8, u16(SIGN | EXPONENT));
  } else {
    guestStore<u64>(address, sigOf(top));
    guestStore<u16>(address + 8, u16(seOf(top)));
  }
  settle(Fsw.C1);
  pop();
  return Status.Done;
}

export function x87_load_bcd(address: u32): u32 {
  if (pending()) return Status.Pending;
  if (!checkRead(address, 10)) return Status.MemoryFault;
  clearFlags();
  fromBcd(guestLoad<u64>(address), guestLoad<u16>(address + 8));
  push(resultSig(), resultSe());
  settle(Fsw.C1);
  return Status.Done;
}

/** FBSTP */
export function x87_store_bcd(address: u32): u32 {
  if (pending()) return Status.Pending;
  if (!checkWrite(address, 10)) return Status.MemoryFault;
  clearFlags();
  const top = physical(0);
  let digits: u64 = 0xc000000000000000;
  let high: u32 = 0xffff;
  if (isEmpty(top)) underflow();
  else {
    digits = toBcd(sigOf(top), seOf(top), controlWord() & Fcw.ROUNDING);
    high = bcdHigh();
  }
  settle(Fsw.C1);
  if ((raised() & Fsw.IE & ~controlWord()) != 0) return Status.Done;
  guestStore<u64>(address, digits);
  guestStore<u16>(address + 8, u16(high));
  pop();
  return Status.Done;
}

/** The tag word as it is stored: 0 valid, 1 zero, 2 special, 3 empty, two bits a physical register. */
export function x87_tag_word(): u32 {
  let tags: u32 = 0;
  for (let r: u32 = 0; r < 8; r++) {
    let tag: u32 = 2;
    if (isEmpty(r)) tag = 3;
    else {
      const exponent = seOf(r) & EXPONENT;
      if (exponent == 0 && sigOf(r) == 0) tag = 1;
      else if (exponent != 0 && exponent != EXPONENT && i64(sigOf(r)) < 0) tag = 0;
    }
    tags |= tag << (r << 1);
  }
  return tags;
}

function storeEnvironment(address: u32, size: u32): void {
  const control = load<u32>(slot(X86.FCW));
  const status = statusWord();
  const tags = x87_tag_word();
  if (size == 2) {
    guestStore<u16>(address, u16(control));
    guestStore<u16>(address + 2, u16(status));
    guestStore<u16>(address + 4, u16(tags));
    guestStore<u16>(address + 6, load<u16>(slot(X86.FIP)));
    guestStore<u16>(address + 8, load<u16>(slot(X86.FCS)));
    guestStore<u16>(address + 10, load<u16>(slot(X86.FDP)));
    guestStore<u16>(address + 12, load<u16>(slot(X86.FDS)));
  } else {
    guestStore<u32>(address, control | 0xffff0000);
    guestStore<u32>(address + 4, status | 0xffff0000);
    guestStore<u32>(address + 8, tags | 0xffff0000);
    guestStore<u32>(address + 12, load<u32>(slot(X86.FIP)));
    guestStore<u32>(address + 16, load<u32>(slot(X86.FCS)) & 0x7ffffff);
    guestStore<u32>(address + 20, load<u32>(slot(X86.FDP)));
    guestStore<u32>(address + 24, load<u32>(slot(X86.FDS)) | 0xffff0000);
  }
}

function loadEnvironment(address: u32, size: u32): void {
  const control = guestLoad<u16>(address);
  const status: u32 = guestLoad<u16>(address + size);
  const tags: u32 = guestLoad<u16>(address + size * 2);
  if (size == 2) {
    store<u32>(slot(X86.FIP), guestLoad<u16>(address + 6));
    store<u32>(slot(X86.FCS), guestLoad<u16>(address + 8));
    store<u32>(slot(X86.FDP), guestLoad<u16>(address + 10));
    store<u32>(slot(X86.FDS), guestLoad<u16>(address + 12));
  } else {
    store<u32>(slot(X86.FIP), guestLoad<u32>(address + 12));
    store<u32>(slot(X86.FCS), guestLoad<u32>(address + 16) & 0x7ffffff);
    store<u32>(slot(X86.FDP), guestLoad<u32>(address + 20));
    store<u32>(slot(X86.FDS), guestLoad<u16>(address + 24));
  }
  // Of a tag only whether the register is empty counts (SDM volume 1, 8.1.7).
  store<u32>(slot(X86.FTW), (tags & (tags >> 1) & 0x5555) * 3);
  setStatusWord(status);
  setControl(control);
}

function environmentSize(size: u32): u32 {
  return size * 7;
}

/** FNSTENV; `size` 2 or 4 by operand size. Masks all exceptions. Not waiting. */
export function x87_store_environment(address: u32, size: u32): u32 {
  if (!checkWrite(address, environmentSize(size))) return Status.MemoryFault;
  storeEnvironment(address, size);
  setControl(controlWord() | Fsw.EXCEPTIONS);
  return Status.Done;
}
export function x87_load_environment(address: u32, size: u32): u32 {
  if (pending()) return Status.Pending;
  if (!checkRead(address, environmentSize(size))) return Status.MemoryFault;
  loadEnvironment(address, size);
  return Status.Done;
}

/** FNSAVE. Not waiting. */
export function x87_save(address: u32, size: u32): u32 {
  const start = environmentSize(size);
  if (!checkWrite(address, start + 80)) return Status.MemoryFault;
  storeEnvironment(address, size);
  for (let i: u32 = 0; i < 8; i++) {
    const r = physical(i);
    guestStore<u64>(address + start + i * 10, sigOf(r));
    guestStore<u16>(address + start + i * 10 + 8, u16(seOf(r)));
  }
  x87_initialize();
  return Status.Done;
}
/** FRSTOR */
export function x87_restore(address: u32, size: u32): u32 {
  if (pending()) return Status.Pending;
  const start = environmentSize(size);
  if (!checkRead(address, start + 80)) return Status.MemoryFault;
  loadEnvironment(address, size);
  for (let i: u32 = 0; i < 8; i++)
    write(physical(i), guestLoad<u64>(address + start + i * 10), guestLoad<u16>(address + start + i * 10 + 8));
  return Status.Done;
}

/** FNINIT. Registers keep their content. */
export function x87_initialize(): void {
  store<u32>(slot(X86.FCW), 0x37f);
  setStatusWord(0);
  store<u32>(slot(X86.FTW), 0xffff);
  store<u32>(slot(X86.FIP), 0);
  store<u32>(slot(X86.FCS), 0);
  store<u32>(slot(X86.FDP), 0);
  store<u32>(slot(X86.FDS), 0);
}
