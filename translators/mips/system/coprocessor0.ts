import { Cp0, Mips, Tlb } from '../state.ts';

// MIPS32 volume III, chapter 9. What the processor announces is what there is: a 24Kf without EJTAG, watch registers, performance
// counters and vectored interrupts, with 64 TLB entries and UserLocal.

/** MIPS Technologies, 24K, revision 0. */
const PRID = 0x00019300;
/** Big-endian. */
export const CONFIG_BE = 1 << 15;
/** M, release 2, standard TLB; K0 says cached (3). */
export const CONFIG = 0x80000000 | (1 << 10) | (1 << 7) | 3;
/** Four ways of 128 lines of 32 bytes, 16 KiB, for each cache; a way is a page, so there are no aliases. */
const CACHE = (1 << 6) | (4 << 3) | 3;
const FPU = 1;
const CONFIG1 = 0x80000000 | ((Tlb.ENTRIES - 1) << 25) | (CACHE << 16) | (CACHE << 7) | FPU;
/** M: there is Config3; no second-level cache. */
const CONFIG2 = 0x80000000;
const ULRI = 1 << 13;
/** The timer's interrupt is IP7. */
const INTCTL = 7 << 29;

/** Registers that cannot be written. Others that are not here read as zero. */
export const CONSTANT: ReadonlyMap<number, number> = new Map([
  [Cp0.PRID, PRID],
  [Cp0.CONFIG1, CONFIG1],
  [Cp0.CONFIG2, CONFIG2],
  [Cp0.CONFIG3, ULRI],
  [Cp0.INTCTL, INTCTL],
  [Cp0.SRSCTL, 0],
  [Cp0.SRSMAP, 0],
]);

/** Registers that can be read straight away, and written only through a helper or not at all. */
export const PLAIN: ReadonlyMap<number, number> = new Map([
  [Cp0.BADVADDR, Mips.BADVADDR],
  [Cp0.ENTRYHI, Mips.ENTRYHI],
  [Cp0.PAGEMASK, Mips.PAGEMASK],
  [Cp0.COMPARE, Mips.COMPARE],
  [Cp0.STATUS, Mips.STATUS],
  [Cp0.CAUSE, Mips.CAUSE],
]);

/** Registers that are written in the bits of a mask, with no effect besides. */
export const MASKED: ReadonlyMap<number, { readonly offset: number; readonly mask: number }> = new Map([
  [Cp0.INDEX, { offset: Mips.INDEX, mask: Tlb.ENTRIES - 1 }],
  // 32 physical address bits
  [Cp0.ENTRYLO0, { offset: Mips.ENTRYLO0, mask: 0x03ffffff }],
  [Cp0.ENTRYLO1, { offset: Mips.ENTRYLO1, mask: 0x03ffffff }],
  [Cp0.CONTEXT, { offset: Mips.CONTEXT, mask: 0xff800000 }],
  [Cp0.USERLOCAL, { offset: Mips.USER_LOCAL, mask: 0xffffffff }],
  [Cp0.WIRED, { offset: Mips.WIRED, mask: Tlb.ENTRIES - 1 }],
  // the registers that RDHWR has: CPUNum, SYNCI_Step, CC, CCRes, UserLocal
  [Cp0.HWRENA, { offset: Mips.HWRENA, mask: 0x2000000f }],
  [Cp0.EPC, { offset: Mips.EPC, mask: 0xffffffff }],
  [Cp0.EBASE, { offset: Mips.EBASE, mask: 0x3ffff000 }],
  [Cp0.CONFIG, { offset: Mips.CONFIG, mask: 7 }],
  [Cp0.TAGLO, { offset: Mips.TAGLO, mask: 0xffffffff }],
  [Cp0.DATALO, { offset: Mips.DATALO, mask: 0xffffffff }],
  [Cp0.ERROREPC, { offset: Mips.ERROREPC, mask: 0xffffffff }],
]);
