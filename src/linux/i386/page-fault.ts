import { Segment, Vector } from '../../../translators/x86/abi.ts';
import { memoryOperand } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { Code, FetchFault } from '../../isa/code.ts';
import type { Process } from '../process.ts';

/**
 * What the access that met a page fault at `pc` does not tell: that a load's operand is written, too; or the exception that comes first.
 * CS is not writable, FS and GS may be null, which in a new program have the base 0, and no segment goes beyond 4 GiB.
 */
export function pageFault({ memory, vcpu }: Process, pc: number, address: number | undefined): 'modifies' | Vector | undefined {
  try {
    const operand = memoryOperand(new Code(memory.codePage), pc, vcpu.mode);
    if (operand === undefined) return undefined;
    const { isModified, segment, bytes } = operand;
    if (isModified && segment === Segment.CS) return Vector.GP;
    if (segment >= Segment.FS && vcpu.get32(X86.ES + segment * 4) < 4) return Vector.GP;
    if (address !== undefined && address + bytes > 2 ** 32) return segment === Segment.SS ? Vector.SS : Vector.GP;
    return isModified ? 'modifies' : undefined;
  } catch (error) {
    if (error instanceof FetchFault) return undefined;
    throw error;
  }
}
