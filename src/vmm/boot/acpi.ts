// The ACPI tables of the pc machine (ACPI 1.0b and 4.0, chapter 5): switching off, and where PCI interrupts go.
import { PcPlace, PIRQ_INTERRUPTS, pirqOfSlot } from '../machines/pc.ts';
import { busRange, device, eisaId, integer, interrupt, memoryRange, name, pack, portRange, ports, resources, scope } from './aml.ts';
import { Bytes } from './bytes.ts';

/** Sum of all bytes is 0 once this is in its place. */
const checksum = (bytes: Uint8Array): number => -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;

function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Bytes()
    .text(signature)
    .u32(36 + body.length)
    .u8(revision, 0)
    .text('WASMVR')
    .text('WASMVISR')
    .u32(1)
    .text('WASM')
    .u32(1)
    .bytes(body)
    .done();
  bytes[9] = checksum(bytes);
  return bytes;
}

function dsdt(): Uint8Array {
  const routes = Array.from({ length: 31 }, (_, slot) => slot + 1).flatMap((slot) =>
    [0, 1, 2, 3].map((pin) =>
      pack(integer(((slot << 16) | 0xffff) >>> 0), integer(pin), integer(0), integer(PIRQ_INTERRUPTS[(pirqOfSlot(slot) + pin) & 3])),
    ),
  );
  const bridge = device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name(
      '_CRS',
      resources(busRange(0, 0), ports(0xcf8, 8), portRange(0, 0xcf7), portRange(0xd00, 0xffff), memoryRange(PcPlace.PciMemory, 0xfebfffff)),
    ),
    name('_PRT', pack(...routes)),
    device('RTC_', name('_HID', eisaId('PNP0B00')), name('_CRS', resources(ports(0x70, 2), interrupt(8)))),
    device('KBD_', name('_HID', eisaId('PNP0303')), name('_CRS', resources(ports(0x60, 1), ports(0x64, 1), interrupt(1)))),
    device('COM1', name('_HID', eisaId('PNP0501')), name('_UID', integer(1)), name('_CRS', resources(ports(0x3f8, 8), interrupt(4)))),
    device('COM2', name('_HID', eisaId('PNP0501')), name('_UID', integer(2)), name('_CRS', resources(ports(0x2f8, 8), interrupt(3)))),
  );
  const sleep = name('\\_S5_', pack(integer(PcPlace.SoftOff), integer(PcPlace.SoftOff), integer(0), integer(0)));
  return table('DSDT', 1, new Bytes().bytes(scope('\\_SB_', bridge)).bytes(sleep).done());
}

const enum Flag {
  Wbinvd = 1,
  C1 = 4,
  /** No sleep button among the fixed features. */
  NoSleepButton = 0x20,
}
/** Longer than any state that a processor would be put into. */
const NO_STATE = 0xfff;

function fadt(facs: number, dsdtAt: number): Uint8Array {
  const pm = PcPlace.PmBase;
  const body = new Bytes()
    .u32(facs, dsdtAt)
    .u8(0, 0)
    .u16(PcPlace.SciInterrupt)
    // no SMI command: the machine is in ACPI mode already
    .u32(0)
    .u8(0, 0, 0, 0)
    .u32(pm, 0, pm + 4, 0, 0, pm + 8, 0, 0)
    .u8(4, 2, 0, 4, 0, 0, 0, 0)
    .u16(NO_STATE, NO_STATE, 0, 0)
    .u8(0, 0, 0, 0, 0x32)
    .u16(0)
    .u8(0)
    .u32(Flag.Wbinvd | Flag.C1 | Flag.NoSleepButton);
  return table('FACP', 1, body.done());
}

/** All tables, as bytes that must lie at `at` (a multiple of 64 below 1 MiB, where the root pointer is searched). */
export function acpiTables(at: number): Uint8Array {
  const bytes = new Bytes();
  const align = (): number => {
    while (bytes.length % 64) bytes.u8(0);
    return at + bytes.length;
  };
  // the root pointer comes first; it is made last
  bytes.text('', 64);
  const facs = align();
  bytes.text('FACS').u32(64).text('', 56);
  const dsdtAt = align();
  bytes.bytes(dsdt());
  const fadtAt = align();
  bytes.bytes(fadt(facs, dsdtAt));
  const rsdtAt = align();
  bytes.bytes(table('RSDT', 1, new Bytes().u32(fadtAt).done()));
  const all = bytes.done();
  const root = new Bytes().text('RSD PTR ').u8(0).text('WASMVR').u8(0).u32(rsdtAt).done();
  root[8] = checksum(root);
  all.set(root);
  return all;
}
