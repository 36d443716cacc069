import { type PciBus, PciCommand, PciRegister } from '../../devices/pci.ts';

export interface PciWindows {
  /** First port and first address that may be given out. */
  readonly ports: number;
  readonly memory: number;
  /** What the firmware writes to the Interrupt Line register. */
  readonly interrupt: (slot: number) => number;
}

/** Places all base address registers, and enables the functions that have some, as firmware does. */
export function assignPci(bus: PciBus, windows: PciWindows): void {
  let { ports, memory } = windows;
  for (const { slot, pci } of bus.functions) {
    const bars = pci.options.bars ?? [];
    for (const { index, kind, size } of bars) {
      if (kind === 'io') {
        ports = Math.ceil(ports / size) * size;
        pci.write(PciRegister.Bar0 + 4 * index, 4, ports);
        ports += size;
      } else {
        // pages of their own, so that drivers may map them apart
        const step = Math.max(size, 4096);
        memory = Math.ceil(memory / step) * step;
        pci.write(PciRegister.Bar0 + 4 * index, 4, memory);
        memory += step;
      }
    }
    if (bars.length > 0) pci.write(PciRegister.Command, 2, PciCommand.Io | PciCommand.Memory | PciCommand.Master);
    if (pci.options.interrupt) pci.write(PciRegister.InterruptLine, 1, windows.interrupt(slot));
  }
}
