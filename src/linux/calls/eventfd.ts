import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type OpenFile, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process } from '../process.ts';
import type { Syscall } from '../syscall.ts';
import { installAnonymous } from './anonymous.ts';

const EFD_SEMAPHORE = 1;
const BYTES = 8;
/** The counter stays below this. */
const LIMIT = 0xffff_ffff_ffff_ffffn;

/** eventfd(2): a counter that is read and written as eight bytes in the guest's order. */
function eventfd(p: Process, initial: number, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) return -Errno.EINVAL;
  const little = p.abi.isa.endian === 'little';
  const queue = new WaitQueue();
  let counter = BigInt(initial);
  const view = (bytes: Uint8Array): DataView =>
    bytes.length < BYTES ? fail('EINVAL') : new DataView(bytes.buffer, bytes.byteOffset, BYTES);
  const file: Omit<OpenFile, 'inode' | 'seekable'> = {
    read(into) {
      const words = view(into);
      if (counter === 0n) return WOULD_BLOCK;
      const taken = flags & EFD_SEMAPHORE ? 1n : counter;
      words.setBigUint64(0, taken, little);
      counter -= taken;
      queue.wake(Poll.Out);
      return BYTES;
    },
    write(from) {
      const added = view(from).getBigUint64(0, little);
      if (added === LIMIT) fail('EINVAL');
      if (counter + added >= LIMIT) return WOULD_BLOCK;
      counter += added;
      queue.wake(Poll.In | Poll.ReadNormal);
      return BYTES;
    },
    poll: () => (counter > 0n ? Poll.In | Poll.ReadNormal : 0) | (counter < LIMIT - 1n ? Poll.Out : 0),
    subscribe: queue.subscribe,
  };
  return installAnonymous(p, '[eventfd]', file, flags);
}

export const eventCalls = {
  eventfd: (p, a) => eventfd(p, a[0], 0),
  eventfd2: (p, a) => eventfd(p, a[0], a[1]),
} satisfies Record<string, Syscall>;
