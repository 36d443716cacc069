// Control registers and model-specific registers (SDM volume 3, 2.5; volume 4), CPUID, time stamp.

import { Cpuid, Feature, FeatureC, FeatureX } from '../../../translators/x86/features';
import { Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Cr0, Cr4, Efer, System } from '../../../translators/x86/system/state';
import { hypercall, msrWritten, now, rest } from '../../env';
import { flushPage, flushTlb } from '../../paged';
import { HypercallAbi } from '../../shared/hypercall';
import { KvmCpuid, KvmFeature, KvmMsr } from '../../shared/kvm';
import { Layout } from '../../shared/layout';
import { x86_cpuid } from '../cpuid';
import { loadPdptes } from '../mmu';
import { get, goTo, raise, set } from './core';
import { updateMode } from './descriptors';

const CR0_BITS: u32 = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
/** Those of features that CPUID announces. */
const CR4_BITS: u32 = Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;

function fault(): bool {
  return raise(Vector.GP, 0);
}

function writeCr0(value: u32): bool {
  const next = (value & CR0_BITS) | Cr0.ET;
  if (next & Cr0.PG && !(next & Cr0.PE)) return fault();
  if (next & Cr0.NW && !(next & Cr0.CD)) return fault();
  const old = get(System.CR0);
  if (next & ~old & Cr0.PG && get(System.CR4) & Cr4.PAE && !loadPdptes(get(System.CR3))) return false;
  set(System.CR0, next);
  if ((old ^ next) & (Cr0.PG | Cr0.WP | Cr0.PE)) flushTlb(false);
  return true;
}
function writeCr3(value: u32): bool {
  const cr4 = get(System.CR4);
  if (get(System.CR0) & Cr0.PG && cr4 & Cr4.PAE && !loadPdptes(value)) return false;
  set(System.CR3, value);
  flushTlb((cr4 & Cr4.PGE) !== 0);
  return true;
}
function writeCr4(value: u32): bool {
  if (value & ~CR4_BITS) return fault();
  const old = get(System.CR4);
  if ((old ^ value) & (Cr4.PAE | Cr4.PSE | Cr4.PGE) && value & Cr4.PAE && get(System.CR0) & Cr0.PG && !loadPdptes(get(System.CR3)))
    return false;
  set(System.CR4, value);
  if ((old ^ value) & (Cr4.PAE | Cr4.PSE | Cr4.PGE)) flushTlb(false);
  return true;
}

export function x86_write_control(number: u32, value: u32, next: u32): u32 {
  let done = true;
  if (number === 0) done = writeCr0(value);
  else if (number === 2) set(System.CR2, value);
  else if (number === 3) done = writeCr3(value);
  else done = writeCr4(value);
  if (!done) return 1;
  updateMode();
  goTo(next);
  return 0;
}
/** LMSW changes PE (only to 1), MP, EM and TS. */
export function x86_load_msw(value: u32, next: u32): u32 {
  const cr0 = get(System.CR0);
  return x86_write_control(0, (cr0 & ~14) | (value & 15) | (cr0 & Cr0.PE), next);
}
export function x86_clts(next: u32): u32 {
  set(System.CR0, get(System.CR0) & ~Cr0.TS);
  updateMode();
  goTo(next);
  return 0;
}
export function x86_invlpg(address: u32): void {
  flushPage(address);
}

// Model-specific registers

const enum Msr {
  TSC = 0x10,
  PLATFORM_ID = 0x17,
  BIOS_SIGN_ID = 0x8b,
  MTRR_CAP = 0xfe,
  SYSENTER_CS = 0x174,
  SYSENTER_ESP = 0x175,
  SYSENTER_EIP = 0x176,
  MISC_ENABLE = 0x1a0,
  EFER = 0xc0000080,
}

/** One tick a nanosecond. */
function timeStamp(time: f64): u64 {
  return <u64>time + load<u64>(Layout.STATE + System.TSC_OFFSET);
}

/** RDTSC after RDTSC with PAUSE between: the guest waits for a time, at least so many nanoseconds, and the host need not be busy. */
const SHORTEST_WAIT: f64 = 1000;
let paused = false;
let spins = false;
let spinsSince: f64 = 0;
export function x86_pause(): void {
  paused = true;
}
export function x86_time_stamp(): u64 {
  let time = now();
  if (paused && spins) {
    // nobody knows how long the guest is to wait: it waits half as long again at most
    rest(max((time - spinsSince) / 2, SHORTEST_WAIT));
    time = now();
  } else spinsSince = time;
  spins = paused;
  paused = false;
  return timeStamp(time);
}

