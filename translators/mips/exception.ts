import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Builder } from '../../src/ir/builder.ts';
import type { Site } from './row.ts';

/** Reserved Instruction exception. */
export function reserved(b: Builder, site: Site): void {
  b.exit(ExitKind.Illegal, site.pc);
}

/** An instruction of kernel mode. In user mode it raises Coprocessor Unusable. */
export function privileged(b: Builder, site: Site): void {
  b.exit(ExitKind.Privileged, site.pc);
}
