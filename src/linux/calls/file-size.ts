import { fail } from '../fs/fail.ts';
import type { Process } from '../process.ts';

/** No file is larger (ext4's with blocks of 4 KiB). */
const LARGEST = 2 ** 44;

function tooLarge(p: Process, isLimit: boolean): never {
  if (isLimit) p.signals.raiseHere('SIGXFSZ');
  return fail('EFBIG');
}

/** A file may not become as large as that: EFBIG, and SIGXFSZ if the limit is the process's own (setrlimit(2)). */
export function demandSize(p: Process, size: number): void {
  const { soft } = p.limits.fsize;
  if (size > LARGEST || size > soft) tooLarge(p, size > soft);
}

/** How many bytes can be written from a position on, of which `length` are to be. */
export function roomAt(p: Process, position: number, length: number): number {
  const { soft } = p.limits.fsize;
  const room = Math.min(LARGEST, soft) - position;
  return room > 0 || length === 0 ? Math.max(0, room) : tooLarge(p, position >= soft);
}
