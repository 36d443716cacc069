import { op } from '../../../src/ir/ops.ts';
import { address, load, read, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { load64, low64, mmx, mmxEnter, mmxWait, only64, setMmx, setXmm, store64, xmm, zero } from '../vector.ts';
import { doubleConversions } from './convert.ts';
import { double, doubleRows, low, scalarSource, storeScalar, withLow } from './float.ts';
import { extended, mmxForms, original, quadwords, xmmForms, xmmOnly } from './packed.ts';
import { loadAligned, loadHalf, loadUnaligned, storeAligned, storeHalf, storeInteger, storeMasked, storeUnaligned } from './sse.ts';

const EXTRACT32 = op('i32x4.extract_lane');
const REPLACE32 = op('i32x4.replace_lane');
const BITMASK64 = op('i64x2.bitmask');

/** MOVSD: from memory the rest becomes zero, from a register it stays. */
const loadDouble: Meaning = (b, i) =>
  setXmm(b, i.reg, withLow(b, double, i.mod === 3 ? xmm(b, i.reg) : zero(b), scalarSource(b, double, i)));
const storeDouble: Meaning = (b, i) => {
  const value = low(b, double, xmm(b, i.reg));
  if (i.mod === 3) setXmm(b, i.rm, withLow(b, double, xmm(b, i.rm), value));
  else storeScalar(b, double, i, value);
};
/** MOVQ: the high half becomes zero, of a register too. */
const loadQuadword: Meaning = (b, i) => setXmm(b, i.reg, only64(b, i.mod === 3 ? low64(b, xmm(b, i.rm)) : load64(b, i)));
const storeQuadword: Meaning = (b, i) => {
  const value = low64(b, xmm(b, i.reg));
  if (i.mod === 3) setXmm(b, i.rm, only64(b, value));
  else store64(b, i, value);
};
const loadDword: Meaning = (b, i) => setXmm(b, i.reg, b.emit(REPLACE32, zero(b), read(b, i, 1), 0));
const storeDword: Meaning = (b, i) => write(b, i, 0, b.emit(EXTRACT32, xmm(b, i.reg), 0));
const fromMmx: Meaning = (b, i) => {
  mmxWait(b);
  mmxEnter(b);
  setXmm(b, i.reg, only64(b, mmx(b, i.rm)));
};
const toMmx: Meaning = (b, i) => {
  mmxWait(b);
  mmxEnter(b);
  setMmx(b, i.reg, low64(b, xmm(b, i.rm)));
};
const signMask: Meaning = (b, i) => write(b, i, 0, b.emit(BITMASK64, xmm(b, i.rm)));
const nothing: Meaning = () => undefined;
/** There is no cache; the operand must be readable. */
const flush: Meaning = (b, i) => {
  load(b, address(b, i), 1);
};

export const sse2 = (): readonly Row[] =>
  group('sse2', [
    row('66 0F 10 /r', 'MOVUPD Vpd, Wpd', loadUnaligned),
    row('66 0F 11 /r', 'MOVUPD Wpd, Vpd', storeUnaligned),
    row('66 0F 28 /r', 'MOVAPD Vpd, Wpd', loadAligned),
    row('66 0F 29 /r', 'MOVAPD Wpd, Vpd', storeAligned),
    row('66 0F 6F /r', 'MOVDQA Vdq, Wdq', loadAligned),
    row('66 0F 7F /r', 'MOVDQA Wdq, Vdq', storeAligned),
    row('F3 0F 6F /r', 'MOVDQU Vdq, Wdq', loadUnaligned),
    row('F3 0F 7F /r', 'MOVDQU Wdq, Vdq', storeUnaligned),
    row('F2 0F 10 /r', 'MOVSD Vsd, Wsd', loadDouble),
    row('F2 0F 11 /r', 'MOVSD Wsd, Vsd', storeDouble),
    row('66 0F 12 /r m', 'MOVLPD Vq, Mq', loadHalf(0)),
    row('66 0F 13 /r m', 'MOVLPD Mq, Vq', storeHalf(0)),
    row('66 0F 16 /r m', 'MOVHPD Vq, Mq', loadHalf(1)),
    row('66 0F 17 /r m', 'MOVHPD Mq, Vq', storeHalf(1)),
    row('66 0F 2B /r m', 'MOVNTPD Mpd, Vpd', storeAligned),
    row('66 0F E7 /r m', 'MOVNTDQ Mdq, Vdq', storeAligned),
    row('NP 0F C3 /r m', 'MOVNTI Md, Gd', storeInteger),
    row('66 0F 50 /r r', 'MOVMSKPD Gd, Upd', signMask),
    row('66 0F 6E /r', 'MOVD Vdq, Ed', loadDword),
    row('66 0F 7E /r', 'MOVD Ed, Vdq', storeDword),
    row('F3 0F 7E /r', 'MOVQ Vq, Wq', loadQuadword),
    row('66 0F D6 /r', 'MOVQ Wq, Vq', storeQuadword),
    row('F3 0F D6 /r r', 'MOVQ2DQ Vdq, Nq', fromMmx),
    row('F2 0F D6 /r r', 'MOVDQ2Q Pq, Uq', toMmx),
    ...doubleRows(),
    ...doubleConversions(),
    ...xmmForms(original()),
    ...xmmForms(extended()),
    ...xmmForms(quadwords()),
    ...mmxForms(quadwords()),
    ...xmmOnly(),
    row('66 0F F7 /r r', 'MASKMOVDQU Vdq, Udq', storeMasked(16)),
    row('NP 0F AE /5 r', 'LFENCE', nothing),
    row('NP 0F AE /6 r', 'MFENCE', nothing),
    row('NP 0F AE /7 m', 'CLFLUSH Mb', flush),
  ]);
