// Entropy device (specification 1.1, 5.4).
import { type VirtioDevice, VirtioType } from './device.ts';

const QUEUE = 64;
/** Bytes for one request; the driver asks again for more. */
const MOST = 65536;

export function makeRng(random: (bytes: Uint8Array<ArrayBuffer>) => void): VirtioDevice {
  return {
    name: 'virtio-rng',
    type: VirtioType.Rng,
    classCode: 0x00ff00,
    features: 0,
    queues: [QUEUE],
    notify(_index, queue) {
      for (const chain of queue.chains()) {
        const bytes = new Uint8Array(Math.min(chain.writeLength, MOST));
        random(bytes);
        queue.push(chain, queue.access(() => chain.write(bytes)) ?? 0);
      }
    },
  };
}
