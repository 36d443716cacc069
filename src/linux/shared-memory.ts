import { PAGE_SIZE } from '../isa/code.ts';
import { PagePermission } from '../vcpu/guest-memory.ts';
import { Futexes } from './futexes.ts';
import type { MappableFile, MemoryBudget, MemoryMap } from './memory-map.ts';
import type { Process } from './process.ts';

/**
 * Memory that processes have in common (MAP_SHARED without a file). Each has it in its own memory. What one of them has stored there is
 * fetched when another has its turn, and each then takes over the pages that have been written since it had its last one. The budget is charged
 * for all of it, and for the pages that a process has taken over. Undefined if that is too much.
 */
export function sharedMemory(size: number, budget: MemoryBudget): MappableFile | undefined {
  if (!budget.charge(size)) return undefined;
  let bytes: Uint8Array | undefined;
  let users = 1;
  /** Whose memory is as it should be. */
  let holder: MemoryMap | undefined;
  let turn = 0;
  /** In which turn each page was written last; 0: never. */
  let written = new Uint32Array(0);
  /** How many ever were. */
  let pages = 0;
  /** As of which turn an address space knows all, and what it is charged for. */
  const known = new Map<MemoryMap, { readonly turn: number; readonly charged: number }>();

  const self: MappableFile = {
    name: '/dev/zero (deleted)',
    futexes: new Futexes(),
    size: () => size,
    read(into, position) {
      const count = Math.min(into.length, size - position);
      if (bytes && count > 0) into.set(bytes.subarray(position, position + count));
      return count;
    },
    write: (from) => from.length,
    retain(from, to) {
      users++;
      holder ??= from;
      settle();
      note(to);
    },
    release(map) {
      if (map) {
        if (holder === map) holder = undefined;
        budget.charge(-(known.get(map)?.charged ?? 0));
        known.delete(map);
      }
      if (--users === 0) budget.charge(-size);
    },
    // what one that is gone has left counts, too
    isCommon: () => users > 1 || bytes !== undefined,
    common: {
      take(map) {
        if (holder === map) return true;
        settle();
        holder = undefined;
        if (!take(map)) return false;
        holder = map;
        return true;
      },
      settle(map) {
        if (users === 1) holder ??= map;
        if (holder === map) settle();
      },
    },
  };

  /** This address space knows all. False if what it then has is too much. */
  function note(map: MemoryMap, isForced = true): boolean {
    const charged = pages * PAGE_SIZE;
    if (!budget.charge(charged - (known.get(map)?.charged ?? 0), isForced)) return false;
    known.set(map, { turn, charged });
    return true;
  }

  function mark(from: number, to: number): void {
    for (let page = from / PAGE_SIZE; page < to / PAGE_SIZE; page++) {
      if (written[page] === 0) pages++;
      written[page] = turn;
    }
  }

  /** What the holder has stored is fetched. */
  function settle(): void {
    if (!holder) return;
    bytes ??= new Uint8Array(size);
    if (written.length === 0) written = new Uint32Array(size / PAGE_SIZE);
    turn++;
    for (const { area, memory } of holder.showing(self)) {
      if (!(area.permission & PagePermission.Write)) continue;
      const { offset } = area.backing!;
      const end = Math.min(memory.length, size - offset);
      let done = 0;
      for (const range of [...holder.filled(area), [end, end]]) {
        // a tracer can store beyond the end
        const [first, last] = range.map((at) => Math.min(at, end));
        for (; done < first; done += PAGE_SIZE) {
          if (written[(offset + done) / PAGE_SIZE] === 0) continue;
          bytes.fill(0, offset + done, offset + done + PAGE_SIZE);
          mark(offset + done, offset + done + PAGE_SIZE);
        }
        bytes.set(memory.subarray(first, last), offset + first);
        mark(offset + first, offset + last);
        done = last;
      }
    }
    note(holder);
  }

  /** An address space gets what was written since it knew all. False if that is too much. */
  function take(map: MemoryMap): boolean {
    const since = known.get(map)?.turn ?? 0;
    if (!note(map, false)) return false;
    if (!bytes) return true;
    for (const { area, memory } of map.showing(self)) {
      const { offset } = area.backing!;
      for (let at = 0; at < Math.min(memory.length, size - offset); at += PAGE_SIZE) {
        if (written[(offset + at) / PAGE_SIZE] <= since) continue;
        memory.set(bytes.subarray(offset + at, offset + at + PAGE_SIZE), at);
        if (area.permission & PagePermission.Execute) map.options.invalidate(area.start + at, PAGE_SIZE);
      }
    }
    return true;
  }
  return self;
}

/** Another process's turn. False if there is not the memory for what it would find. */
export function changeMemory(from: MemoryMap, to: MemoryMap): boolean {
  if (from === to) return true;
  from.leave();
  return to.enter();
}

/** Does something on behalf of a process that may not have its turn now. */
export function inMemoryOf<T>(p: Process, act: () => T): T {
  const { current } = p.system.scheduler;
  const { map } = current;
  if (map === p.map || !p.map.hasCommon) return act();
  if (!changeMemory(map, p.map)) p.signals.raise('SIGKILL');
  try {
    return act();
  } finally {
    if (!changeMemory(p.map, map)) current.signals.raise('SIGKILL');
  }
}
