import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../../src/backend/runtime.ts';
import { concat } from '../../src/isa/bytes.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { BootError } from '../../src/vmm/boot/error.ts';
import { loadLinuxX86 } from '../../src/vmm/boot/linux-x86.ts';
import { unpackKernel } from '../../src/vmm/boot/unpack.ts';
import { unxz } from '../../src/vmm/boot/xz.ts';
import { systemModule } from '../support/runtime.ts';
import { bzImage, elf, kernelMemory, RAM } from './images.ts';

const runtime = createRuntime(systemModule(), new GuestMemory(Layout.FLOOR + RAM, 'little'));
/** A copy: its place is used again. */
const unpacked = async (file: Uint8Array, limit: number): Promise<Uint8Array | undefined> => (await unxz(file, limit, runtime))?.slice();

const hasXz = spawnSync('xz', ['--version']).status === 0;
const xz = (bytes: Uint8Array, ...options: string[]): Uint8Array =>
  new Uint8Array(spawnSync('xz', ['-c', ...options], { input: bytes, maxBuffer: 1 << 26 }).stdout);
/** As Linux packs its kernel: the size of what was packed comes after it. */
const kernelXz = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.of(...xz(bytes, '--check=crc32', '--x86', '--lzma2=dict=1MiB'), ...new Uint8Array(Uint32Array.of(bytes.length).buffer));

/** Bytes among which CALL, JMP and operands of theirs that end in 00 or FF are frequent, also within each other. */
function branches(size: number, seed: number): Uint8Array {
  const usual = [0xe8, 0xe9, 0x00, 0xff];
  let state = seed;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 30 === 0 ? state >>> 16 : usual[(state >>> 20) & 3];
  });
}

const kernel = (code: Uint8Array): Uint8Array => elf(3, true, 0x1000000, code);
/** A bzImage whose payload lies 16 bytes into its protected-mode code. */
function packed(payload: Uint8Array): Uint8Array {
  const image = bzImage(Uint8Array.of(...new Uint8Array(16), ...payload));
  const header = new DataView(image.buffer);
  header.setUint32(0x248, 16, true);
  header.setUint32(0x24c, payload.length, true);
  return image;
}
/** A copy with one byte changed. */
const damaged = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 0x55 : byte));

describe.skipIf(!hasXz)('xz', () => {
  test.each([1, 2, 3, 4])('x86 filter, %#', async (seed) => {
    const plain = branches(3000 + seed * 1021, seed);
    expect(await unpacked(kernelXz(plain), plain.length)).toEqual(plain);
  });

  test.each(['lc=0,lp=4,pb=4', 'lc=4,lp=0,pb=0', 'lc=1,lp=2,pb=1,dict=4KiB', 'preset=0', 'nice=273'])('LZMA2 with %s', async (options) => {
    const noise = Uint8Array.from({ length: 70_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 13);
    const plain = concat([branches(20_000, 8), noise, branches(20_000, 8), new Uint8Array(3000), noise.subarray(500)]);
    const whole = await unpacked(xz(plain, '--check=crc32', `--lzma2=${options}`), plain.length);
    expect(whole && Buffer.compare(whole, plain)).toBe(0);
  });

  test('several blocks, no filter, sizes in the headers, no check', async () => {
    const plain = branches(20_000, 9);
    for (const options of [['--block-size=8192', '-T2', '--check=crc32'], ['--check=none']])
      expect(await unpacked(xz(plain, ...options), plain.length)).toEqual(plain);
    expect(await unpacked(xz(new Uint8Array(0), '--check=crc32'), 0)).toHaveLength(0);
  });

  test('what is not known is left alone, what is damaged or too large is refused', async () => {
    const plain = branches(5000, 10);
    expect(await unpacked(xz(plain, '--check=sha256'), plain.length)).toBeUndefined();
    expect(await unpacked(xz(plain, '--check=crc32', '--arm', '--lzma2'), plain.length)).toBeUndefined();
    await expect(unpacked(kernelXz(plain), plain.length - 1)).rejects.toThrow(RangeError);
    const whole = kernelXz(plain);
    for (let at = 6; at < whole.length - 4; at += 37) await expect(unpacked(damaged(whole, at), 1 << 20)).rejects.toThrow();
    for (let size = 0; size < whole.length - 4; size += 41) await expect(unpacked(whole.subarray(0, size), 1 << 20)).rejects.toThrow();
  });
});

describe('unpacking a bzImage', () => {
  const plain = kernel(Uint8Array.of(0xf4, 0x90));

  test('gzip, and what is started then', async () => {
    const image = packed(gzipSync(plain));
    const vmlinux = await unpackKernel(image, RAM, runtime);
    expect(vmlinux).toEqual(plain);
    const memory = kernelMemory();
    const { pc } = loadLinuxX86(memory, { kernel: image, unpacked: vmlinux, commandLine: '', ram: RAM });
    expect([pc, memory.u16(pc)]).toEqual([0x1000000, 0x90f4]);
  });

  test.skipIf(!hasXz)('xz', async () => expect(await unpackKernel(packed(kernelXz(plain)), RAM, runtime)).toEqual(plain));

  test('other formats, and kernels that do not say where it lies, unpack themselves', async () => {
    expect(await unpackKernel(packed(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)), RAM, runtime)).toBeUndefined();
    expect(await unpackKernel(packed(gzipSync(Uint8Array.of(1, 2, 3))), RAM, runtime)).toBeUndefined();
    expect(await unpackKernel(bzImage(gzipSync(plain), 0x207), RAM, runtime)).toBeUndefined();
  });

  test('damage is told', async () => {
    const gzip = gzipSync(plain);
    for (const payload of [damaged(gzip, gzip.length - 6), gzip.subarray(0, 40), gzipSync(new Uint8Array(2000))])
      await expect(unpackKernel(packed(payload), 1000, runtime)).rejects.toThrow(BootError);
  });
});
