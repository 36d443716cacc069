import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { contextOf, forgetFloats } from '../context.ts';
import { address, checkWritable, type Insn, load, read, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { Segment, Vector } from '../sdm.ts';
import { exitOnFault, linear } from '../segmentation.ts';
import { X86 } from '../state.ts';
import {
  checkAligned,
  high64,
  load64,
  load128,
  low64,
  mmxEnter,
  mmxWait,
  readVector,
  replace64,
  setXmm,
  store64,
  store128,
  xmm,
  zero,
} from '../vector.ts';
import { singleConversions } from './convert.ts';
import { floatHelpers, low, scalarSource, single, singleRows, storeScalar, withLow } from './float.ts';
import { storeMmx } from './mmx.ts';
import { extended, mmxForms, shuffleWordsMmx } from './packed.ts';

const I = Type.I32;
const V = Type.V128;
const maskedStore: Helper = {
  name: 'sse_masked_store',
  params: [I, V, V],
  result: I,
  state: true,
  range: [X86.SSE_RESULT, X86.SSE_RESULT + 16],
  pure: false,
};
export const sseHelpers: readonly Helper[] = [
  ...floatHelpers,
  maskedStore,
  { name: 'sse_see_mxcsr', params: [], result: Type.None, state: true, range: [X86.MODE, X86.MODE + 4], pure: false },
  { name: 'sse_load_mxcsr', params: [I], result: Type.None, state: true, range: [X86.MXCSR, X86.SIZE], pure: false },
  { name: 'sse_fxsave', params: [I], result: I, state: true, pure: false },
  { name: 'sse_fxrstor', params: [I], result: I, state: true, pure: false },
];

const BITMASK32 = op('i32x4.bitmask');

// Moves

export const loadAligned: Meaning = (b, i) => setXmm(b, i.reg, readVector(b, i, 1));
export const storeAligned: Meaning = (b, i) => {
  if (i.mod === 3) setXmm(b, i.rm, xmm(b, i.reg));
  else {
    checkAligned(b, i);
    store128(b, i, xmm(b, i.reg));
  }
};
export const loadUnaligned: Meaning = (b, i) => setXmm(b, i.reg, i.mod === 3 ? xmm(b, i.rm) : load128(b, i));
export const storeUnaligned: Meaning = (b, i) => {
  if (i.mod === 3) setXmm(b, i.rm, xmm(b, i.reg));
  else store128(b, i, xmm(b, i.reg));
};

/** MOVSS: from memory the rest becomes zero, from a register it stays. */
const loadSingle: Meaning = (b, i) => {
  setXmm(b, i.reg, withLow(b, single, i.mod === 3 ? xmm(b, i.reg) : zero(b), scalarSource(b, single, i)));
};
const storeSingle: Meaning = (b, i) => {
  const value = low(b, single, xmm(b, i.reg));
  if (i.mod === 3) setXmm(b, i.rm, withLow(b, single, xmm(b, i.rm), value));
  else storeScalar(b, single, i, value);
};
export const loadHalf =
  (lane: 0 | 1): Meaning =>
  (b, i) =>
    setXmm(b, i.reg, replace64(b, xmm(b, i.reg), load64(b, i), lane));
export const storeHalf =
  (lane: 0 | 1): Meaning =>
  (b, i) =>
    store64(b, i, (lane === 0 ? low64 : high64)(b, xmm(b, i.reg)));
const highToLow: Meaning = (b, i) => setXmm(b, i.reg, replace64(b, xmm(b, i.reg), high64(b, xmm(b, i.rm)), 0));
const lowToHigh: Meaning = (b, i) => setXmm(b, i.reg, replace64(b, xmm(b, i.reg), low64(b, xmm(b, i.rm)), 1));
const signMask: Meaning = (b, i) => write(b, i, 0, b.emit(BITMASK32, xmm(b, i.rm)));
export const storeInteger: Meaning = (b, i) => write(b, i, 0, read(b, i, 1));

/** DS:EDI, or in the segment of an override. */
function destination(b: Builder, i: Insn): Value {
  const offset = b.get(I, X86.EDI);
  return linear(b, i, i.segment < 0 ? Segment.DS : i.segment, i.addressSize === 2 ? b.and(offset, b.i32(0xffff)) : offset, 1);
}
/** MASKMOVQ and MASKMOVDQU: the first `bytes` bytes that the mask, the second operand, selects. */
export const storeMasked =
  (bytes: 8 | 16): Meaning =>
  (b, i) => {
    if (bytes === 8) mmxWait(b);
    const data = readVector(b, i, 0);
    const mask = readVector(b, i, 1);
    checkWritable(b, i);
    // before a fault, as AMD's processors do
    if (bytes === 8) mmxEnter(b);
    b.set(X86.SSE_RESULT, destination(b, i));
    exitOnFault(b, b.helper(maskedStore.name, b.i32(bytes), data, mask));
  };

// State and ordering

/** Bits of MXCSR that exist (SDM volume 1, 11.6.6). */
const MXCSR_BITS = 0xffff;
/** Bytes of FXSAVE's image, and of what of it is looked at together. */
const IMAGE = 512;
const PART = 128;
/** The instruction looks at MXCSR or sets it; the first one that does has code lifted anew, with MXCSR.DE exact. */
const seeing =
  (meaning: Meaning): Meaning =>
  (b, i) => {
    meaning(b, i);
    b.helper('sse_see_mxcsr');
    if (!i.denormals) b.exit(ExitKind.Next, i.pc, i.next);
  };
const loadControl: Meaning = (b, i) => {
  const value = load(b, address(b, i), 4);
  b.exitIf(b.and(value, b.i32(~MXCSR_BITS)), ExitKind.Exception, Vector.GP);
  b.helper('sse_load_mxcsr', value);
  forgetFloats(b);
};
const storeControl: Meaning = (b, i) => write(b, i, 0, b.get(I, X86.MXCSR));
/** Statuses of the helper: 1 memory fault, 2 reserved bits. */
const image =
  (helper: string): Meaning =>
  (b, i) => {
    if (helper === 'sse_fxsave') checkWritable(b, i);
    checkAligned(b, i);
    const at = address(b, i);
    for (let part = 0; part < IMAGE; part += PART) b.access?.(b.add(at, b.i32(part)), PART, helper === 'sse_fxsave');
    const status = b.helper(helper, at);
    contextOf(b).top = -1;
    forgetFloats(b);
    exitOnFault(b, b.and(status, b.i32(1)));
    b.exitIf(b.and(status, b.i32(2)), ExitKind.Exception, Vector.GP);
  };
const nothing: Meaning = () => undefined;

export const sse = (): readonly Row[] =>
  group('sse', [
    row('NP 0F 10 /r', 'MOVUPS Vps, Wps', loadUnaligned),
    row('NP 0F 11 /r', 'MOVUPS Wps, Vps', storeUnaligned),
    row('NP 0F 28 /r', 'MOVAPS Vps, Wps', loadAligned),
    row('NP 0F 29 /r', 'MOVAPS Wps, Vps', storeAligned),
    row('F3 0F 10 /r', 'MOVSS Vss, Wss', loadSingle),
    row('F3 0F 11 /r', 'MOVSS Wss, Vss', storeSingle),
    row('NP 0F 12 /r m', 'MOVLPS Vq, Mq', loadHalf(0)),
    row('NP 0F 12 /r r', 'MOVHLPS Vq, Uq', highToLow),
    row('NP 0F 13 /r m', 'MOVLPS Mq, Vq', storeHalf(0)),
    row('NP 0F 16 /r m', 'MOVHPS Vq, Mq', loadHalf(1)),
    row('NP 0F 16 /r r', 'MOVLHPS Vq, Uq', lowToHigh),
    row('NP 0F 17 /r m', 'MOVHPS Mq, Vq', storeHalf(1)),
    row('NP 0F 2B /r m', 'MOVNTPS Mps, Vps', storeAligned),
    row('NP 0F 50 /r r', 'MOVMSKPS Gd, Ups', signMask),
    ...singleRows(),
    ...singleConversions(),
    ...mmxForms(extended()),
    shuffleWordsMmx,
    row('NP 0F E7 /r m', 'MOVNTQ Mq, Pq', storeMmx),
    row('NP 0F F7 /r r', 'MASKMOVQ Pq, Nq', storeMasked(8)),
    row('NP 0F AE /0 m', 'FXSAVE M', seeing(image('sse_fxsave'))),
    row('NP 0F AE /1 m', 'FXRSTOR M', seeing(image('sse_fxrstor'))),
    row('NP 0F AE /2 m', 'LDMXCSR Md', seeing(loadControl)),
    row('NP 0F AE /3 m', 'STMXCSR Md', seeing(storeControl)),
    row('NP 0F AE /7 r', 'SFENCE', nothing),
  ]);
