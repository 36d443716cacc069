// System mode: what the engine asks of the guest's privileged architecture, by Layout.MMU.
import { deliverMips } from './mips/privileged';
import { walkMips } from './mips/tlb';
import { ExitKind, Fault } from './shared/exit';
import { Layout, Mmu } from './shared/layout';
import { walkX86 } from './x86/mmu';
import { attend, deliverX86 } from './x86/system/interrupts';

/** Translates a virtual address: `walked` with what it found, or `recordFault`. `access`: one FaultAccess. */
export function walk(address: u32, access: u32, user: bool): bool {
  return load<u32>(Layout.MMU) === Mmu.Mips ? walkMips(address, access, user) : walkX86(address, access, user);
}

/** Lets the guest handle the exit that is in the header itself, if it is one of its exceptions; then PC is its handler. */
export function deliver(): bool {
  if (load<u32>(Layout.EXIT_KIND) === ExitKind.MemoryFault && load<u32>(Layout.EXIT_ARG1) & Fault.WRITES_CODE) return false;
  switch (load<u32>(Layout.MMU)) {
    case Mmu.Mips:
      return deliverMips();
    case Mmu.X86:
      return deliverX86();
    default:
      return false;
  }
}

/** An exception that the guest handles takes an instruction's time, or a handler that raises it again would go on for ever. */
function pay(): void {
  const left = load<i32>(Layout.BUDGET);
  if (left > 0) store<i32>(Layout.BUDGET, left - 1);
}

/** After guest code was left: whether it goes on at PC without anybody else. */
export function goesOn(): bool {
  switch (load<u32>(Layout.EXIT_KIND)) {
    case ExitKind.Continue:
      break;
    case ExitKind.Resume:
      store<u32>(Layout.PC, load<u32>(Layout.NEXT_PC));
      break;
    case ExitKind.Next:
      store<u32>(Layout.PC, load<u32>(Layout.EXIT_ARG0));
      break;
    case ExitKind.MemoryFault:
    case ExitKind.Exception:
      if (!deliver()) return false;
      pay();
      break;
    case ExitKind.Syscall:
    case ExitKind.Breakpoint:
    case ExitKind.Illegal:
      if (!deliver()) return false;
      break;
    default:
      return false;
  }
  store<u32>(Layout.EXIT_KIND, ExitKind.None);
  if (load<u32>(Layout.MMU) === Mmu.X86) attend();
  return true;
}
