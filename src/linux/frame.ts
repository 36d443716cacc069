import { GuestMemoryFault } from '../vcpu/guest-memory.ts';
import type { Process } from './process.ts';
import type { Action } from './signals.ts';

/** Whether the stack pointer is on the alternate signal stack (sigaltstack(2)). */
export function onAltStack(p: Process, stackPointer: number): boolean {
  const { start, size, disabled } = p.signals.altStack;
  return !disabled && stackPointer > start && stackPointer - start <= size;
}

/** Below which address a handler's frame goes. */
export function frameAddress(p: Process, action: Action, stackPointer: number): number {
  const { start, size, disabled } = p.signals.altStack;
  const wanted = (action.flags & p.abi.actionFlags.SA_ONSTACK) !== 0 && !disabled;
  return wanted && !onAltStack(p, stackPointer) ? start + size : stackPointer;
}

/**
 * As on x86 (arch/x86/kernel/signal.c, get_sigframe): a frame that begins on the alternate stack and does not fit it must not
 * be written below it. Throws GuestMemoryFault, which ends the program.
 */
export function checkAltStackFrame(p: Process, action: Action, stackPointer: number, frame: number): void {
  const above = frameAddress(p, action, stackPointer);
  if (onAltStack(p, above) && !onAltStack(p, frame)) throw new GuestMemoryFault(frame >>> 0, 'write');
}
