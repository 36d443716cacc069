import { fieldText, hex } from '../conformance/compare.ts';
import type { Field } from '../conformance/subject.ts';
import { SUBJECTS } from '../conformance/subjects.ts';
import type { IsaName } from '../isas.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { memoryDifferences } from './snapshot.ts';

/** A vCPU that has stopped. */
export interface Stopped {
  readonly vcpu: Vcpu;
  readonly exit: Exit;
  /** Guest instructions completed since the snapshot. */
  readonly retired: number;
}

const SHOWN_BYTES = 32;

export const exitText = (exit: Exit): string =>
  Object.entries(exit)
    .map(([name, value]) => (name === 'kind' ? `${value}` : `${name} ${typeof value === 'number' ? hex(value) : value}`))
    .join(', ');

const subjectOf = (vcpu: Vcpu): (typeof SUBJECTS)[IsaName] => SUBJECTS[vcpu.isa.name as IsaName];

/** The architectural state, as test vectors have it. */
export const imageOf = (vcpu: Vcpu): Uint8Array => subjectOf(vcpu).read(vcpu);

export const fieldsOf = (vcpu: Vcpu): readonly Field[] => subjectOf(vcpu).fields;

/** What differs between two executors that started from the same state, one line each: `name: a | b`. */
export function differences(a: Stopped, b: Stopped): string[] {
  const out: string[] = [];
  // translated code of the memory model `direct` tells neither the address nor its registers (see Exit)
  const lost =
    a.exit.kind === 'memory-fault' && (a.exit.address === undefined || (b.exit.kind === 'memory-fault' && b.exit.address === undefined));
  const ends = lost
    ? [a.exit.kind, b.exit.kind].map((kind, n) => `${kind} at ${hex([a, b][n].exit.pc)}`)
    : [exitText(a.exit), exitText(b.exit)];
  if (ends[0] !== ends[1]) out.push(`exit: ${ends[0]} | ${ends[1]}`);
  if (!lost && a.retired !== b.retired) out.push(`instructions: ${a.retired} | ${b.retired}`);
  if (!lost) {
    const { transient } = subjectOf(a.vcpu);
    const images = [a, b].map(({ vcpu }) => imageOf(vcpu));
    if (transient && (a.exit.kind === 'budget' || b.exit.kind === 'budget'))
      for (const image of images) {
        const view = new DataView(image.buffer);
        view.setUint32(transient.offset, view.getUint32(transient.offset, true) & ~transient.bits, true);
      }
    for (const field of fieldsOf(a.vcpu)) {
      const [x, y] = images.map((image) => fieldText(image, field));
      if (x !== y) out.push(`${field.name}: ${x} | ${y}`);
    }
  }
  for (const address of memoryDifferences(a.vcpu, b.vcpu, SHOWN_BYTES)) {
    const at = [a, b].map(({ vcpu }) => hex(vcpu.memory.view(address, 1, 'read')[0], 2));
    out.push(`[${hex(address)}]: ${at[0]} | ${at[1]}`);
  }
  return out;
}
