import fs from 'node:fs';
import { defaultHost, type Host } from '../linux/host.ts';

/**
 * The default host with the size of this process, and with what needs none of Node's modules that load slowly: its clock, its
 * event loop, and the kernel's random numbers where it gives them as a file.
 */
export const nodeHost: Host = {
  ...defaultHost,
  now,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  monotonic: () => process.hrtime.bigint(),
  pause: (milliseconds) => void Atomics.wait(NOBODY, 0, 0, milliseconds),
  resident: () => process.memoryUsage.rss(),
  random(bytes) {
    let fd: number;
    try {
      fd = fs.openSync('/dev/urandom', 'r');
    } catch {
      defaultHost.random(bytes);
      return;
    }
    try {
      for (let at = 0; at < bytes.length; ) at += fs.readSync(fd, bytes, at, bytes.length - at, null);
    } finally {
      fs.closeSync(fd);
    }
  },
};

const NOBODY = new Int32Array(new SharedArrayBuffer(4));

let base = 0n;
const MILLISECOND = 1_000_000n;

/** Node's clock of whole milliseconds, and between its ticks the monotonic one. */
function now(): bigint {
  const ticked = BigInt(Date.now()) * MILLISECOND;
  const monotonic = process.hrtime.bigint();
  // the tick is less than a millisecond old, unless the clock was set
  if (base + monotonic < ticked) base = ticked - monotonic;
  else if (base + monotonic >= ticked + MILLISECOND) {
    // or unless time has gone by between the two
    const end = (BigInt(Date.now()) + 1n) * MILLISECOND;
    if (base + monotonic >= end) base = end - 1n - monotonic;
  }
  return base + monotonic;
}
