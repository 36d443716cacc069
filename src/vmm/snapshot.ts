import { Layout } from '../../assembly/shared/layout.ts';
import type { Saved, Stateful } from '../devices/device.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { checkState, type Isa } from '../isa/isa.ts';
import { type SavedFields, SnapshotError, type SnapshotKind, snapshotBody, snapshotFile } from '../snapshot/file.ts';
import type { MachineClock } from './clock.ts';

const KIND: SnapshotKind = { magic: 'WASMVSNP', version: 6, of: 'a machine' };

/** What is saved of the processor: registers and the header words that belong to the guest. */
const RANGES: readonly (readonly [name: string, start: number, length: number])[] = [
  ['state', Layout.STATE, Layout.STATE_SIZE],
  ['system', Layout.SYSTEM_STATE, Layout.SYSTEM_STATE_SIZE],
];
const WORDS = [Layout.PC, Layout.MODE, Layout.ATTENTION, Layout.NEXT_PC];

/** What a snapshot is of; a machine that takes it must be the same. */
export interface Identity {
  readonly machine: string;
  readonly isa: string;
  readonly ram: number;
}

export interface SnapshotParts {
  readonly identity: Identity;
  readonly isa: Isa;
  /** The whole WebAssembly memory. */
  readonly bytes: Uint8Array;
  readonly ramIndex: number;
  readonly clock: MachineClock;
  readonly parts: readonly Stateful[];
  readonly loop: { halted: boolean; virtualSlice: number };
  /** After everything is in its place: translations and TLB are forgotten. */
  readonly restored: () => void;
}

/** Pages that are not all zero: pairs of first page and number, and their bytes. */
function packRam(ram: Uint8Array): { runs: Uint8Array; data: Uint8Array } {
  const words = new Uint32Array(ram.buffer, ram.byteOffset, ram.length / 4);
  const used = (page: number): boolean => {
    const end = ((page + 1) * PAGE_SIZE) / 4;
    for (let i = (page * PAGE_SIZE) / 4; i < end; i++) if (words[i] !== 0) return true;
    return false;
  };
  const runs: number[] = [];
  let total = 0;
  for (let page = 0, pages = ram.length / PAGE_SIZE; page < pages; page++) {
    if (!used(page)) continue;
    const { length } = runs;
    if (length > 0 && runs[length - 2] + runs[length - 1] === page) runs[length - 1]++;
    else runs.push(page, 1);
    total++;
  }
  const data = new Uint8Array(total * PAGE_SIZE);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const size = runs[i + 1] * PAGE_SIZE;
    data.set(ram.subarray(runs[i] * PAGE_SIZE, runs[i] * PAGE_SIZE + size), at);
    at += size;
  }
  return { runs: new Uint8Array(Uint32Array.from(runs).buffer), data };
}

function unpackRam(ram: Uint8Array, runs: Uint8Array, data: Uint8Array): void {
  const view = new DataView(runs.buffer, runs.byteOffset, runs.byteLength);
  ram.fill(0);
  let at = 0;
  for (let i = 0; i + 8 <= runs.length; i += 8) {
    const start = view.getUint32(i, true) * PAGE_SIZE;
    const size = view.getUint32(i + 4, true) * PAGE_SIZE;
    if (start + size > ram.length || at + size > data.length) throw new RangeError('pages beyond the memory');
    ram.set(data.subarray(at, at + size), start);
    at += size;
  }
}

