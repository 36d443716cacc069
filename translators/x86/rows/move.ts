import { op, Type } from '../../../src/ir/ops.ts';
import { condition, setZero } from '../flags.ts';
import {
  address,
  checkWritable,
  effectiveAddress,
  load,
  noteNarrow,
  read,
  readSigned,
  register,
  setRegister,
  sizeOf,
  write,
} from '../operands.ts';
import { group, type Meaning, type Row, row, sensitive } from '../row.ts';
import { Segment } from '../sdm.ts';
import { linear } from '../segmentation.ts';
import { X86 } from '../state.ts';

const I64_LOAD = op('i64.load');
const I64_STORE = op('i64.store');
const I64_EXTEND_U = op('i64.extend_i32_u');
const I64_WRAP = op('i32.wrap_i64');
const I64_SHL = op('i64.shl');
const I64_SHR_U = op('i64.shr_u');
const I64_OR = op('i64.or');
const I64_NE = op('i64.ne');

const mov: Meaning = (b, i) => write(b, i, 0, read(b, i, 1), true);
const movzx: Meaning = (b, i) => {
  const value = read(b, i, 1);
  write(b, i, 0, value, true);
  if (i.operandSize === 4) noteNarrow(b, i.reg, sizeOf(i, 1), value, value);
};
const movsx: Meaning = (b, i) => write(b, i, 0, readSigned(b, i, 1));

/** Memory first: if the store faults, the register keeps its value. */
const xchg: Meaning = (b, i) => {
  const left = read(b, i, 0);
  const right = read(b, i, 1);
  write(b, i, 0, right, true);
  write(b, i, 1, left, true);
};

const lea: Meaning = (b, i) => write(b, i, 0, effectiveAddress(b, i));

/** The source is read, and may fault, whether the condition holds or not. */
const cmov: Meaning = (b, i) => {
  const source = read(b, i, 1);
  write(b, i, 0, b.select(condition(b, i.opcode & 15), source, read(b, i, 0)), true);
};
const set: Meaning = (b, i) => write(b, i, 0, condition(b, i.opcode & 15), true);

const xlat: Meaning = (b, i) => {
  let at = b.add(register(b, 3, i.addressSize), register(b, 0, 1));
  if (i.addressSize === 2) at = b.and(at, b.i32(0xffff));
  setRegister(b, 0, 1, load(b, linear(b, i, i.segment < 0 ? Segment.DS : i.segment, at, 1), 1), true);
};

/** The store happens whether the values are equal or not. Only ZF changes. */
const cmpxchg8b: Meaning = (b, i) => {
  const pair = (high: X86, low: X86): number => {
    const upper = b.emit(I64_SHL, b.emit(I64_EXTEND_U, b.get(Type.I32, high)), b.i64(32, 0));
    return b.emit(I64_OR, upper, b.emit(I64_EXTEND_U, b.get(Type.I32, low)));
  };
  const at = address(b, i);
  const old = b.load(I64_LOAD, at);
  const expected = pair(X86.EDX, X86.EAX);
  const different = b.emit(I64_NE, old, expected);
  checkWritable(b, i);
  b.store(I64_STORE, at, b.select(different, old, pair(X86.ECX, X86.EBX)));
  b.set(X86.EAX, b.emit(I64_WRAP, old));
  b.set(X86.EDX, b.emit(I64_WRAP, b.emit(I64_SHR_U, old, b.i64(32, 0))));
  setZero(b, different);
};

export const move = (): readonly Row[] =>
  group('move', [
    row('88 /r', 'MOV Eb, Gb', mov),
    row('89 /r', 'MOV Ev, Gv', mov),
    row('8A /r', 'MOV Gb, Eb', mov),
    row('8B /r', 'MOV Gv, Ev', mov),
    ...[0, 1, 2, 3, 4, 5].flatMap((n) => [
      sensitive('behaviour-sensitive', mov, row(`8C /${n} r`, 'MOV Rv, Sw', mov)),
      sensitive('behaviour-sensitive', mov, row(`8C /${n} m`, 'MOV Mw, Sw', mov)),
    ]),
    row('A0 mo', 'MOV AL, Ob', mov),
    row('A1 mo', 'MOV eAX, Ov', mov),
    row('A2 mo', 'MOV Ob, AL', mov),
    row('A3 mo', 'MOV Ov, eAX', mov),
    row('B0+r ib', 'MOV Zb, Ib', mov),
    row('B8+r iz', 'MOV Zv, Iz', mov),
    row('C6 /0 ib', 'MOV Eb, Ib', mov),
    row('C7 /0 iz', 'MOV Ev, Iz', mov),
    row('0F B6 /r', 'MOVZX Gv, Eb', movzx),
    row('0F B7 /r', 'MOVZX Gv, Ew', movzx),
    row('0F BE /r', 'MOVSX Gv, Eb', movsx),
    row('0F BF /r', 'MOVSX Gv, Ew', movsx),
    row('86 /r', 'XCHG Eb, Gb', xchg),
    row('87 /r', 'XCHG Ev, Gv', xchg),
    row('90+r', 'XCHG Zv, eAX', xchg),
    row('0F C7 /1 m', 'CMPXCHG8B Mq', cmpxchg8b),
    row('8D /r', 'LEA Gv, M', lea),
    row('D7', 'XLAT Bb', xlat),
    row('0F 40+cc /r', 'CMOVcc Gv, Ev', cmov),
    row('0F 90+cc /r', 'SETcc Eb', set),
  ]);
