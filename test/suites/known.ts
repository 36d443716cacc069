/** Failures of ours that are left, each with its cause. A run that finds any other one fails. */

const THREADS = 'needs threads: clone is refused (one process with one thread)';

/** By suite (or its beginning) and check. */
const KNOWN: readonly { readonly suite: string; readonly checks: readonly string[]; readonly cause: string }[] = [
  { suite: 'qemu-multiarch', checks: ['testthread', 'threadcount', 'munmap-pthread', 'signals'], cause: THREADS },
];

export function causeOf(suite: string, check: string): string | undefined {
  return KNOWN.find((k) => suite.startsWith(k.suite) && k.checks.includes(check))?.cause;
}
