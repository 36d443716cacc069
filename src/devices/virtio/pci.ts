// virtio over PCI (specification 1.1, 4.1): modern devices, with one memory BAR and INTA#.
import type { Device } from '../device.ts';
import { PciFunction } from '../pci.ts';
import type { VirtioCore } from './device.ts';

/** Offsets in BAR 0. */
const enum Area {
  Common = 0,
  Isr = 0x1000,
  Config = 0x2000,
  Notify = 0x3000,
  End = 0x4000,
}
const enum CapabilityType {
  Common = 1,
  Notify = 2,
  Isr = 3,
  Config = 4,
  PciAccess = 5,
}
const NO_VECTOR = 0xffff;
/** Bytes between the notification addresses of two queues. */
const NOTIFY_STEP = 4;

function capability(type: CapabilityType, offset: number, length: number, extra: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(16 + extra.length);
  const data = new DataView(bytes.buffer);
  bytes[0] = 9;
  bytes[2] = bytes.length;
  bytes[3] = type;
  data.setUint32(8, offset, true);
  data.setUint32(12, length, true);
  bytes.set(extra, 16);
  return bytes;
}

/** 64-bit queue addresses, by offset of their lower half. */
const ADDRESSES = { 32: 'descriptors', 40: 'available', 48: 'used' } as const;

/** Registers of struct virtio_pci_common_cfg. */
function makeCommon(core: VirtioCore): Pick<Device, 'read' | 'write'> {
  let deviceSelect = 0;
  let driverSelect = 0;
  let selected = 0;
  const queue = () => core.queues[selected]?.state;
  const word = (offset: number): number => {
    const q = queue();
    switch (offset) {
      case 0:
        return deviceSelect;
      case 4:
        return core.features(deviceSelect);
      case 8:
        return driverSelect;
      case 12:
        return core.driverFeatures[driverSelect] ?? 0;
      case 16:
        return NO_VECTOR | (core.queues.length << 16);
      case 20:
        return core.status | (core.generation << 8) | (selected << 16);
      case 24:
        return (q?.size ?? 0) | (NO_VECTOR << 16);
      case 28:
        return Number(q?.enabled ?? false) | (selected << 16);
      case 32:
      case 40:
      case 48:
        return q ? q[ADDRESSES[offset]] % 2 ** 32 : 0;
      case 36:
      case 44:
      case 52:
        return q ? Math.floor(q[ADDRESSES[(offset - 4) as 32]] / 2 ** 32) : 0;
      default:
        return 0;
    }
  };

  function writeQueue(offset: number, bytes: number, value: number): void {
    const q = queue();
    if (!q || q.enabled) return;
    if (offset === 24) {
      const size = value & 0xffff;
      if (size > 0 && size <= core.queues[selected].maximum && (size & (size - 1)) === 0) q.size = size;
    } else if (offset === 28) {
      if (value & 1) q.enabled = true;
    } else if (offset >= 32 && offset < 56 && bytes === 4) {
      const name = ADDRESSES[(offset & ~7) as 32];
      const low = q[name] % 2 ** 32;
      const high = Math.floor(q[name] / 2 ** 32);
      q[name] = offset & 4 ? low + value * 2 ** 32 : value + high * 2 ** 32;
    }
  }

  return {
    read: (offset, bytes) => (word(offset & ~3) >>> (8 * (offset & 3))) & (2 ** (8 * bytes) - 1),
    write(offset, bytes, value) {
      switch (offset) {
        case 0:
          deviceSelect = value;
          break;
        case 8:
          driverSelect = value;
          break;
        case 12:
          if (driverSelect < core.driverFeatures.length) core.driverFeatures[driverSelect] = value;
          break;
        case 20:
          core.writeStatus(value & 0xff);
          break;
        case 22:
          selected = value & 0xffff;
          break;
        default:
          writeQueue(offset, bytes, value);
      }
    },
  };
}

/** A device on the PCI bus. */
export function makeVirtioPci(core: VirtioCore): PciFunction {
  const { device } = core;
  const common = makeCommon(core);
  const bar: Device = {
    name: device.name,
    widest: 4,
    read(offset, bytes) {
      if (offset < Area.Isr) return common.read(offset, bytes);
      if (offset < Area.Config) return offset === Area.Isr ? core.readIsr() : 0;
      return offset < Area.Notify ? core.readConfig(offset - Area.Config, bytes) : 0;
    },
    write(offset, bytes, value) {
      if (offset < Area.Isr) common.write(offset, bytes, value);
      else if (offset >= Area.Notify) core.notify(value & 0xffff);
      else if (offset >= Area.Config) core.writeConfig(offset - Area.Config, bytes, value);
    },
  };
  const window = 0x40;
  /** The capability by which BAR 0 can be reached through configuration space: where it is, and what it says. */
  let access = 0;
  const pci: PciFunction = new PciFunction({
    name: `${device.name}-pci`,
    vendor: 0x1af4,
    device: 0x1040 + device.type,
    revision: 1,
    classCode: device.classCode,
    subsystem: { vendor: 0x1af4, device: 0x1100 },
    interrupt: true,
    bars: [{ index: 0, kind: 'memory', size: Area.End, device: bar }],
    capabilities: [
      capability(CapabilityType.Common, Area.Common, 56),
      capability(CapabilityType.Notify, Area.Notify, Area.End - Area.Notify, [NOTIFY_STEP, 0, 0, 0]),
      capability(CapabilityType.Isr, Area.Isr, 1),
      capability(CapabilityType.Config, Area.Config, Area.Notify - Area.Config),
      capability(CapabilityType.PciAccess, 0, 0, [0, 0, 0, 0]),
    ],
    readOwn(at, bytes) {
      if (at < access + 16 || at >= access + 20) return undefined;
      const [offset, length] = [pci.get32(access + 8), pci.get32(access + 12)];
      return valid(offset, length) && length === bytes ? bar.read(offset, bytes) : 0;
    },
    written(at, bytes) {
      if (at !== access + 16) return;
      const [offset, length] = [pci.get32(access + 8), pci.get32(access + 12)];
      if (valid(offset, length) && length === bytes) bar.write(offset, bytes, pci.get32(at) & (2 ** (8 * bytes) - 1));
    },
  });
  const valid = (offset: number, length: number): boolean =>
    pci.bytes[access + 4] === 0 && (length === 1 || length === 2 || length === 4) && offset % length === 0 && offset + length <= Area.End;
  for (let at = window; at; at = pci.bytes[at + 1]) if (pci.bytes[at + 3] === CapabilityType.PciAccess) access = at;
  pci.setMask(access + 4, 1, 0xff);
  pci.setMask(access + 8, 4, 0xffffffff);
  pci.setMask(access + 12, 4, 0xffffffff);
  pci.setMask(access + 16, 4, 0xffffffff);
  return pci;
}
