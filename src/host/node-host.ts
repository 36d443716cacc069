import fs from 'node:fs';
import { defaultHost, type Host } from '../linux/host.ts';

/**
 * The default host with the size of this process, and with what needs none of Node's modules that load slowly: its clock, its
 * event loop, and the kernel's random numbers where it gives them as a file.
 */
export const nodeHost: Host = {
  ...defaultHost,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  monotonic: () => process.hrtime.bigint(),
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
