// Boots a kernel in v86 with its serial port on standard input and output: node bench/v86.mjs <kernel> <initrd> <append> <bios> <vgabios>
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { V86 } from 'v86';

const [kernel, initrd, cmdline, bios, vga] = process.argv.slice(2);
const image = (path) => ({ buffer: new Uint8Array(readFileSync(path)).buffer });
const emulator = new V86({
  wasm_path: join(dirname(fileURLToPath(import.meta.resolve('v86'))), 'v86.wasm'),
  memory_size: 128 << 20,
  vga_memory_size: 2 << 20,
  bios: image(bios),
  vga_bios: image(vga),
  bzimage: image(kernel),
  initrd: image(initrd),
  cmdline,
  autostart: true,
});
emulator.add_listener('serial0-output-byte', (byte) => process.stdout.write(Uint8Array.of(byte)));
process.stdin.on('data', (bytes) => emulator.serial_send_bytes(0, bytes));
