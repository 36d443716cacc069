import { op } from '../../../src/ir/ops.ts';
import { contextOf } from '../context.ts';
import { read, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { X86 } from '../state.ts';
import { load64, mmx, mmxEnter, mmxWait, setMmx, store64 } from '../vector.ts';
import { mmxForms, original } from './packed.ts';

const EXTEND = op('i64.extend_i32_u');
const WRAP = op('i32.wrap_i64');

const moveFromDword: Meaning = (b, i) => {
  mmxWait(b);
  const value = b.emit(EXTEND, read(b, i, 1));
  mmxEnter(b);
  setMmx(b, i.reg, value);
};
const moveToDword: Meaning = (b, i) => {
  mmxWait(b);
  write(b, i, 0, b.emit(WRAP, mmx(b, i.reg)));
  mmxEnter(b);
};
const load: Meaning = (b, i) => {
  mmxWait(b);
  const value = i.mod === 3 ? mmx(b, i.rm) : load64(b, i);
  mmxEnter(b);
  setMmx(b, i.reg, value);
};
export const storeMmx: Meaning = (b, i) => {
  mmxWait(b);
  const value = mmx(b, i.reg);
  if (i.mod !== 3) store64(b, i, value);
  mmxEnter(b);
  if (i.mod === 3) setMmx(b, i.rm, value);
};
/** All registers empty. */
const emms: Meaning = (b) => {
  mmxWait(b);
  contextOf(b).top = -1;
  b.set(X86.FTOP, b.i32(0));
  b.set(X86.FTW, b.i32(0xffff));
};

export const mmxRows = (): readonly Row[] =>
  group('mmx', [
    ...mmxForms(original()),
    row('NP 0F 6E /r', 'MOVD Pq, Ed', moveFromDword),
    row('NP 0F 7E /r', 'MOVD Ed, Pq', moveToDword),
    row('NP 0F 6F /r', 'MOVQ Pq, Qq', load),
    row('NP 0F 7F /r', 'MOVQ Qq, Pq', storeMmx),
    row('NP 0F 77', 'EMMS', emms),
  ]);
