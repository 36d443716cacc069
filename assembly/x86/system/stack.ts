// The stack that a transfer pushes to or pops from: the current one, or one of another privilege level.

import { Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Access, System } from '../../../translators/x86/system/state';
import { checkRead, checkWrite, guestLoad, guestStore } from '../../memory';
import { cpl, get, raise, set, systemCanRead, systemCanWrite, systemLoad, systemStore } from './core';

let base: u32 = 0;
let limit: u32 = 0;
let access: u32 = 0;
let pointer: u32 = 0;
let mask: u32 = 0;
let user: bool = false;
/** Error code of #SS. */
let selector: u32 = 0;

export function useCurrentStack(): void {
  useStack(
    0,
    get(X86.ES_BASE + Segment.SS * 4),
    get(System.LIMIT + Segment.SS * 4),
    get(System.ACCESS + Segment.SS * 4),
    get(X86.ESP),
    cpl(),
  );
}
/** `errorSelector`: what #SS names. */
export function useStack(errorSelector: u32, stackBase: u32, stackLimit: u32, stackAccess: u32, stackPointer: u32, level: u32): void {
  selector = errorSelector;
  base = stackBase;
  limit = stackLimit;
  access = stackAccess;
  pointer = stackPointer;
  mask = stackAccess & Access.DB ? 0xffffffff : 0xffff;
  user = level === 3;
}

function isOutside(offset: u32, size: u32): bool {
  const last = offset + size - 1;
  if (last < offset) return true;
  if ((access & (Access.CODE | Access.THIRD)) === Access.THIRD) return offset <= limit || last > mask;
  return last > limit;
}
function at(distance: i32): u32 {
  return (pointer + <u32>distance) & mask;
}

/** Whether `count` elements can be pushed; an exception is recorded if not. */
export function canPush(count: i32, size: i32): bool {
  for (let n = 1; n <= count; n++) {
    const offset = at(-n * size);
    if (isOutside(offset, size)) return raise(Vector.SS, selector & 0xfffc);
    if (!(user ? checkWrite(base + offset, size) : systemCanWrite(base + offset, size))) return false;
  }
  return true;
}
export function push(size: i32, value: u32): void {
  const offset = at(-size);
  pointer = (pointer & ~mask) | offset;
  const address = base + offset;
  if (size === 4) {
    if (user) guestStore<u32>(address, value);
    else systemStore<u32>(address, value);
  } else if (user) guestStore<u16>(address, <u16>value);
  else systemStore<u16>(address, <u16>value);
}

/** Whether `count` elements above the first `skipped` bytes can be popped. */
export function canPop(count: i32, size: i32, skipped: i32 = 0): bool {
  for (let n = 0; n < count; n++) {
    const offset = at(skipped + n * size);
    if (isOutside(offset, size)) return raise(Vector.SS, selector & 0xfffc);
    if (!(user ? checkRead(base + offset, size) : systemCanRead(base + offset, size))) return false;
  }
  return true;
}
/** The element `distance` bytes above the top. */
export function peek(size: i32, distance: i32): u32 {
  const address = base + at(distance);
  if (size === 4) return user ? guestLoad<u32>(address) : systemLoad<u32>(address);
  return user ? guestLoad<u16>(address) : systemLoad<u16>(address);
}
export function release(bytes: i32): void {
  pointer = (pointer & ~mask) | at(bytes);
}
/** ESP becomes this stack's pointer. */
export function keepPointer(): void {
  set(X86.ESP, pointer);
}
/** Moves ESP of the stack segment that is loaded now. */
export function releaseCurrent(bytes: i32): void {
  const within: u32 = get(System.ACCESS + Segment.SS * 4) & Access.DB ? 0xffffffff : 0xffff;
  const esp = get(X86.ESP);
  set(X86.ESP, (esp & ~within) | ((esp + bytes) & within));
}
