import { KvmCall, KvmError, KvmMsr, Pvclock, PvclockWall } from '../../assembly/shared/kvm.ts';
import { type Clock, type Memory, PhysicalMemoryFault } from '../devices/device.ts';

/** The para-virtual interface that unmodified guests know: model-specific registers, and hypercalls with numbers of its own. */
export interface Paravirtual {
  /** See SystemImports.msrWritten. */
  msrWritten(register: number, value: number, tscOffset: bigint): void;
  hypercall(number: number): number;
}

/** KVM's, see assembly/shared/kvm.ts. The registers' values are the processor's; what the guest asks for is written to its memory once. */
export function makeKvm(clock: Clock, memory: Memory): Paravirtual {
  /** Fills a structure that begins with its version. An address that is no memory is ignored, as by KVM. */
  function publish(address: number, size: number, fill: (view: DataView) => void): void {
    try {
      const bytes = new Uint8Array(size);
      const view = new DataView(bytes.buffer);
      const version = (memory.u32(address) & ~1) + 2;
      fill(view);
      view.setUint32(0, version, true);
      memory.write(address, bytes);
    } catch (error) {
      if (!(error instanceof PhysicalMemoryFault)) throw error;
    }
  }

  return {
    msrWritten(register, value, tscOffset) {
      if (register === KvmMsr.WALL_CLOCK_NEW)
        publish(value, PvclockWall.SIZE, (view) => {
          const start = BigInt(Math.round((clock.date() - clock.now() / 1e6) * 1000)) * 1000n;
          view.setUint32(PvclockWall.SECONDS, Number(start / 1_000_000_000n), true);
          view.setUint32(PvclockWall.NANOSECONDS, Number(start % 1_000_000_000n), true);
        });
      else if (value & KvmMsr.ENABLE)
        publish(value - KvmMsr.ENABLE, Pvclock.SIZE, (view) => {
          const now = BigInt(Math.floor(clock.now()));
          view.setBigUint64(Pvclock.TSC_TIMESTAMP, now + tscOffset, true);
          view.setBigUint64(Pvclock.SYSTEM_TIME, now, true);
          view.setUint32(Pvclock.TSC_TO_SYSTEM_MUL, Pvclock.MUL, true);
          view.setInt8(Pvclock.TSC_SHIFT, Pvclock.SHIFT);
          view.setUint8(Pvclock.FLAGS, Pvclock.TSC_STABLE);
        });
    },
    hypercall: (number) => (number === KvmCall.VAPIC_POLL_IRQ ? 0 : KvmError.UNKNOWN),
  };
}
