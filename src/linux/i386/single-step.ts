import { Eflags, Vector } from '../../../translators/x86/abi.ts';
import { holdsTraps } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { Code, FetchFault } from '../../isa/code.ts';
import type { Exit } from '../../vcpu/exit.ts';
import { fault } from '../deliver.ts';
import type { Process } from '../process.ts';
import { isStepping } from '../ptrace.ts';
import { SiCode } from '../signals.ts';

const isTraced = (p: Process): boolean => isStepping(p) || (p.vcpu.get32(X86.OTHER_FLAGS) & Eflags.TF) !== 0;

function isHeld({ memory, vcpu }: Process): boolean {
  try {
    return holdsTraps(new Code(memory.codePage), vcpu.pc);
  } catch (error) {
    if (error instanceof FetchFault) return false;
    throw error;
  }
}

/**
 * With EFLAGS.TF set, or if the tracer wants it, one instruction and then SIGTRAP; undefined without. The flag counts that was set before the instruction, and a
 * system call is no instruction to trap after.
 */
export function singleStep(p: Process): Exit | undefined {
  if (!isTraced(p)) return undefined;
  const held = isHeld(p);
  const exit = p.vcpu.step();
  if (exit.kind !== 'budget' || held) return exit;
  const { pc } = p.vcpu;
  fault(p, 'SIGTRAP', { code: SiCode.Trace, address: pc, trap: { number: Vector.DB, error: 0 } }, pc, 'single step');
  return exit;
}
