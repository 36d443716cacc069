// Network device (specification 1.1, 5.1), without offloads; and the hub that guests are connected by.
import { type VirtioDevice, VirtioType } from './device.ts';
import type { Queue } from './queue.ts';

const enum Index {
  Receive = 0,
  Transmit = 1,
}
const FEATURE_MAC = 1 << 5;
const FEATURE_STATUS = 1 << 16;
const LINK_UP = 1;
const QUEUE = 256;
/** struct virtio_net_hdr with num_buffers. */
const HEADER = 12;
/** Frames that wait for the guest's buffers. */
const MOST_WAITING = 256;
const SHORTEST = 14;
const LONGEST = 65536;

/** One end of a cable. */
export interface NetPort {
  /** A frame goes out. */
  send(frame: Uint8Array): void;
  /** Who takes frames that come in. */
  onFrame: (frame: Uint8Array) => void;
}

export interface NetOptions {
  readonly mac: Uint8Array;
  readonly port: NetPort;
}

export function makeNet({ mac, port }: NetOptions): VirtioDevice {
  const config = new Uint8Array(12);
  config.set(mac.subarray(0, 6));
  config[6] = LINK_UP;
  let receiver: Queue | undefined;
  let waiting: Uint8Array[] = [];

  function deliver(): void {
    while (receiver && waiting.length > 0) {
      const queue = receiver;
      const chain = queue.pop();
      if (!chain) return;
      const frame = waiting.shift()!;
      const header = new Uint8Array(HEADER);
      header[10] = 1;
      // what does not fit is lost, as on a wire
      const written =
        queue.access(() => (chain.writeLength < HEADER + frame.length ? 0 : chain.write(header) + chain.write(frame, HEADER))) ?? 0;
      queue.push(chain, written);
    }
  }
  port.onFrame = (frame) => {
    if (!receiver || waiting.length >= MOST_WAITING) return;
    waiting.push(frame);
    deliver();
  };
  return {
    name: 'virtio-net',
    type: VirtioType.Net,
    classCode: 0x020000,
    features: FEATURE_MAC | FEATURE_STATUS,
    queues: [QUEUE, QUEUE],
    config: () => config,
    start(queues) {
      receiver = queues[Index.Receive];
      deliver();
    },
    reset() {
      receiver = undefined;
      waiting = [];
    },
    notify(index, queue) {
      if (index === Index.Receive) {
        deliver();
        return;
      }
      for (const chain of queue.chains()) {
        const frame = queue.access(() => chain.read(HEADER, LONGEST));
        queue.push(chain, 0);
        if (frame && frame.length >= SHORTEST) port.send(frame);
      }
    },
  };
}

/** An Ethernet switch between guests: frames go where their destination was seen, else everywhere. */
export class Hub {
  private readonly ports = new Set<NetPort>();
  private readonly seen = new Map<string, NetPort>();

  connect(): NetPort & { disconnect(): void } {
    const port = {
      send: (frame: Uint8Array) => this.forward(port, frame),
      onFrame: (_frame: Uint8Array) => {},
      disconnect: () => {
        this.ports.delete(port);
        for (const [address, owner] of this.seen) if (owner === port) this.seen.delete(address);
      },
    };
    this.ports.add(port);
    return port;
  }

  private forward(from: NetPort, frame: Uint8Array): void {
    const destination = frame.subarray(0, 6).join();
    if (!(frame[6] & 1)) {
      // a guest that makes up addresses must not fill the host's memory
      if (this.seen.size >= MOST_ADDRESSES) this.seen.clear();
      this.seen.set(frame.subarray(6, 12).join(), from);
    }
    const known = frame[0] & 1 ? undefined : this.seen.get(destination);
    const targets = known ? [known] : [...this.ports];
    // each in a turn of its own, so that two guests cannot call each other without end
    for (const target of targets) if (target !== from) queueMicrotask(() => target.onFrame(frame.slice()));
  }
}

const MOST_ADDRESSES = 1024;
