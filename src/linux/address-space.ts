/** Exclusive upper bounds of what a program may have (TASK_SIZE in Linux's arch/x86 and arch/mips). */
export const I386_TOP = 0xc0000000;
export const MIPS_TOP = 0x7fff8000;

/** The upper bound of a memory that has all below `top`. */
export const memoryTop = (top: number): number => Math.ceil(top / 65536) * 65536;
