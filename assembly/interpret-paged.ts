// Loads and stores of the main loop in the memory model paged.
import { recordedFault } from './leave';
import { fits, slowRead, slowWrite } from './paged';
import { Layout, TlbBit } from './shared/layout';
import { Uop } from './shared/uop';

function addressOf(ip: usize): u32 {
  return load<u32>(load<u16>(ip, 4)) + load<u32>(ip, 8);
}

/** Where an access may go straight away, else 0. `right`: the TlbBit to ask for. */
export function placeAt(address: u32, bytes: u32, right: u32): usize {
  const entry = load<u32>((address >>> 12) << 2, Layout.TLB);
  return entry & right && fits(address, bytes) ? <usize>(address + (entry & TlbBit.ADDRESS)) : 0;
}
/** The same of the load or store of the µop at `ip`. */
export function placeOf(ip: usize, bytes: u32, right: u32): usize {
  return placeAt(addressOf(ip), bytes, right);
}

/** The µop at `ip` where it may not; returns the address of the next, or 0 if it left. */
export function slowAccess(number: i32, ip: usize): usize {
  const d = <usize>load<u16>(ip, 2);
  if (number === Uop.POP32) return popSlowly(ip, d);
  if (number >= Uop.STORE8) return storeSlowly(number, ip, d);
  const place = slowRead(addressOf(ip), number <= Uop.LOAD8_U ? 1 : number === Uop.LOAD32 || number === Uop.LOAD32_BE ? 4 : 2);
  if (!place) {
    recordedFault(ip);
    return 0;
  }
  switch (number) {
    case Uop.LOAD8_S:
      store<i32>(d, load<i8>(place));
      break;
    case Uop.LOAD8_U:
      store<i32>(d, load<u8>(place));
      break;
    case Uop.LOAD16_S:
      store<i32>(d, load<i16>(place));
      break;
    case Uop.LOAD16_U:
      store<i32>(d, load<u16>(place));
      break;
    case Uop.LOAD32:
      store<i32>(d, load<i32>(place));
      break;
    case Uop.LOAD16_S_BE:
      store<i32>(d, bswap<i16>(load<i16>(place)));
      break;
    case Uop.LOAD16_U_BE:
      store<i32>(d, bswap<u16>(load<u16>(place)));
      break;
    case Uop.LOAD32_BE:
      store<i32>(d, bswap<i32>(load<i32>(place)));
      break;
    default:
      unreachable();
  }
  return ip + 12;
}

function popSlowly(ip: usize, d: usize): usize {
  const base = <usize>load<u16>(ip, 4);
  const place = slowRead(load<u32>(base), 4);
  if (!place) {
    recordedFault(ip);
    return 0;
  }
  store<i32>(d, load<i32>(place));
  store<u32>(base, addressOf(ip));
  return ip + 12;
}

function storeSlowly(number: i32, ip: usize, value: usize): usize {
  let bytes: u32 = 4;
  let next = ip + 12;
  switch (number) {
    case Uop.STORE8:
      store<u8>(Layout.SCRATCH, load<u8>(value));
      bytes = 1;
      break;
    case Uop.STORE16:
      store<u16>(Layout.SCRATCH, load<u16>(value));
      bytes = 2;
      break;
    case Uop.STORE16_BE:
      store<u16>(Layout.SCRATCH, bswap<u16>(load<u16>(value)));
      bytes = 2;
      break;
    case Uop.STORE32:
    case Uop.PUSH32:
      store<u32>(Layout.SCRATCH, load<u32>(value));
      break;
    case Uop.STORE32_BE:
      store<u32>(Layout.SCRATCH, bswap<u32>(load<u32>(value)));
      break;
    case Uop.STORE32_IMM:
    case Uop.PUSH32_IMM:
      store<u32>(Layout.SCRATCH, load<u32>(ip, 12));
      next = ip + 16;
      break;
    default:
      unreachable();
  }
  const address = addressOf(ip);
  if (slowWrite(address, bytes) === 0) {
    if (number >= Uop.PUSH32) store<u32>(load<u16>(ip, 4), address);
    return next;
  }
  recordedFault(ip);
  return 0;
}
