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

/**
 * Programs choose by it: the C library asks a processor of a vendor that it does not know for no feature, and fetestexcept then looks at
 * the x87 alone. Kernels would look for more of Intel's.
 */
const VENDOR = PAGED ? 'WasmVisorCPU' : 'GenuineIntel';
/** Descriptors of leaf 2: L1 caches of 32 KiB (30H, 2CH) and an L2 cache of 2 MiB (7DH), with lines of 64 bytes. */
const CACHES_EAX: u32 = 0x2c300001;
const CACHES_EDX: u32 = 0x7d;
const BRAND = 'wasmvisor virtual processor';
const LAST_BASIC: u32 = PAGED ? 1 : 2;
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
    a = PAGED ? Cpuid.SIGNATURE : Cpuid.USER_SIGNATURE;
    b = Cpuid.EBX;
    c = Cpuid.ECX;
    d = Cpuid.EDX;
  } else if (!PAGED && leaf == 2) {
    a = CACHES_EAX;
    d = CACHES_EDX;
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
