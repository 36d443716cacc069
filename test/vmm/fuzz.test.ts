import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { fuzz } from '../support/fuzz.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, mipsKernel } from './kernel.ts';

const SYSTEM = systemModule();
const TURN_MS = 15;

const byte = fc.nat(255);
/** Registers' bits, tables, RAM, its end, devices. */
const value = fc.oneof(
  fc.constantFrom(0, 1, 0x10, 0x33, 0x1000, 0x200060, 0x200800, 0x3ffffc, 0x400000, 0x80000011, 0xfee00000, 0xfffffff0),
  fc.constantFrom(0x80000180, 0x80100000, 0x9fc00000, 0xbfc00000, 0xbfd003f8, 0xb8000000, 0xbbe00000, 0xc0000000),
  fc.integer({ min: 0, max: 0xffffffff }),
);

// x86: a GDT and an IDT that work, and after what loads them whatever comes

const GDT = 0x200800;
const IDT = 0x200900;
const HANDLER = 0x200400;
const DESCRIPTORS = [
  [0, 0],
  [0xffff, 0xcf9a00],
  [0xffff, 0xcf9200],
  [0x0a000067, 0x8920],
  [0x80400, 0x20ec00],
  [0xffff, 0xcffa00],
  [0xffff, 0xcff200],
  [0x0800003f, 0x8220],
];
const START = [
  ...[0xbc, ...little(0x300000)],
  ...[0x0f, 0x01, 0x15, ...little(0x2007e0), 0x0f, 0x01, 0x1d, ...little(0x2007e8)],
  ...[0xea, ...little(0x20007a), 8, 0],
  ...[0x66, 0xb8, 0x10, 0, 0x8e, 0xd0, 0x8e, 0xd8, 0x8e, 0xc0],
];
const PORTS = [0x20, 0x21, 0x40, 0x43, 0x60, 0x64, 0x70, 0x71, 0x92, 0x3f8, 0x3f9, 0xcf8, 0xcfc, 0x510, 0x600, 0x604];
const x86 = fc.oneof(
  fc.tuple(fc.nat(7), value).map(([register, v]) => [0xb8 + register, ...little(v)]),
  // MOV to and from control, debug; SLDT … VERW, SGDT … INVLPG of memory and registers
  fc.tuple(fc.constantFrom(0x20, 0x21, 0x22, 0x23), byte).map(([opcode, modrm]) => [0x0f, opcode, modrm]),
  fc.tuple(fc.nat(1), byte).map(([opcode, modrm]) => [0x0f, opcode, modrm | 0xc0]),
  fc.tuple(fc.nat(1), fc.nat(7), value).map(([opcode, digit, at]) => [0x0f, opcode, (digit << 3) | 5, ...little(at)]),
  fc.constantFrom(0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x06, 0x08, 0x09, 0xa2).map((opcode) => [0x0f, opcode]),
  fc
    .tuple(fc.constantFrom(0x10, 0x1b, 0x174, 0x176, 0x4b564d00, 0x4b564d01, 0x4b564d04), fc.constantFrom(0x30, 0x32))
    .map(([msr, opcode]) => {
      return [0xb9, ...little(msr), 0x0f, opcode];
    }),
  fc.constantFrom(0x9c, 0x9d, 0xcf, 0xcb, 0xcc, 0xf1, 0xce, 0xf4, 0xfa, 0xfb, 0x06, 0x07, 0x16, 0x17, 0x1e, 0x1f).map((opcode) => [opcode]),
  byte.map((vector) => [0xcd, vector]),
  fc.tuple(fc.nat(5), fc.nat(7)).map(([segment, register]) => [0x8e, 0xc0 | (segment << 3) | register]),
  fc.tuple(fc.constantFrom(...PORTS), fc.nat(3)).map(([port, form]) => [0x66, 0xba, port & 255, port >>> 8, 0xec + form]),
  fc.tuple(fc.constantFrom(0x90, 0xf3, 0xf2), fc.constantFrom(0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xa6, 0xaa, 0xab, 0xad, 0xae)),
  fc.tuple(fc.nat(0x500), value).map(([offset, v]) => [0xc7, 0x05, ...little(GDT + (offset & ~3)), ...little(v)]),
  fc
    .tuple(fc.constantFrom(0x9a, 0xea), fc.nat(0x300), fc.nat(63))
    .map(([opcode, to, selector]) => [opcode, ...little(0x200060 + to), selector, 0]),
  fc.tuple(fc.integer({ min: 0x70, max: 0x7f }), byte).map(([opcode, to]) => [opcode, to]),
  fc.array(byte, { minLength: 1, maxLength: 6 }),
);
function pc(parts: readonly (readonly number[])[]): Uint8Array {
  const image = new Uint8Array(0x1000);
  const data = new DataView(image.buffer);
  image.set(kernel());
  image.set([...START, ...parts.flat()].slice(0, 0x700), 0x60);
  image.set([0x3f, 0, ...little(GDT), 0, 0, 0xff, 2, ...little(IDT)], 0x7e0);
  DESCRIPTORS.flat().forEach((word, i) => {
    data.setUint32(0x800 + 4 * i, word, true);
  });
  for (let vector = 0; vector < 96; vector++) {
    data.setUint32(0x900 + 8 * vector, (HANDLER & 0xffff) | 0x80000, true);
    data.setUint32(0x904 + 8 * vector, (HANDLER & 0xffff0000) | (vector & 1 ? 0xef00 : 0x8e00), true);
  }
  return image;
}

