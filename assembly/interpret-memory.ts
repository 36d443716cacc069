// Loads and stores that the main loop does not have: 64 and 128 bits, and all of them with page permissions.

import { fault, recordedFault } from './leave';
import { pagesDeny } from './memory';
import { readPlace, slowWrite, writePlace } from './paged';
import { FaultAccess } from './shared/exit';
import { Layout, PagePermission } from './shared/layout';
import { Uop } from './shared/uop';

function outside(index: u32, bytes: u32, limit: u32): bool {
  return index > limit - bytes;
}

function forbidden(index: u32, bytes: u32, limit: u32, permission: u32): bool {
  return index > limit - bytes || pagesDeny(index + Layout.FLOOR, bytes, permission);
}

/** All sixteen bytes in the other order. */
function reverse(x: v128): v128 {
  return i8x16.shuffle(x, x, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/** Runs the µop at `ip` and returns the address of the next, or 0 if it left with a memory fault. `limit`: bytes in the window. */
export function memory(number: i32, ip: usize, limit: u32): usize {
  const d = <usize>load<u16>(ip, 2);
  const index = load<u32>(load<u16>(ip, 4)) + load<u32>(ip, 8) - Layout.FLOOR;
  let access = FaultAccess.Read;
  switch (number) {
    case Uop.LOAD64:
      if (outside(index, 8, limit)) break;
      store<i64>(d, load<i64>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD64_BE:
      if (outside(index, 8, limit)) break;
      store<i64>(d, bswap<i64>(load<i64>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.LOAD128:
      if (outside(index, 16, limit)) break;
      store<v128>(d, load<v128>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD128_BE:
      if (outside(index, 16, limit)) break;
      store<v128>(d, reverse(load<v128>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.STORE64:
      if (outside(index, 8, limit)) {
        access = FaultAccess.Write;
        break;
      }
      store<i64>(index, load<i64>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE64_BE:
      if (outside(index, 8, limit)) {
        access = FaultAccess.Write;
        break;
      }
      store<i64>(index, bswap<i64>(load<i64>(d)), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE128:
      if (outside(index, 16, limit)) {
        access = FaultAccess.Write;
        break;
      }
      store<v128>(index, load<v128>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE128_BE:
      if (outside(index, 16, limit)) {
        access = FaultAccess.Write;
        break;
      }
      store<v128>(index, reverse(load<v128>(d)), Layout.WINDOW);
      return ip + 12;
    case Uop.LOAD8_S_CHECKED:
      if (forbidden(index, 1, limit, PagePermission.Read)) break;
      store<i32>(d, load<i8>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD8_U_CHECKED:
      if (forbidden(index, 1, limit, PagePermission.Read)) break;
      store<i32>(d, load<u8>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD16_S_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Read)) break;
      store<i32>(d, load<i16>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD16_U_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Read)) break;
      store<i32>(d, load<u16>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD32_CHECKED:
      if (forbidden(index, 4, limit, PagePermission.Read)) break;
      store<i32>(d, load<i32>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD16_S_BE_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Read)) break;
      store<i32>(d, bswap<i16>(load<i16>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.LOAD16_U_BE_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Read)) break;
      store<i32>(d, bswap<u16>(load<u16>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.LOAD32_BE_CHECKED:
      if (forbidden(index, 4, limit, PagePermission.Read)) break;
      store<i32>(d, bswap<i32>(load<i32>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.LOAD64_CHECKED:
      if (forbidden(index, 8, limit, PagePermission.Read)) break;
      store<i64>(d, load<i64>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD64_BE_CHECKED:
      if (forbidden(index, 8, limit, PagePermission.Read)) break;
      store<i64>(d, bswap<i64>(load<i64>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.LOAD128_CHECKED:
      if (forbidden(index, 16, limit, PagePermission.Read)) break;
      store<v128>(d, load<v128>(index, Layout.WINDOW));
      return ip + 12;
    case Uop.LOAD128_BE_CHECKED:
      if (forbidden(index, 16, limit, PagePermission.Read)) break;
      store<v128>(d, reverse(load<v128>(index, Layout.WINDOW)));
      return ip + 12;
    case Uop.STORE8_CHECKED:
      if (forbidden(index, 1, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<u8>(index, load<u8>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE16_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<u16>(index, load<u16>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE32_CHECKED:
      if (forbidden(index, 4, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<i32>(index, load<i32>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE16_BE_CHECKED:
      if (forbidden(index, 2, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<u16>(index, bswap<u16>(load<u16>(d)), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE32_BE_CHECKED:
      if (forbidden(index, 4, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<i32>(index, bswap<i32>(load<i32>(d)), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE64_CHECKED:
      if (forbidden(index, 8, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<i64>(index, load<i64>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE64_BE_CHECKED:
      if (forbidden(index, 8, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<i64>(index, bswap<i64>(load<i64>(d)), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE128_CHECKED:
      if (forbidden(index, 16, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<v128>(index, load<v128>(d), Layout.WINDOW);
      return ip + 12;
    case Uop.STORE128_BE_CHECKED:
      if (forbidden(index, 16, limit, PagePermission.Write)) {
        access = FaultAccess.Write;
        break;
      }
      store<v128>(index, reverse(load<v128>(d)), Layout.WINDOW);
      return ip + 12;
    default:
      unreachable();
  }
  fault(ip, index, access);
  return 0;
}

/** The same for the memory model paged, for which the main loop has all accesses of 32 bits and less. */
export function pagedMemory(number: i32, ip: usize): usize {
  const d = <usize>load<u16>(ip, 2);
  const address: u32 = load<u32>(load<u16>(ip, 4)) + load<u32>(ip, 8);
  const bytes: u32 = number === Uop.LOAD64 || number === Uop.LOAD64_BE || number === Uop.STORE64 || number === Uop.STORE64_BE ? 8 : 16;
  if (number < Uop.STORE64) {
    const place = readPlace(address, bytes);
    if (place) {
      if (number === Uop.LOAD64) store<i64>(d, load<i64>(place));
      else if (number === Uop.LOAD64_BE) store<i64>(d, bswap<i64>(load<i64>(place)));
      else if (number === Uop.LOAD128) store<v128>(d, load<v128>(place));
      else store<v128>(d, reverse(load<v128>(place)));
      return ip + 12;
    }
  } else {
    let place = writePlace(address, bytes);
    const slow = place === 0;
    if (slow) place = Layout.SCRATCH;
    if (number === Uop.STORE64) store<i64>(place, load<i64>(d));
    else if (number === Uop.STORE64_BE) store<i64>(place, bswap<i64>(load<i64>(d)));
    else if (number === Uop.STORE128) store<v128>(place, load<v128>(d));
    else store<v128>(place, reverse(load<v128>(d)));
    if (!slow || slowWrite(address, bytes) === 0) return ip + 12;
  }
  recordedFault(ip);
  return 0;
}
