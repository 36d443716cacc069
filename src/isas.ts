import { mips, mipsel } from '../translators/mips/index.ts';
import { x86 } from '../translators/x86/index.ts';
import type { Isa } from './isa/isa.ts';

/** The guest instruction sets, by name. The only place in src/ that knows the translators. */
export const ISAS: Readonly<Record<IsaName, Isa>> = { mips, mipsel, x86 };

export type IsaName = 'mips' | 'mipsel' | 'x86';
