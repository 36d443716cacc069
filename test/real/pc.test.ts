import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryDisk } from '../../src/devices/virtio/block.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import type { MachineEnd } from '../../src/vmm/options.ts';
import { makeCpio } from '../support/cpio.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, out } from '../vmm/kernel.ts';
import { grub } from './grub.ts';
import { seabios } from './seabios.ts';

const runtime = systemModule();
const bios = seabios();
const boot = grub();
for (const what of [bios, boot]) if ('missing' in what) console.warn(what.missing);

/** A machine with SeaBIOS: what it prints up to its end, or up to `last`. Keys are typed as soon as their prompt is there. */
async function run(
  image: string,
  disk: Uint8Array | undefined,
  { last, type = [] }: { last?: string; type?: readonly (readonly [prompt: string, keys: string])[] },
): Promise<{ text: string; end: MachineEnd | undefined }> {
  const firmware = readFileSync(join((bios as { folder: string }).folder, image));
  const machine = await createMachine({
    machine: 'pc',
    runtime,
    firmware,
    memory: 32 << 20,
    drives: disk ? [{ disk: memoryDisk(disk) }] : [],
  });
  let text = '';
  const waiting = [...type];
  machine.on('console', (bytes) => {
    text += Buffer.from(bytes).toString('latin1');
    if (last !== undefined && text.includes(last)) machine.stop();
    while (waiting.length > 0 && text.includes(waiting[0][0])) machine.input(new TextEncoder().encode(waiting.shift()![1]));
  });
  const timer = setTimeout(() => machine.stop(), 280_000);
  const end = await machine.run();
  clearTimeout(timer);
  return { text, end };
}

/** Prints a text by interrupt 0x10, then the key that interrupt 0x16 gives; at the next one it leaves by port 0xf4. */
function bootSector(text: string): Uint8Array {
  // xor ax,ax; mov ds,ax; mov si,text; next: lodsb; or al,al; jz key; mov ah,0xe; int 0x10; jmp next
  const print = [0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x2a, 0x7c, 0xac, 0x08, 0xc0, 0x74, 0x06, 0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf5];
  // key: xor ah,ah; int 0x16; mov ah,0xe; int 0x10; xor ah,ah; int 0x16; mov al,5; out 0xf4,al; jmp $
  const key = [0x30, 0xe4, 0xcd, 0x16, 0xb4, 0x0e, 0xcd, 0x10, 0x30, 0xe4, 0xcd, 0x16, 0xb0, 0x05, 0xe6, 0xf4, 0xeb, 0xfe];
  const sector = new Uint8Array(512);
  sector.set([...print, ...key]);
  sector.set(new TextEncoder().encode(`${text}\0`), 0x2a);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

describe.skipIf('missing' in bios)('pc with SeaBIOS', () => {
  // the larger image would use SMM if the chip set did not say that it has been set up
  test.each(['bios.bin', 'bios-256k.bin'])('%s: from the reset address to its attempt to boot', async (image) => {
    const { text } = await run(image, undefined, { last: 'No bootable device' });
    expect(text).toMatch(/SeaBIOS \(version /);
    expect(text).toContain('No bootable device');
  }, 300_000);

  test('a boot sector prints and asks for a key: both go over the serial port', async () => {
    // one cylinder at least
    const disk = new Uint8Array(1 << 20);
    disk.set(bootSector('which key? '));
    const { text, end } = await run('bios-256k.bin', disk, {
      type: [
        ['which key? ', 'k'],
        ['which key? k', ' '],
      ],
    });
    expect(text).toContain('which key? k');
    expect(end).toEqual({ reason: 'power-off', code: 11 });
  }, 300_000);

  test.skipIf('missing' in boot)(
    'GRUB starts a kernel that it is told to',
    async () => {
      const { folder, mkimage } = boot as { folder: string; mkimage(args: readonly string[]): void };
      const work = mkdtempSync(join(tmpdir(), 'wasmvisor-grub-'));
      try {
        const files = [
          { name: 'kernel', mode: 0o100644, content: kernel(...out(0x3f8, 0x21), ...out(0xf4, 6)) },
          { name: 'grub.cfg', mode: 0o100644, content: 'multiboot /kernel\nboot\n' },
        ];
        writeFileSync(join(work, 'memdisk'), makeCpio(files));
        const core = join(work, 'core');
        mkimage(['-o', core, '-m', join(work, 'memdisk'), '-p', '(memdisk)/', ...'biosdisk memdisk newc normal multiboot boot'.split(' ')]);
        const disk = new Uint8Array(1 << 20);
        disk.set(readFileSync(join(folder, 'boot.img')).subarray(0, 440));
        disk.set([0x55, 0xaa], 510);
        disk.set(readFileSync(core), 512);
        const { text, end } = await run('bios-256k.bin', disk, {});
        expect(text).toContain('GRUB loading');
        expect(text.at(-1)).toBe('!');
        expect(end).toEqual({ reason: 'power-off', code: 13 });
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    },
    300_000,
  );
});
