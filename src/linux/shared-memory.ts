import { Futexes } from './futexes.ts';
import type { MappableFile, MemoryMap } from './memory-map.ts';
import type { Process } from './process.ts';

/**
 * Memory that processes have in common (MAP_SHARED without a file). Each has it in its own memory; since one process runs at a
 * time, it is enough that what one leaves behind is what the next one finds.
 */
export function sharedMemory(size: number): MappableFile {
  let bytes: Uint8Array | undefined;
  let users = 1;
  return {
    name: '/dev/zero (deleted)',
    futexes: new Futexes(),
    size: () => size,
    read(into, position) {
      const count = Math.min(into.length, size - position);
      if (bytes) into.set(bytes.subarray(position, position + count));
      return count;
    },
    write(from, position) {
      if (users > 1) {
        bytes ??= new Uint8Array(size);
        bytes.set(from, position);
      }
      return from.length;
    },
    retain: () => void users++,
    release: () => void users--,
    // what one that is gone has left counts, too
    isCommon: () => users > 1 || bytes !== undefined,
  };
}

/** Another process's turn. */
export function changeMemory(from: MemoryMap, to: MemoryMap): void {
  if (from === to) return;
  from.leave();
  to.enter();
}

/** Does something on behalf of a process that may not have its turn now. */
export function inMemoryOf<T>(p: Process, act: () => T): T {
  const { map } = p.system.scheduler.current;
  if (map === p.map || !p.map.hasCommon) return act();
  changeMemory(map, p.map);
  try {
    return act();
  } finally {
    changeMemory(p.map, map);
  }
}
