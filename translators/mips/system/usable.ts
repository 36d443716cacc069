import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { ExcCode } from '../exception-code.ts';
import type { Site } from '../row.ts';
import { Mode } from '../state.ts';

/** What ExitKind.Exception carries for Coprocessor Unusable: Cause.CE above the code. */
export const unusable = (unit: number): number => ExcCode.CpU | (unit << 8);

/** Kernel mode, or Status.CU0. Else ends the block with Coprocessor Unusable. */
export function usesCoprocessor0(b: Builder, site: Site): boolean {
  if (!(site.mode & Mode.USER) || site.mode & Mode.CU0) return true;
  b.exit(ExitKind.Exception, site.pc, unusable(0));
  return false;
}

/** An instruction of coprocessor 1 in code that was lifted without it. */
export function unusableFloat(b: Builder, site: Site, restart: number): void {
  if (site.mode & Mode.USER) {
    b.exit(ExitKind.Exception, site.pc, unusable(1));
    return;
  }
  // kernel code is lifted anew for the FPU as it is
  b.exitIf(b.helper('mips_kernel_float', b.i32(restart)), ExitKind.Exception, unusable(1));
  b.exit(ExitKind.Resume, site.pc);
}
