import { Mode } from '../../../translators/mips/state.ts';
import { ElfError, type ElfFile } from '../elf.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';

/** What a floating-point ABI runs with (mode_req in arch/mips/kernel/elf.c). */
interface Requirement {
  /** Only single precision. */
  readonly single: boolean;
  /** No FPU instructions. */
  readonly soft: boolean;
  /** Status.FR = 1. */
  readonly fr1: boolean;
  /** Whatever the processor prefers, and Status.FR = 0 among it. */
  readonly default: boolean;
  /** Config5.FRE, which this processor does not have. */
  readonly fre: boolean;
}

const requirement = (single: boolean, soft: boolean, fr1: boolean, byDefault: boolean, fre: boolean): Requirement => ({
  single,
  soft,
  fr1,
  default: byDefault,
  fre,
});

/** Val_GNU_MIPS_ABI_FP_… by number, and its name. */
const ABIS: readonly (readonly [name: string, Requirement])[] = [
  ['any', requirement(true, true, true, true, true)],
  ['double', requirement(false, false, false, true, true)],
  ['single', requirement(true, false, false, false, false)],
  ['soft', requirement(false, true, false, false, false)],
  ['old 64', requirement(false, false, false, false, false)],
  ['xx', requirement(false, false, true, true, true)],
  ['64', requirement(false, false, true, false, false)],
  ['64A', requirement(false, false, true, false, true)],
];
const UNKNOWN = requirement(true, true, false, true, true);

/** The mode that a program starts in, as arch_check_elf decides it for a processor with FIR.F64 and release 2. Throws ElfError. */
export function startMode(program: ElfFile, interpreter: ElfFile | undefined): number {
  const files = interpreter ? [program, interpreter] : [program];
  const abis = files.map(({ mips }) => mips?.fpAbi);
  const needs = abis.map((abi) => {
    if (abi === undefined) return UNKNOWN;
    if (abi >= ABIS.length) throw new ElfError(`MIPS floating-point ABI ${abi}, which is not known`);
    return ABIS[abi][1];
  });
  const all = (what: keyof Requirement): boolean => needs.every((need) => need[what]);
  const nan2008 = program.mips?.nan2008 ?? false;
  if (interpreter && (interpreter.mips?.nan2008 ?? false) !== nan2008)
    throw new ElfError(`the program has ${nan2008 ? '2008' : 'legacy'} NaNs, its interpreter has not`);
  const names = abis.map((abi) => (abi === undefined ? 'unknown' : ABIS[abi][0])).join(' and ');
  const fr1 = all('fr1');
  if (all('fre') && !all('default') && !fr1) throw new ElfError(`MIPS floating-point ABI ${names}: needs Config5.FRE`);
  if (!all('fre') && !all('default') && !fr1 && !all('single') && !all('soft'))
    throw new ElfError(`MIPS floating-point ABI ${names}: no mode of the FPU runs it`);
  const wide = fr1 || (all('single') && !all('default'));
  return (wide ? Mode.FR : 0) | (nan2008 ? Mode.NAN2008 : 0);
}

/** PR_SET_FP_MODE and PR_GET_FP_MODE: bit 0 is Status.FR, bit 1 Config5.FRE. */
const PR_SET_FP_MODE = 45;
const PR_GET_FP_MODE = 46;
const PR_FP_MODE_FR = 1;

/** The prctl calls that only MIPS has, or undefined. */
export function fpModeCall(p: Process, option: number, argument: number): number | undefined {
  const mode = p.vcpu.mode;
  if (option === PR_GET_FP_MODE) return mode & Mode.FR ? PR_FP_MODE_FR : 0;
  if (option !== PR_SET_FP_MODE) return undefined;
  if (argument & ~PR_FP_MODE_FR) return -Errno.EOPNOTSUPP;
  p.vcpu.mode = argument & PR_FP_MODE_FR ? mode | Mode.FR : mode & ~Mode.FR;
  return 0;
}
