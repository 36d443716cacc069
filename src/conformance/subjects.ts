import type { IsaName } from '../isas.ts';
import { mipsSubject } from './mips.ts';
import type { Subject } from './subject.ts';
import { x86Subject } from './x86.ts';

export const SUBJECTS: Readonly<Record<IsaName, Subject>> = { mips: mipsSubject, mipsel: mipsSubject, x86: x86Subject };
