import { gccI386, torture } from './gcc.ts';
import { qemuI386, qemuMultiarch } from './qemu.ts';
import type { Arch, Suite } from './suite.ts';
import { valgrindInstructions, valgrindPrograms } from './valgrind.ts';

const ARCHES: readonly Arch[] = ['i386', 'mips', 'mipsel'];

/** All suites. A run with a time limit does them by turns, case by case. */
export const SUITES: readonly Suite[] = [
  valgrindInstructions,
  valgrindPrograms,
  qemuI386,
  ...ARCHES.map(qemuMultiarch),
  gccI386,
  ...ARCHES.map((arch) => torture(arch, '-O2')),
  ...ARCHES.map((arch) => torture(arch, '-O0')),
];
