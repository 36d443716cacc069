import type { Runtime } from '../../backend/runtime.ts';
import { TooLarge, through } from '../../snapshot/compression.ts';
import { isElf } from './elf.ts';
import { BootError } from './error.ts';
import { bzImagePayload } from './linux-x86.ts';

const starts = (bytes: Uint8Array, ...magic: readonly number[]): boolean => magic.every((byte, i) => bytes[i] === byte);

/**
 * The vmlinux in a bzImage, of at most `limit` bytes; undefined if it is not packed in a way that is known here, and must unpack itself. It may
 * lie where the runtime will have µops: see `unxz`. Throws BootError if it is damaged or larger.
 */
export async function unpackKernel(kernel: Uint8Array, limit: number, runtime: Runtime): Promise<Uint8Array | undefined> {
  const payload = bzImagePayload(kernel);
  if (!payload) return undefined;
  try {
    const plain = await unpack(payload, limit, runtime);
    return plain && isElf(plain) ? plain : undefined;
  } catch (error) {
    if (error instanceof TooLarge) throw new BootError(`the kernel unpacks to more than ${limit} bytes; give the machine more memory`);
    throw new BootError(`the packed kernel in the bzImage is damaged: ${(error as Error).message}`);
  }
}

async function unpack(payload: Uint8Array, limit: number, runtime: Runtime): Promise<Uint8Array | undefined> {
  if (starts(payload, 0x1f, 0x8b)) return through(payload.slice(), new DecompressionStream('gzip'), limit);
  if (starts(payload, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return (await import('./xz.ts')).unxz(payload, limit, runtime);
  return undefined;
}
