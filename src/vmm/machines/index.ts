import type { IsaName } from '../../isas.ts';
import type { Board, Wiring } from '../board.ts';
import { isElf, parseKernelElf } from '../boot/elf.ts';
import { BootError } from '../boot/error.ts';
import { loadLinuxMips } from '../boot/linux-mips.ts';
import { type Entry, isBzImage, type KernelOptions, loadLinuxX86 } from '../boot/linux-x86.ts';
import { loadMultiboot, multibootHeader } from '../boot/multiboot.ts';
import type { PhysicalMemory } from '../physical-memory.ts';
import { makeMalta } from './malta.ts';
import { makePc, PcPlace } from './pc.ts';

export type MachineName = 'pc' | 'malta';

export interface MachineDefinition {
  readonly title: string;
  /** Most bytes of RAM. */
  readonly most: number;
  /** Which processor it has; a Malta board's byte order is its kernel's. */
  isaFor(kernel: Uint8Array | undefined): IsaName;
  make(wiring: Wiring): Board;
  /** Loads a kernel. */
  load(memory: PhysicalMemory, options: KernelOptions): Entry;
}

function loadPc(memory: PhysicalMemory, options: KernelOptions): Entry {
  const { kernel } = options;
  if (isBzImage(kernel)) return loadLinuxX86(memory, options);
  if (multibootHeader(kernel) !== undefined) return loadMultiboot(memory, options);
  const what = isElf(kernel)
    ? `an ELF file for ${parseKernelElf(kernel).machine} without a multiboot header`
    : 'neither a bzImage nor a multiboot kernel';
  throw new BootError(`the kernel is ${what}, which a pc cannot boot`);
}

export const MACHINES: Readonly<Record<MachineName, MachineDefinition>> = {
  pc: {
    title: 'PC with a 440FX, without graphics',
    most: PcPlace.TopOfRam - 0x20000000,
    isaFor: () => 'x86',
    make: makePc,
    load: loadPc,
  },
  malta: {
    title: 'MIPS Malta board with a GT-64120',
    most: 0x10000000,
    isaFor: (kernel) => (kernel && isElf(kernel) && parseKernelElf(kernel).machine === 'mips' ? 'mips' : 'mipsel'),
    make: makeMalta,
    load: loadLinuxMips,
  },
};
