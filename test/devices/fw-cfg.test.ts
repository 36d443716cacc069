import { expect, test } from 'vitest';
import { makeFwCfg } from '../../src/devices/fw-cfg.ts';
import { makeAcpiTables, placeAcpiTables } from '../../src/vmm/boot/acpi.ts';
import { acpiFiles } from '../../src/vmm/boot/table-loader.ts';

/** What a firmware sees of the device. */
function open(files: Readonly<Record<string, Uint8Array>>) {
  const device = makeFwCfg(files);
  const item = (key: number, length: number): Uint8Array => {
    device.write(0, 2, key);
    return Uint8Array.from({ length }, () => device.read(1, 1));
  };
  const directory = new Map<string, Uint8Array>();
  const count = new DataView(item(0x19, 4).buffer).getUint32(0);
  const entries = item(0x19, 4 + 64 * count);
  for (let i = 0; i < count; i++) {
    const entry = new DataView(entries.buffer, 4 + 64 * i, 64);
    const name = String.fromCharCode(...entries.subarray(12 + 64 * i, 68 + 64 * i)).replace(/\0+$/, '');
    directory.set(name, item(entry.getUint16(4), entry.getUint32(0)));
    entries.set(item(0x19, 4 + 64 * count));
  }
  return { device, item, directory };
}

test('signature, features and files, which end in zeros', () => {
  const { item, directory, device } = open({ 'etc/b': Uint8Array.of(1, 2, 3), 'etc/a': Uint8Array.of() });
  expect(String.fromCharCode(...item(0, 4))).toBe('QEMU');
  expect([...item(1, 4)]).toEqual([1, 0, 0, 0]);
  expect([...directory]).toEqual([
    ['etc/a', Uint8Array.of()],
    ['etc/b', Uint8Array.of(1, 2, 3)],
  ]);
  expect([...item(0x21, 5)]).toEqual([1, 2, 3, 0, 0]);
  expect([...item(0x8001, 2)]).toEqual([0, 0]);
  device.write(0, 2, 0x21);
  device.read(1, 1);
  const saved = device.save!();
  device.reset!();
  device.restore!(saved);
  expect(device.read(1, 1)).toBe(2);
});

test('the commands of etc/table-loader put ACPI tables anywhere', () => {
  const { directory } = open(acpiFiles());
  const loader = directory.get('etc/table-loader')!;
  const at: Record<string, number> = {};
  const name = (start: number): string => String.fromCharCode(...loader.subarray(start, start + 56)).replace(/\0+$/, '');
  expect(loader.length % 128).toBe(0);
  for (let start = 0; start < loader.length; start += 128) {
    const words = new DataView(loader.buffer, loader.byteOffset + start, 128);
    const file = directory.get(name(start + 4))!;
    switch (words.getUint32(0, true)) {
      case 1:
        expect(words.getUint32(60, true)).toBe(64);
        // as in placeAcpiTables: the root pointer first
        at[name(start + 4)] = words.getUint8(64) === 2 ? 0xf0000 : 0xf0040;
        break;
      case 2: {
        const data = new DataView(file.buffer, file.byteOffset);
        const where = words.getUint32(116, true);
        expect(words.getUint8(120)).toBe(4);
        data.setUint32(where, data.getUint32(where, true) + at[name(start + 60)], true);
        break;
      }
      case 3: {
        const [where, first, length] = [60, 64, 68].map((offset) => words.getUint32(offset, true));
        file[where] -= file.subarray(first, first + length).reduce((sum, byte) => sum + byte, 0);
        break;
      }
      default:
        expect.unreachable();
    }
  }
  const placed = placeAcpiTables(0xf0000);
  expect(directory.get('etc/acpi/rsdp')).toEqual(placed.subarray(0, makeAcpiTables().root.length));
  expect(directory.get('etc/acpi/tables')).toEqual(placed.subarray(64));
});
