import { op } from '../../../src/ir/ops.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { SseCode } from '../sse-code.ts';
import { load128, low64, readVector, setXmm, vector2, xmm } from '../vector.ts';
import { double, elements, type Format, ifMemory, packedSource, type Question, settle, single, specialVector } from './float.ts';

/** HADDPS and HSUBPS: each pair of neighbours, first those of the first operand. */
function horizontal(format: Format, code: SseCode, name: 'add' | 'sub'): Meaning {
  const even = format.wide ? elements(8, 0, 2) : elements(4, 0, 2, 4, 6);
  const odd = format.wide ? elements(8, 1, 3) : elements(4, 1, 3, 5, 7);
  return (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const r = b.emit(format.each(name), b.shuffle(x, y, even), b.shuffle(x, y, odd));
    const question: Question = { special: () => specialVector(b, format, 'overflow', r, x, y), operands: [x, y], keeps: true };
    setXmm(b, i.reg, settle(b, i, { format, code: code | SseCode.HORIZONTAL, count: format.count }, question, r, ifMemory(i, y)));
  };
}

/** ADDSUBPS: even elements are subtracted, odd ones added. */
function addSubtract(format: Format): Meaning {
  const pattern = format.wide ? elements(8, 0, 3) : elements(4, 0, 5, 2, 7);
  return (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const r = b.shuffle(b.emit(format.each('sub'), x, y), b.emit(format.each('add'), x, y), pattern);
    const question: Question = { special: () => specialVector(b, format, 'overflow', r, x, y), operands: [x, y], keeps: true };
    setXmm(b, i.reg, settle(b, i, { format, code: SseCode.ADD_SUB, count: format.count }, question, r, ifMemory(i, y)));
  };
}

const SPLAT = op('i64x2.splat');
const duplicate = (...numbers: number[]): Meaning => vector2((b, _, y) => b.shuffle(y, y, elements(4, ...numbers)));
const duplicateDouble: Meaning = (b, i) => setXmm(b, i.reg, b.emit(SPLAT, low64(b, readVector(b, i, 1))));
const loadUnaligned: Meaning = (b, i) => setXmm(b, i.reg, load128(b, i));

/** All but FISTTP, which is among the x87 rows; MONITOR and MWAIT are a feature of their own. */
export const sse3 = (): readonly Row[] =>
  group('sse3', [
    row('F2 0F D0 /r', 'ADDSUBPS Vps, Wps', addSubtract(single)),
    row('66 0F D0 /r', 'ADDSUBPD Vpd, Wpd', addSubtract(double)),
    row('F2 0F 7C /r', 'HADDPS Vps, Wps', horizontal(single, SseCode.ADD, 'add')),
    row('66 0F 7C /r', 'HADDPD Vpd, Wpd', horizontal(double, SseCode.ADD, 'add')),
    row('F2 0F 7D /r', 'HSUBPS Vps, Wps', horizontal(single, SseCode.SUB, 'sub')),
    row('66 0F 7D /r', 'HSUBPD Vpd, Wpd', horizontal(double, SseCode.SUB, 'sub')),
    row('F2 0F F0 /r m', 'LDDQU Vdq, Mdq', loadUnaligned),
    row('F2 0F 12 /r', 'MOVDDUP Vpd, Wq', duplicateDouble),
    row('F3 0F 12 /r', 'MOVSLDUP Vps, Wps', duplicate(0, 0, 2, 2)),
    row('F3 0F 16 /r', 'MOVSHDUP Vps, Wps', duplicate(1, 1, 3, 3)),
  ]);
