import type { Outcome } from './run.ts';
import type { Field } from './subject.ts';
import { SUBJECTS } from './subjects.ts';
import { type End, EndKind, type Form, type Suite, type Vector } from './vectors.ts';

export const hex = (n: number, digits = 8): string => (n >>> 0).toString(16).padStart(digits, '0');

export function endText(end: End, pc: number, isa: string): string {
  if (end.kind === EndKind.Stopped) return `stopped at ${hex(pc)}`;
  if (end.kind === EndKind.Endless) return 'endless';
  return `${isa === 'x86' ? 'exception' : 'signal'} ${end.number}${end.address === 0 ? '' : ` on ${hex(end.address)}`} at ${hex(pc)}`;
}

/** The field as a number, most significant digit first. */
export const fieldText = (image: Uint8Array, { offset, bytes }: Field): string =>
  Array.from(image.subarray(offset, offset + bytes), (n) => hex(n, 2))
    .reverse()
    .join('');

/** What differs from the oracle's outcome, one line each: `name: expected | got`. */
export function compare(suite: Suite, form: Form, vector: Vector, got: Outcome): string[] {
  const subject = SUBJECTS[suite.isa];
  const out: string[] = [];
  const { end } = vector;
  const sameKind = end.kind === got.end.kind && end.number === got.end.number;
  const sameAddress = end.address === got.end.address || vector.anyAddress;
  const samePc = !suite.comparesPc || vector.endPc === got.pc || end.kind === EndKind.Endless;
  if (!samePc || !((sameKind && sameAddress) || subject.sameEnd?.(end, got.end)))
    out.push(`end: ${endText(end, vector.endPc, suite.isa)} | ${endText(got.end, got.pc, suite.isa)}`);
  const { after, ignored } = vector;
  for (const field of subject.fields) {
    let same = true;
    for (let i = field.offset; i < field.offset + field.bytes; i++)
      if ((after[i] ^ got.image[i]) & ~ignored[i] & 0xff) {
        same = false;
        break;
      }
    if (same || (form.tolerance && close(field, form.tolerance, after, got.image))) continue;
    out.push(`${field.name}: ${fieldText(after, field)} | ${fieldText(got.image, field)}`);
  }
  for (const address of [...new Set([...vector.changes.keys(), ...got.changes.keys()])].sort((a, b) => a - b)) {
    if (address >= vector.ignoredMemory[0] && address < vector.ignoredMemory[1]) continue;
    const [expected, actual] = [vector.changes.get(address), got.changes.get(address)];
    const text = (byte: number | undefined): string => (byte === undefined ? 'unchanged' : hex(byte, 2));
    if (expected !== actual) out.push(`[${hex(address)}]: ${text(expected)} | ${text(actual)}`);
    if (out.length > 20) break;
  }
  return out;
}

/** Neighbouring numbers of one sign differ by 1, across powers of two as well: exponent, then significand without its integer bit. */
const ordinal = (extended: DataView): bigint =>
  (BigInt(extended.getUint16(8, true) & 0x7fff) << 63n) | BigInt.asUintN(63, extended.getBigUint64(0, true));

/** Whether a float register is as near as the manual asks. */
function close(field: Field, tolerance: NonNullable<Form['tolerance']>, a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [a, b].map((image) => new DataView(image.buffer, image.byteOffset + field.offset, field.bytes));
  if (field.float === 'extended' && tolerance.ulps !== undefined) {
    const difference = ordinal(left) - ordinal(right);
    return (left.getUint8(9) ^ right.getUint8(9)) < 0x80 && difference <= tolerance.ulps && difference >= -tolerance.ulps;
  }
  const { relative } = tolerance;
  if (field.float !== 'singles' || relative === undefined) return false;
  return [0, 4, 8, 12].every(
    (at) =>
      left.getUint32(at, true) === right.getUint32(at, true) ||
      Math.abs(right.getFloat32(at, true) / left.getFloat32(at, true) - 1) <= relative,
  );
}
