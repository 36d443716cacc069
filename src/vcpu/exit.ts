import { ExitKind, Fault, FaultAccess } from '../../assembly/shared/exit.ts';

export { ExitKind, FaultAccess };

/**
 * Why `vcpu.run(budget)` stopped. Addresses are unsigned 32-bit guest addresses. The union is closed.
 *
 * A memory fault has no address where compiled code ran under the memory model `direct`: registers and address were in
 * WebAssembly locals that the engine does not give back. The pc is right all the same; registers are as of the last call.
 */
export type Exit =
  | { readonly kind: 'budget'; readonly pc: number }
  /** Memory model paged, exact budget: much had to be compiled. What is left of the budget is to be spent before anything else. */
  | { readonly kind: 'compiling'; readonly pc: number }
  | { readonly kind: 'syscall'; readonly pc: number; readonly at: number }
  | { readonly kind: 'hypercall'; readonly pc: number }
  | {
      readonly kind: 'port-io';
      readonly pc: number;
      readonly port: number;
      readonly bytes: number;
      readonly write: boolean;
      readonly value: number;
    }
  | {
      readonly kind: 'memory-io';
      readonly pc: number;
      readonly address: number;
      readonly bytes: number;
      readonly write: boolean;
      readonly value: number;
    }
  | { readonly kind: 'privileged'; readonly pc: number }
  | { readonly kind: 'exception'; readonly pc: number; readonly number: number; readonly code: number }
  | {
      readonly kind: 'memory-fault';
      readonly pc: number;
      readonly address: number | undefined;
      readonly access: 'read' | 'write' | 'execute';
    }
  | { readonly kind: 'halt'; readonly pc: number }
  | { readonly kind: 'interrupt'; readonly pc: number }
  | { readonly kind: 'shutdown'; readonly pc: number }
  | { readonly kind: 'hooked'; readonly pc: number; readonly number: number }
  | { readonly kind: 'breakpoint'; readonly pc: number; readonly code: number }
  | { readonly kind: 'code-written'; readonly pc: number; readonly address: number; readonly bytes: number }
  | { readonly kind: 'illegal'; readonly pc: number };

const ACCESS = { [FaultAccess.Read]: 'read', [FaultAccess.Write]: 'write', [FaultAccess.Execute]: 'execute' } as const;

/** The typed form of what guest code left in the vCPU header. */
export function makeExit(kind: ExitKind, pc: number, arg0: number, arg1: number, arg2: number): Exit {
  switch (kind) {
    case ExitKind.Budget:
      return { kind: 'budget', pc };
    case ExitKind.Syscall:
      return { kind: 'syscall', pc, at: arg0 };
    case ExitKind.Illegal:
      return { kind: 'illegal', pc };
    case ExitKind.MemoryFault:
      if (arg1 & Fault.EXCEPTION) return { kind: 'exception', pc, number: arg0, code: arg2 };
      return { kind: 'memory-fault', pc, address: arg0, access: ACCESS[arg1 as FaultAccess] };
    case ExitKind.Exception:
      return { kind: 'exception', pc, number: arg0, code: arg1 };
    case ExitKind.Breakpoint:
      return { kind: 'breakpoint', pc, code: arg0 };
    case ExitKind.Halt:
      return { kind: 'halt', pc };
    case ExitKind.Interrupt:
      return { kind: 'interrupt', pc };
    case ExitKind.Shutdown:
      return { kind: 'shutdown', pc };
    case ExitKind.Hooked:
      return { kind: 'hooked', pc, number: arg0 };
    case ExitKind.PortIo:
      return { kind: 'port-io', pc, port: arg0, bytes: arg1 & 0xff, write: arg1 >>> 8 !== 0, value: arg2 };
    case ExitKind.MemoryIo:
      return { kind: 'memory-io', pc, address: arg0, bytes: arg1 & 0xff, write: arg1 >>> 8 !== 0, value: arg2 };
    case ExitKind.Privileged:
      return { kind: 'privileged', pc };
    case ExitKind.Hypercall:
      return { kind: 'hypercall', pc };
    case ExitKind.CodeWritten:
      return { kind: 'code-written', pc, address: arg0, bytes: arg1 };
    default:
      throw new Error(`guest code left with exit kind ${kind}, which is not one of Exit`);
  }
}
