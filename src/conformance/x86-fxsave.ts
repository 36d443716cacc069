import { loadMxcsr } from '../../translators/x86/abi.ts';
import { X86 } from '../../translators/x86/state.ts';

/** Offsets in the FXSAVE image (SDM volume 1, table 10-2). */
const FCW = 0;
const FSW = 2;
const FTW = 4;
const MXCSR = 24;
const ST = 32;
const XMM = 160;

const TOP_SHIFT = 11;
const C1 = 0x200;
const EMPTY = 3;

/** x87 and SSE state of the vCPU as FXSAVE stores it; instruction and operand pointers are left zero. */
export function getFxsave(state: DataView): Uint8Array {
  const out = new Uint8Array(512);
  const view = new DataView(out.buffer);
  const top = state.getUint32(X86.FTOP, true) & 7;
  view.setUint16(FCW, state.getUint32(X86.FCW, true), true);
  view.setUint16(
    FSW,
    (state.getUint32(X86.FSW, true) & ~(C1 | (7 << TOP_SHIFT))) | state.getUint32(X86.FC1, true) | (top << TOP_SHIFT),
    true,
  );
  const tags = state.getUint32(X86.FTW, true);
  for (let r = 0; r < 8; r++) {
    if (((tags >>> (r * 2)) & 3) !== EMPTY) out[FTW] |= 1 << r;
    const from = X86.ST + ((top + r) & 7) * 16;
    for (let i = 0; i < 10; i++) out[ST + r * 16 + i] = state.getUint8(from + i);
  }
  view.setUint32(MXCSR, state.getUint32(X86.MXCSR, true), true);
  for (let i = 0; i < 128; i++) out[XMM + i] = state.getUint8(X86.XMM + i);
  return out;
}

export function setFxsave(state: DataView, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, 512);
  const status = view.getUint16(FSW, true);
  const top = (status >>> TOP_SHIFT) & 7;
  state.setUint32(X86.FCW, view.getUint16(FCW, true), true);
  state.setUint32(X86.FSW, status & ~C1, true);
  state.setUint32(X86.FC1, status & C1, true);
  state.setUint32(X86.FTOP, top, true);
  let tags = 0;
  for (let r = 0; r < 8; r++) {
    const physical = (top + r) & 7;
    const to = X86.ST + physical * 16;
    for (let i = 0; i < 10; i++) state.setUint8(to + i, image[ST + r * 16 + i]);
    for (let i = 10; i < 16; i++) state.setUint8(to + i, 0);
    tags |= tagOf(view, r, ((image[FTW] >>> physical) & 1) === 0) << (physical * 2);
  }
  state.setUint32(X86.FTW, tags, true);
  loadMxcsr(state, view.getUint32(MXCSR, true));
  for (let i = 0; i < 128; i++) state.setUint8(X86.XMM + i, image[XMM + i]);
}

/** Two tag bits from the register's content: 0 valid, 1 zero, 2 special (SDM volume 1, 8.1.7). */
function tagOf(image: DataView, r: number, empty: boolean): number {
  if (empty) return EMPTY;
  const low = image.getUint32(ST + r * 16, true);
  const high = image.getUint32(ST + r * 16 + 4, true);
  const exponent = image.getUint16(ST + r * 16 + 8, true) & 0x7fff;
  if (exponent === 0 && low === 0 && high === 0) return 1;
  return exponent === 0 || exponent === 0x7fff || high >>> 31 === 0 ? 2 : 0;
}
