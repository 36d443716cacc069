// Console device (specification 1.1, 5.3), one port.
import { type VirtioDevice, VirtioType } from './device.ts';
import type { Queue } from './queue.ts';

const enum Index {
  Receive = 0,
  Transmit = 1,
}
const FEATURE_SIZE = 1;
const QUEUE = 64;

export interface VirtioConsole extends VirtioDevice {
  /** Bytes for the guest. */
  receive(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
}

export function makeConsole(transmit: (bytes: Uint8Array) => void, resized: () => void = () => {}): VirtioConsole {
  const config = new Uint8Array(12);
  const data = new DataView(config.buffer);
  data.setUint16(0, 80, true);
  data.setUint16(2, 25, true);
  data.setUint32(4, 1, true);
  let pending: Uint8Array[] = [];
  let receiver: Queue | undefined;

  function deliver(): void {
    while (receiver && pending.length > 0) {
      const queue = receiver;
      const chain = queue.pop();
      if (!chain) return;
      const first = pending[0];
      const count = queue.access(() => chain.write(first)) ?? 0;
      // a buffer without room takes nothing, and the driver's next one is tried
      if (count === first.length) pending.shift();
      else pending[0] = first.subarray(count);
      queue.push(chain, count);
    }
  }
  return {
    name: 'virtio-console',
    type: VirtioType.Console,
    classCode: 0x078000,
    features: FEATURE_SIZE,
    queues: [QUEUE, QUEUE],
    config: () => config,
    start(queues) {
      receiver = queues[Index.Receive];
      deliver();
    },
    reset() {
      receiver = undefined;
    },
    notify(index, queue) {
      if (index === Index.Receive) {
        deliver();
        return;
      }
      for (const chain of queue.chains()) {
        const bytes = queue.access(() => chain.read());
        if (bytes && bytes.length > 0) transmit(bytes);
        queue.push(chain, 0);
      }
    },
    receive(bytes) {
      if (bytes.length > 0) pending.push(bytes.slice());
      deliver();
    },
    resize(columns, rows) {
      data.setUint16(0, columns, true);
      data.setUint16(2, rows, true);
      resized();
    },
    save: () => pending.map((bytes) => bytes.slice()),
    restore(saved) {
      pending = (saved as Uint8Array[]).map((bytes) => bytes.slice());
    },
  };
}
