/** What a public suite consists of, whichever it is. */

export type Arch = 'i386' | 'mips' | 'mipsel';

/** Where a case runs: on this machine’s processor, under qemu-user, and here. */
export type Where = 'processor' | 'qemu' | 'interpret' | 'translate';
export const PLACES: readonly Where[] = ['processor', 'qemu', 'interpret', 'translate'];

/** How a run of a program ended. */
export interface Outcome {
  /** latin1, so that every byte is kept. */
  readonly stdout: string;
  /** 128 + signal if it was killed. */
  readonly status: number;
  /** Set if it was ended because it took too long. */
  readonly timeout?: boolean;
}

/** What was checked and whether it held. Most programs are one check of their own name. */
export type Checks = ReadonlyMap<string, boolean>;

export interface Case {
  readonly name: string;
  /** Why it cannot be run here at all. */
  readonly skip?: string;
  /** What to compile; paths, absolute. Of a .def file, the C file that valgrind’s generator makes. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  /** What is taken out of the first source. */
  readonly without?: RegExp;
  /** Folder that the compiler runs in. */
  readonly folder: string;
  readonly args?: readonly string[];
  /** What came out, given what the processor printed if `needsProcessor`. */
  check(outcome: Outcome, processor: Outcome | undefined): Checks;
  /** The processor’s output is the reference: nothing can be said without it. */
  readonly needsProcessor?: boolean;
  /** It takes minutes; a run with a time limit leaves it out. */
  readonly slow?: boolean;
}

export interface Suite {
  readonly id: string;
  readonly title: string;
  readonly arch: Arch;
  /** Debian source package. */
  readonly package: string;
  /** Its cases; `root` is the unpacked source. */
  cases(root: string): readonly Case[];
}

/** Passed if the program ends with 0. */
export const exitsWithZero =
  (name: string) =>
  (outcome: Outcome): Checks =>
    new Map([[name, outcome.status === 0]]);

/** Glob patterns of what the suites need of the package. */
export const SOURCES: Readonly<Record<string, readonly string[]>> = {
  valgrind: ['*/none/tests/x86/*', '*/tests/*.h', '*/include/*.h', '*/VEX/pub/*.h'],
  'llvm-toolchain-14': ['*/llvm/test/MC/X86/*.s', '*/llvm/test/MC/Disassembler/Mips/*'],
  qemu: ['*/tests/tcg/i386/*', '*/tests/tcg/multiarch/*', '*/tests/tcg/mips/*'],
  'gcc-12': ['*/gcc/testsuite/gcc.c-torture/execute/*', '*/gcc/testsuite/gcc.target/i386/*', '*/gcc/testsuite/gcc.dg/*.[ch]'],
};
