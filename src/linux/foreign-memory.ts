import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { Process } from './process.ts';
import { inMemoryOf } from './shared-memory.ts';

/** What one process reads of another's memory, up to the first page that it may not: by default whatever is mapped. Gives how many bytes. */
export function readForeign(of: Process, address: number, into: Uint8Array, need: number = PagePermission.Used): number {
  const count = of.memory.accessible(address, into.length, need);
  const index = GuestMemory.index(address);
  if (count > 0) inMemoryOf(of, () => into.set(of.memory.bytes.subarray(index, index + count)));
  return count;
}

/** The same of what it writes there. */
export function writeForeign(of: Process, address: number, from: Uint8Array, need: number = PagePermission.Used): number {
  const count = of.memory.accessible(address, from.length, need);
  if (count === 0) return 0;
  inMemoryOf(of, () => of.memory.poke(address, from.subarray(0, count)));
  if (of.memory.hasCode(address, count)) of.vcpu.invalidate(address, count);
  return count;
}
