// Files of the firmware configuration device from which SeaBIOS takes ACPI tables: the commands of etc/table-loader (romfile_loader.h of SeaBIOS).
import { makeAcpiTables, Sum } from './acpi.ts';
import { Bytes } from './bytes.ts';

const enum Command {
  Allocate = 1,
  AddPointer = 2,
  AddChecksum = 3,
}
const enum Zone {
  High = 1,
  /** 0xf0000 … 0xfffff. */
  Bios = 2,
}
const LENGTH = 128;
const NAME = 56;
const TABLES = 'etc/acpi/tables';
const ROOT = 'etc/acpi/rsdp';

export function acpiFiles(): Readonly<Record<string, Uint8Array>> {
  const { tables, root, pointers, rootPointer, summed } = makeAcpiTables();
  const commands = new Bytes();
  const command = (what: Command, put: (bytes: Bytes) => void): void => {
    const start = commands.length;
    put(commands.u32(what));
    commands.text('', LENGTH - (commands.length - start));
  };
  const allocate = (file: string, zone: Zone): void => command(Command.Allocate, (c) => c.text(file, NAME).u32(64).u8(zone));
  const point = (file: string, at: number): void => command(Command.AddPointer, (c) => c.text(file, NAME).text(TABLES, NAME).u32(at).u8(4));
  const sum = (file: string, at: number, start: number, length: number): void =>
    command(Command.AddChecksum, (c) => c.text(file, NAME).u32(at, start, length));

  allocate(TABLES, Zone.High);
  allocate(ROOT, Zone.Bios);
  for (const pointer of pointers) point(TABLES, pointer);
  point(ROOT, rootPointer);
  for (const [start, length] of summed) sum(TABLES, start + Sum.Table, start, length);
  sum(ROOT, Sum.Root, 0, root.length);
  return { [TABLES]: tables, [ROOT]: root, 'etc/table-loader': commands.done() };
}
