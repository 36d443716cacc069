// Memory balloon (specification 1.1, 5.5): pages that the guest gives are zeroed, so that snapshots and the host need not keep them.
import type { Memory } from '../device.ts';
import { type VirtioDevice, VirtioType } from './device.ts';

const QUEUE = 128;
const PAGE = 4096;
/** Page numbers in one request that are looked at; Linux sends 256. */
const MOST_PAGES = 4096;

export interface Balloon extends VirtioDevice {
  /** Pages that the guest should give. */
  setTarget(pages: number): void;
  /** Pages that it says it has given. */
  readonly actual: number;
}

export function makeBalloon(memory: Memory, resized: () => void): Balloon {
  const config = new Uint8Array(8);
  const data = new DataView(config.buffer);
  const zero = new Uint8Array(PAGE);
  return {
    name: 'virtio-balloon',
    type: VirtioType.Balloon,
    classCode: 0x00ff00,
    features: 0,
    queues: [QUEUE, QUEUE],
    config: () => config,
    writeConfig(offset, value) {
      // num_pages is the host's
      if (offset >= 4 && offset < 8) config[offset] = value;
    },
    notify(index, queue) {
      for (const chain of queue.chains()) {
        queue.access(() => {
          const bytes = chain.read(0, MOST_PAGES * 4);
          if (index !== 0) return;
          const numbers = new DataView(bytes.buffer);
          for (let at = 0; at + 4 <= bytes.length; at += 4) memory.write(numbers.getUint32(at, true) * PAGE, zero);
        });
        queue.push(chain, 0);
      }
    },
    setTarget(pages) {
      data.setUint32(0, pages, true);
      resized();
    },
    get actual() {
      return data.getUint32(4, true);
    },
    save: () => config.slice(),
    restore(saved) {
      config.set((saved as Uint8Array).subarray(0, config.length));
    },
  };
}
