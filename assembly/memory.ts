// Guest memory as helpers see it: check first, then load and store freely. Values are in the host's (little-endian) order.
import { pagedAccessible, pagedCheck, readPlace, slowWrite, writePlace } from './paged';
import { FaultAccess } from './shared/exit';
import { Layout, PagePermission } from './shared/layout';

/** Index below Layout.WINDOW of a guest address, for loads and stores with that static offset. */
function windowIndex(address: u32): u32 {
  return address - Layout.FLOOR;
}

/** Bytes between FLOOR and TOP. */
function windowSize(): u32 {
  return load<u32>(Layout.TOP) - Layout.FLOOR;
}

/** Whether pages deny `permission` somewhere in a range that lies inside the window; at most `bytes` ≤ 4,096 are looked at. */
export function pagesDeny(address: u32, bytes: u32, permission: u32): bool {
  if (!(load<u8>(address >>> 12, Layout.PAGES) & permission)) return true;
  return (address & 0xfff) + bytes > 0x1000 && !(load<u8>((address + bytes - 1) >>> 12, Layout.PAGES) & permission);
}

/** The first address from `address` on that may not be accessed, given that a range from there may not. */
export function firstFault(address: u32, permission: u32): u32 {
  const limit = windowSize();
  let at = address;
  while (at - Layout.FLOOR < limit) {
    if (load<u32>(Layout.CHECKED) && !(load<u8>(at >>> 12, Layout.PAGES) & permission)) return at;
    at = (at | 0xfff) + 1;
  }
  return at;
}

function check(address: u32, bytes: u32, permission: u32): bool {
  if (PAGED) return pagedCheck(address, bytes, permission);
  const index = windowIndex(address);
  const limit = windowSize();
  let allowed = bytes <= limit && index <= limit - bytes;
  if (allowed && load<u32>(Layout.CHECKED)) {
    for (let page = address >>> 12, last = (address + bytes - 1) >>> 12; page <= last; page++) {
      if (!(load<u8>(page, Layout.PAGES) & permission)) {
        allowed = false;
        break;
      }
    }
  }
  if (allowed) return true;
  store<u32>(Layout.EXIT_ARG0, firstFault(address, permission));
  store<u32>(Layout.EXIT_ARG1, permission);
  store<u32>(Layout.EXIT_ARG2, address);
  return false;
}

/**
 * Whether the guest may read `bytes` (at least 1) from `address` on. If not, EXIT_ARG0 and EXIT_ARG1 say what failed, as
 * `exit.if … MemoryFault` after the helper needs it; in user mode, EXIT_ARG2 is `address`.
 */
export function checkRead(address: u32, bytes: u32): bool {
  return check(address, bytes, FaultAccess.Read);
}
export function checkWrite(address: u32, bytes: u32): bool {
  return check(address, bytes, FaultAccess.Write);
}

/** What translated code asks before each access in the `checked` memory model: 0, or 1 and the fault is recorded. */
export function checkAccess(address: u32, bytes: u32, access: u32): i32 {
  return i32(!check(address, bytes, access));
}

/** How many of `bytes` from `address` on the guest may access, up to the first page that it may not. */
export function accessible(address: u32, bytes: u32, permission: PagePermission): u32 {
  if (PAGED) return pagedAccessible(address, bytes, permission);
  const index = windowIndex(address);
  const limit = windowSize();
  if (index >= limit) return 0;
  const n = min<u32>(bytes, limit - index);
  if (!load<u32>(Layout.CHECKED)) return n;
  let at: u32 = 0;
  while (at < n && load<u8>((address + at) >>> 12, Layout.PAGES) & permission) at += 0x1000 - ((address + at) & 0xfff);
  return min<u32>(at, n);
}

function isDirty(page: u32): bool {
  for (let at = page, end = page + 0x1000; at < end; at += 64) {
    const a = v128.or(v128.load(at), v128.load(at, 16));
    const b = v128.or(v128.load(at, 32), v128.load(at, 48));
    if (v128.any_true(v128.or(a, b))) return true;
  }
  return false;
}
/** The first page of this memory, from `page` on, with (or without) bytes other than zero; `end` if there is none before that. */
export function firstDirtyPage(page: u32, end: u32): u32 {
  while (page < end && !isDirty(page)) page += 0x1000;
  return page;
}
export function firstCleanPage(page: u32, end: u32): u32 {
  while (page < end && isDirty(page)) page += 0x1000;
  return page;
}

/** Unchecked load from a guest address: only after checkRead of it. */
export function guestLoad<T>(address: u32): T {
  if (PAGED) return load<T>(readPlace(address, sizeof<T>()));
  return load<T>(address - Layout.FLOOR, Layout.WINDOW);
}
/** Unchecked store to a guest address: only after checkWrite of it. */
export function guestStore<T>(address: u32, value: T): void {
  if (PAGED) {
    const place = writePlace(address, sizeof<T>());
    if (place) store<T>(place, value);
    else {
      store<T>(Layout.SCRATCH, value);
      slowWrite(address, sizeof<T>());
    }
    return;
  }
  store<T>(address - Layout.FLOOR, value, Layout.WINDOW);
}