const register = fc.integer({ min: 8, max: 15 });
const mips = fc.oneof(
  fc.tuple(register, value).map(([r, v]) => [0x3c000000 | (r << 16) | (v >>> 16), 0x34000000 | (r << 21) | (r << 16) | (v & 0xffff)]),
  fc.tuple(fc.constantFrom(0, 4), register, fc.nat(31), fc.nat(7)).map(([move, r, c0, select]) => {
    return [0x40000000 | (move << 21) | (r << 16) | (c0 << 11) | select];
  }),
  // TLBR … TLBP, ERET, WAIT, HYPCALL; DI, EI, CACHE, RDHWR
  fc.constantFrom(1, 2, 6, 8, 0x18, 0x20, 0x28).map((operation) => [0x42000000 | operation]),
  fc.constantFrom(0x41606000, 0x41606020, 0x7c08003b, 0x7c08103b, 0x0000000c, 0x0000000d, 0x00000034).map((word) => [word]),
  fc.tuple(register, fc.nat(31), fc.nat(0xffff)).map(([r, operation, offset]) => [0xbc000000 | (r << 21) | (operation << 16) | offset]),
  fc
    .tuple(fc.constantFrom(0x20, 0x21, 0x22, 0x23, 0x26, 0x28, 0x29, 0x2b, 0x30, 0x38), register, register, fc.nat(64))
    .map(([opcode, base, r, offset]) => [(opcode << 26) | (base << 21) | (r << 16) | offset]),
  fc
    .tuple(fc.constantFrom(4, 5), register, register, fc.integer({ min: 0xfff0, max: 0x1000f }))
    .map(([opcode, a, b, to]) => [(opcode << 26) | (a << 21) | (b << 16) | (to & 0xffff)]),
  fc.tuple(register, fc.constantFrom(8, 9)).map(([r, jump]) => [(r << 21) | (jump === 9 ? 31 << 11 : 0) | jump]),
  // stores to the vectors
  fc.tuple(register, fc.constantFrom(0, 0x180, 0x184, 0x200)).map(([r, at]) => [0x3c1b8000, 0xaf600000 | (r << 16) | at]),
  fc.integer().map((word) => [word]),
);
const malta = (parts: readonly (readonly number[])[]): Uint8Array => mipsKernel([0x40806000, ...parts.flat()].map((word) => word >>> 0));

describe.each([
  ['pc', fc.array(x86, { minLength: 20, maxLength: 250 }).map(pc)],
  ['malta', fc.array(mips, { minLength: 20, maxLength: 250 }).map(malta)],
] as const)('a %s of whatever privileged instructions', (machine, guest) => {
  test('ends or is stopped, and can be saved', async () => {
    await fc.assert(
      fc.asyncProperty(guest, fc.boolean(), fc.boolean(), fc.boolean(), async (image, isTiered, isVirtual, restarts) => {
        const made = await createMachine({
          machine,
          runtime: SYSTEM,
          memory: 4 << 20,
          kernel: image,
          executor: isTiered ? 'tiered' : 'interpret',
          hotThreshold: 20,
          clock: isVirtual ? 'virtual' : 'host',
          onReset: restarts ? 'restart' : 'end',
        });
        const timer = setTimeout(() => made.stop(), TURN_MS);
        expect(await made.run()).toMatchObject({ reason: expect.any(String) });
        clearTimeout(timer);
        await made.restore(await made.snapshot());
      }),
      fuzz(40),
    );
  }, 120_000);
});
