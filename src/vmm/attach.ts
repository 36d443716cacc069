import type { Stateful } from '../devices/device.ts';
import { makeBalloon } from '../devices/virtio/balloon.ts';
import { makeBlock } from '../devices/virtio/block.ts';
import { makeConsole } from '../devices/virtio/console.ts';
import { VirtioCore, type VirtioDevice } from '../devices/virtio/device.ts';
import { makeNet } from '../devices/virtio/net.ts';
import { makeP9 } from '../devices/virtio/p9.ts';
import { makeVirtioPci } from '../devices/virtio/pci.ts';
import { makeRng } from '../devices/virtio/rng.ts';
import { mipsErrno } from '../linux/errno.ts';
import type { Host } from '../linux/host.ts';
import type { Board, Wiring } from './board.ts';
import { BootError } from './boot/error.ts';
import { type MachineOptions, VIRTIO_CONSOLE } from './options.ts';

export interface Attached {
  readonly parts: readonly Stateful[];
  /** Resolves when no device has anything under way. */
  settled(): Promise<void>;
  consoleInput(bytes: Uint8Array): void;
  setBalloon(pages: number): void;
}

/** Puts virtio devices, and those of the embedder's own, into a machine. */
export function attachDevices(board: Board, wiring: Wiring, options: MachineOptions, host: Host, warn: (text: string) => void): Attached {
  const cores: VirtioCore[] = [];
  const parts: Stateful[] = [];
  const slots = [...board.slots];
  const names = new Set<string>();

  function plug(device: VirtioDevice): VirtioCore {
    const slot = slots.shift();
    if (slot === undefined) throw new BootError(`a ${options.machine} has ${board.slots.length} free PCI slots; there are more devices`);
    let { name } = device;
    for (let n = 1; names.has(name); n++) name = `${device.name}-${n}`;
    names.add(name);
    const core = new VirtioCore({ ...device, name }, wiring.memory, (level) => pci.interrupt(level), warn);
    const pci = makeVirtioPci(core);
    board.pci.add(slot, 0, pci);
    cores.push(core);
    return core;
  }

  plug(makeRng((bytes) => host.random(bytes)));
  (options.drives ?? []).forEach(({ disk, id }, index) => {
    if (disk.save && disk.restore)
      parts.push({ name: `disk-${index}`, save: () => disk.save!(), restore: (saved) => disk.restore!(saved) });
    plug(makeBlock({ disk, ...(id !== undefined && { id }) }));
  });
  for (const { tag, fileSystem } of options.shares ?? [])
    plug(makeP9({ tag, fileSystem, ...(options.machine === 'malta' && { errorNumber: mipsErrno }) }));
  (options.network ?? []).forEach(({ port, mac }, index) => {
    plug(makeNet({ port, mac: mac ?? Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56 + index) }));
  });
  const console = makeConsole(
    (bytes) => {
      for (const byte of bytes) wiring.transmit(VIRTIO_CONSOLE, byte);
    },
    () => consoleCore?.configChanged(),
  );
  const consoleCore = options.virtioConsole ? plug(console) : undefined;
  const balloon = makeBalloon(wiring.memory, () => balloonCore?.configChanged());
  const balloonCore = options.balloon ? plug(balloon) : undefined;

  for (const own of options.devices?.({ clock: wiring.clock, memory: wiring.memory, irq: (input) => board.irq(input) }) ?? []) {
    for (const range of own.ports ?? []) wiring.portBus.map(range);
    for (const range of own.memory ?? []) wiring.memoryBus.map(range);
    if (own.virtio) plug(own.virtio);
    if (own.state) parts.push(own.state);
  }

  return {
    parts: [...cores, ...parts],
    async settled() {
      for (const core of cores) await core.settled();
    },
    consoleInput: (bytes) => console.receive(bytes),
    setBalloon: (pages) => balloon.setTarget(pages),
  };
}
