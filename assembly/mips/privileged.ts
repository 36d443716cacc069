// MIPS system mode, what assembly/system.ts asks.
import { walked } from '../paged';
import { TlbBit } from '../shared/layout';

export function walkMips(address: u32, _access: u32, _user: bool): bool {
  return walked(address, TlbBit.KernelRead | TlbBit.KernelWrite | TlbBit.KernelExecute);
}
export function deliverMips(): bool {
  return false;
}
export function mipsLine(_line: u32, _level: u32): void {}
export function takeMipsInterrupt(): void {}
export function wakesMips(): bool {
  return false;
}
export function mipsTimer(): f64 {
  return Infinity;
}
export function mipsTimerDue(): void {}
