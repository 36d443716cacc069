/** Failures of ours that are left, each with its cause. A run that finds any other one fails. */

/** By suite (or its beginning) and check. */
const KNOWN: readonly { readonly suite: string; readonly checks: readonly string[]; readonly cause: string }[] = [
  {
    suite: 'gcc-target-i386',
    checks: ['pr81128', 'mvc11'],
    cause: 'calls the C library before its start-up code; fails on the processor, too',
  },
  { suite: 'valgrind-programs', checks: ['smc1'], cause: 'jumps to data that is not executable, on the processor, too' },
];

export function causeOf(suite: string, check: string): string | undefined {
  return KNOWN.find((k) => suite.startsWith(k.suite) && k.checks.includes(check))?.cause;
}
