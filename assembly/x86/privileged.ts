// x86 system mode, what assembly/system.ts asks.
import { walked } from '../paged';
import { TlbBit } from '../shared/layout';

/** CR0.PG = 0: linear addresses are physical. */
export function walkX86(address: u32, _access: u32, _user: bool): bool {
  return walked(
    address,
    TlbBit.KernelRead | TlbBit.KernelWrite | TlbBit.UserRead | TlbBit.UserWrite | TlbBit.KernelExecute | TlbBit.UserExecute,
  );
}

export function deliverX86(): bool {
  return false;
}
