import { Segment, Vector } from '../../../translators/x86/abi.ts';
import { memoryOperand } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { Code, FetchFault } from '../../isa/code.ts';
import { PagePermission } from '../../vcpu/guest-memory.ts';
import type { InsteadOfFault, MemoryFault, ModifyFault } from '../abi.ts';
import type { Process } from '../process.ts';
import { exceptionSignal } from './signals.ts';

/**
 * What the access that met a page fault does not tell: that a load's operand is written, too; or the exception that comes first.
 * CS is not writable, FS and GS may be null, which in a new program have the base 0, and no segment goes beyond 4 GiB.
 */
export function pageFault(p: Process, { pc, address, access }: MemoryFault): ModifyFault | InsteadOfFault | undefined {
  if (access === 'execute') return undefined;
  const { memory, vcpu } = p;
  const instead = (number: Vector): InsteadOfFault => ({ number, signal: exceptionSignal(p, number) });
  try {
    const operand = memoryOperand(new Code(memory.codePage), pc, vcpu.mode);
    if (operand === undefined) return undefined;
    const { isModified, segment, bytes } = operand;
    if (isModified && segment === Segment.CS) return instead(Vector.GP);
    if (segment >= Segment.FS && vcpu.get32(X86.ES + segment * 4) < 4) return instead(Vector.GP);
    if (address !== undefined && address + bytes > 2 ** 32) return instead(segment === Segment.SS ? Vector.SS : Vector.GP);
    if (!isModified) return undefined;
    // a load from a page that may be read only into the next one fails in the first
    const isInFirst = access === 'read' && address !== undefined && !(permissionAt(p, vcpu.accessStart) & PagePermission.Write);
    return { writesTo: isInFirst ? vcpu.accessStart : address };
  } catch (error) {
    if (error instanceof FetchFault) return undefined;
    throw error;
  }
}

const permissionAt = (p: Process, address: number): number => p.map.areas.at(address)?.permission ?? 0;
