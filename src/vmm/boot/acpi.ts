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

/** The tables in one piece, which may lie at any multiple of 64 below 4 GiB, and the root pointer, which is searched below 1 MiB. */
export interface AcpiTables {
  readonly tables: Uint8Array;
  readonly root: Uint8Array;
  /** Where in `tables`, and in `root`, an address of 32 bits is; it counts from the beginning of `tables` as yet. */
  readonly pointers: readonly number[];
  readonly rootPointer: number;
  /** Start and length of each table that has such an address; its sum is at Sum.Table. */
  readonly summed: readonly (readonly [start: number, length: number])[];
}
/** Offsets of the sums in a table and in the root pointer. */
export const enum Sum {
  Table = 9,
  Root = 8,
}
const HEADER = 36;

export function makeAcpiTables(): AcpiTables {
  const bytes = new Bytes();
  const put = (part: Uint8Array): number => {
    while (bytes.length % 64) bytes.u8(0);
    const at = bytes.length;
    bytes.bytes(part);
    return at;
  };
  const facs = put(new Bytes().text('FACS').u32(64).text('', 56).done());
  const dsdtAt = put(dsdt());
  const description = fadt(facs, dsdtAt);
  const fadtAt = put(description);
  const list = table('RSDT', 1, new Bytes().u32(fadtAt).done());
  const rsdtAt = put(list);
  return {
    tables: bytes.done(),
    root: new Bytes().text('RSD PTR ').u8(0).text('WASMVR').u8(0).u32(rsdtAt).done(),
    pointers: [fadtAt + HEADER, fadtAt + HEADER + 4, rsdtAt + HEADER],
    rootPointer: 16,
    summed: [
      [fadtAt, description.length],
      [rsdtAt, list.length],
    ],
  };
}

/** All of it as bytes that must lie at `at`, a multiple of 64 below 1 MiB. */
export function placeAcpiTables(at: number): Uint8Array {
  const { tables, root, pointers, rootPointer, summed } = makeAcpiTables();
  const start = 64;
  const all = new Uint8Array(start + tables.length);
  all.set(root);
  all.set(tables, start);
  const data = new DataView(all.buffer);
  for (const pointer of [rootPointer, ...pointers.map((offset) => start + offset)])
    data.setUint32(pointer, data.getUint32(pointer, true) + at + start, true);
  const sum = (where: number, first: number, length: number): void => {
    all[where] += checksum(all.subarray(first, first + length));
  };
  for (const [first, length] of summed) sum(start + first + Sum.Table, start + first, length);
  sum(Sum.Root, 0, root.length);
  return all;
}
