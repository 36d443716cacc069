import { Cpuid } from '../../translators/x86/features';
import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';

// @ts-ignore: decorator
@inline
function set(slot: u32, value: u32): void {
  store<u32>(Layout.STATE + slot, value);
}

/** Four characters as a register holds them. */
function characters(text: string, index: i32): u32 {
  let word: u32 = 0;
  for (let n = 3; n >= 0; n--) {
    const i = index + n;
    word = (word << 8) | (i < text.length ? <u32>text.charCodeAt(i) : 0);
  }
  return word;
}

const VENDOR = 'WasmVisorCPU';
const BRAND = 'wasmvisor virtual processor';
const LAST_BASIC: u32 = 1;
const LAST_EXTENDED: u32 = 0x80000004;

/** CPUID of the leaf in EAX (SDM volume 2). A leaf that does not exist gives zeros. */
export function x86_cpuid(): void {
  const leaf = load<u32>(Layout.STATE + X86.EAX);
  let a: u32 = 0;
  let b: u32 = 0;
  let c: u32 = 0;
  let d: u32 = 0;
  if (leaf == 0) {
    a = LAST_BASIC;
    b = characters(VENDOR, 0);
    d = characters(VENDOR, 4);
    c = characters(VENDOR, 8);
  } else if (leaf == 1) {
    a = Cpuid.SIGNATURE;
    b = Cpuid.EBX;
    c = Cpuid.ECX;
    d = Cpuid.EDX;
  } else if (leaf == 0x80000000) {
    a = LAST_EXTENDED;
  } else if (leaf >= 0x80000002 && leaf <= LAST_EXTENDED) {
    const index = <i32>(leaf - 0x80000002) * 16;
    a = characters(BRAND, index);
    b = characters(BRAND, index + 4);
    c = characters(BRAND, index + 8);
    d = characters(BRAND, index + 12);
  }
  set(X86.EAX, a);
  set(X86.EBX, b);
  set(X86.ECX, c);
  set(X86.EDX, d);
}