export async function makeSnapshot(s: SnapshotParts): Promise<Uint8Array<ArrayBuffer>> {
  const data = new DataView(s.bytes.buffer, s.bytes.byteOffset);
  const names = new Set<string>();
  const devices: Record<string, Saved> = {};
  for (const part of s.parts) {
    if (names.has(part.name)) throw new Error(`two parts of the machine are called ${part.name}`);
    names.add(part.name);
    devices[part.name] = part.save?.() ?? null;
  }
  return snapshotFile(KIND, {
    identity: { ...s.identity },
    cpu: Object.fromEntries(RANGES.map(([name, start, length]) => [name, s.bytes.slice(start, start + length)])),
    words: WORDS.map((at) => data.getUint32(at, true)),
    halted: s.loop.halted,
    virtualSlice: s.loop.virtualSlice,
    now: s.clock.now(),
    date: s.clock.date(),
    devices,
    ram: packRam(s.bytes.subarray(s.ramIndex, s.ramIndex + s.identity.ram)),
  });
}

/** A snapshot that was read and found whole. */
export interface OpenSnapshot {
  readonly identity: Identity;
  readonly body: SavedFields;
}

/** Reads a snapshot. Throws SnapshotError. */
export async function openSnapshot(given: Uint8Array): Promise<OpenSnapshot> {
  const body = await snapshotBody(KIND, given);
  const { machine, isa, ram } = (body.identity ?? {}) as unknown as Partial<Identity>;
  if (
    typeof machine !== 'string' ||
    typeof isa !== 'string' ||
    typeof ram !== 'number' ||
    typeof body.devices !== 'object' ||
    !body.devices
  )
    throw new SnapshotError('the snapshot is of no machine');
  return { identity: { machine, isa, ram }, body };
}

/** Puts a machine into the state of a snapshot. Throws SnapshotError; the machine must then not go on. */
export function applySnapshot({ identity, body }: OpenSnapshot, s: SnapshotParts): void {
  const { machine, isa, ram } = s.identity;
  if (identity.machine !== machine || identity.isa !== isa || identity.ram !== ram)
    throw new SnapshotError(
      `the snapshot is of a ${identity.machine} (${identity.isa}) with ${identity.ram >>> 20} MiB, this machine is a ${machine} with ${ram >>> 20} MiB`,
    );
  const devices = body.devices as Record<string, Saved>;
  const mine = new Set(s.parts.map(({ name }) => name));
  const missing = [...mine].filter((name) => !(name in devices));
  const extra = Object.keys(devices).filter((name) => !mine.has(name));
  if (missing.length > 0 || extra.length > 0)
    throw new SnapshotError(
      `the machine has not the devices of the snapshot:${extra.length ? ` without ${extra.join(', ')}` : ''}${missing.length ? ` with ${missing.join(', ')}` : ''}`,
    );
  try {
    const cpu = body.cpu as Record<string, Uint8Array>;
    for (const [name, start, length] of RANGES) {
      if (cpu[name].length !== length) throw new RangeError(name);
      s.bytes.set(cpu[name], start);
    }
    const data = new DataView(s.bytes.buffer, s.bytes.byteOffset);
    for (const [index, at] of WORDS.entries()) data.setUint32(at, (body.words as number[])[index], true);
    const state = new DataView(s.bytes.buffer, s.bytes.byteOffset + Layout.STATE, Layout.STATE_SIZE);
    checkState(s.isa, state);
    const { modeBit, timer } = s.isa.system!;
    if (!(data.getUint32(Layout.MODE, true) & modeBit)) throw new RangeError('a mode that is none of a machine');
    if (![body.virtualSlice, body.now, body.date].every(Number.isFinite) || timer?.isPossible(state) === false)
      throw new RangeError('times that are none');
    s.loop.halted = body.halted as boolean;
    s.loop.virtualSlice = body.virtualSlice as number;
    s.clock.set(body.now as number, body.date as number);
    const memory = body.ram as { runs: Uint8Array; data: Uint8Array };
    unpackRam(s.bytes.subarray(s.ramIndex, s.ramIndex + ram), memory.runs, memory.data);
    for (const part of s.parts) if (part.restore && devices[part.name] !== null) part.restore(devices[part.name]);
    s.restored();
  } catch (error) {
    throw new SnapshotError(`the snapshot does not fit this machine: ${(error as Error).message}`);
  }
}