export function x86_rdmsr(): u32 {
  let value: u64 = 0;
  switch (get(X86.ECX)) {
    case Msr.TSC:
      value = timeStamp(now());
      break;
    case Msr.SYSENTER_CS:
      value = get(System.SYSENTER_CS);
      break;
    case Msr.SYSENTER_ESP:
      value = get(System.SYSENTER_ESP);
      break;
    case Msr.SYSENTER_EIP:
      value = get(System.SYSENTER_EIP);
      break;
    case Msr.MISC_ENABLE:
      value = get(System.MISC_ENABLE);
      break;
    case Msr.EFER:
      value = get(System.EFER);
      break;
    case KvmMsr.WALL_CLOCK:
    case KvmMsr.WALL_CLOCK_NEW:
      value = get(System.KVM_WALL_CLOCK);
      break;
    case KvmMsr.SYSTEM_TIME:
    case KvmMsr.SYSTEM_TIME_NEW:
      value = get(System.KVM_SYSTEM_TIME);
      break;
    case Msr.PLATFORM_ID:
    case Msr.BIOS_SIGN_ID:
      break;
    default:
      fault();
      return 1;
  }
  set(X86.EAX, <u32>value);
  set(X86.EDX, <u32>(value >> 32));
  return 0;
}
function tellMachine(register: u32, value: u32): void {
  msrWritten(register, value, load<u64>(Layout.STATE + System.TSC_OFFSET));
}
export function x86_wrmsr(): u32 {
  const value = ((<u64>get(X86.EDX)) << 32) | get(X86.EAX);
  switch (get(X86.ECX)) {
    case Msr.TSC:
      store<u64>(Layout.STATE + System.TSC_OFFSET, value - <u64>now());
      tellMachine(KvmMsr.SYSTEM_TIME_NEW, get(System.KVM_SYSTEM_TIME));
      break;
    case Msr.SYSENTER_CS:
      set(System.SYSENTER_CS, <u32>value);
      break;
    case Msr.SYSENTER_ESP:
      set(System.SYSENTER_ESP, <u32>value);
      break;
    case Msr.SYSENTER_EIP:
      set(System.SYSENTER_EIP, <u32>value);
      break;
    case Msr.MISC_ENABLE:
      set(System.MISC_ENABLE, <u32>value);
      break;
    case Msr.EFER:
      if (value & ~(<u64>Efer.NXE)) {
        fault();
        return 1;
      }
      set(System.EFER, <u32>value);
      flushTlb(false);
      break;
    case KvmMsr.WALL_CLOCK:
    case KvmMsr.WALL_CLOCK_NEW:
      set(System.KVM_WALL_CLOCK, <u32>value);
      tellMachine(KvmMsr.WALL_CLOCK_NEW, <u32>value);
      break;
    case KvmMsr.SYSTEM_TIME:
    case KvmMsr.SYSTEM_TIME_NEW:
      set(System.KVM_SYSTEM_TIME, <u32>value);
      tellMachine(KvmMsr.SYSTEM_TIME_NEW, <u32>value);
      break;
    case Msr.BIOS_SIGN_ID:
      break;
    default:
      fault();
      return 1;
  }
  return 0;
}

/** What user mode does not announce. */
const SYSTEM_FEATURES: u32 = Feature.DE | Feature.PSE | Feature.MSR | Feature.PAE | Feature.SEP | Feature.PGE;

export function x86_system_cpuid(): void {
  const leaf = get(X86.EAX);
  x86_cpuid();
  if (leaf === 1) {
    set(X86.EDX, Cpuid.EDX | SYSTEM_FEATURES);
    set(X86.ECX, Cpuid.ECX | FeatureC.HYPERVISOR);
  } else if (leaf === 0x80000001) set(X86.EDX, FeatureX.NX);
  else if (leaf === KvmCpuid.SIGNATURE) {
    set(X86.EAX, KvmCpuid.FEATURES);
    set(X86.EBX, KvmCpuid.SIGNATURE_EBX);
    set(X86.ECX, KvmCpuid.SIGNATURE_ECX);
    set(X86.EDX, KvmCpuid.SIGNATURE_EDX);
  } else if (leaf === KvmCpuid.FEATURES) set(X86.EAX, KvmFeature.ALL);
  else if (leaf === HypercallAbi.CPUID_SIGNATURE) {
    set(X86.EAX, HypercallAbi.CPUID_VERSION);
    set(X86.EBX, HypercallAbi.SIGNATURE_EBX);
    set(X86.ECX, HypercallAbi.SIGNATURE_ECX);
    set(X86.EDX, HypercallAbi.SIGNATURE_EDX);
  } else if (leaf === HypercallAbi.CPUID_VERSION) set(X86.EAX, HypercallAbi.VERSION);
}

/** 1: the guest waits, then goes on at `next`. */
export function x86_hypercall(next: u32): u32 {
  goTo(next);
  return hypercall();
}
