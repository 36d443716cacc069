import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Hypercall, HypercallAbi, HypercallError } from '../../assembly/shared/hypercall.ts';
import { Layout } from '../../assembly/shared/layout.ts';
// @ts-expect-error a script without types
import { HEADER, header } from '../../src/build/hypercall-header.mjs';
import { type Disk, memoryDisk } from '../../src/devices/virtio/block.ts';
import type { SystemVcpu } from '../../src/isa/system.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { defineHypercall, makeHypercalls, type UserHypercall } from '../../src/vmm/hypercalls.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { HYPERCALL_CONSOLE } from '../../src/vmm/options.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { probe } from '../devices/support.ts';
import { fuzz } from '../support/fuzz.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, mipsKernel, out } from './kernel.ts';

/** Made when the module loads: compiling it takes longer than a test may. */
const SYSTEM = systemModule();

const RAM = 1 << 20;

function made(user: readonly UserHypercall[] = [], mode = 0, disks: readonly Disk[] = []) {
  const memory = new PhysicalMemory(new GuestMemory(Layout.FLOOR + RAM, 'little'));
  memory.map(0, RAM, Layout.WINDOW, true);
  const registers = new Int32Array(6);
  const irq = probe();
  let written = '';
  let turns = 0;
  const names = ['n', 'a', 'b', 'c', 'd', 'r'] as const;
  const hypercalls = makeHypercalls({
    registers: { number: 'n', args: ['a', 'b', 'c', 'd'], result: 'r' },
    offset: (name) => names.indexOf(name as 'n') * 4,
    bigEndian: false,
    memory,
    user,
    interrupt: irq.line,
    write: (byte) => {
      written += String.fromCharCode(byte);
    },
    read: (most) => new TextEncoder().encode('typed').subarray(0, most),
    turn: async () => void turns++,
    disks,
  });
  const cpu = {
    mode,
    get32: (offset: number) => registers[offset / 4],
    set32: (offset: number, value: number) => {
      registers[offset / 4] = value;
    },
  } as unknown as SystemVcpu;
  return {
    memory,
    irq,
    hypercalls,
    written: () => written,
    turns: () => turns,
    async call(number: number, ...args: number[]): Promise<number> {
      registers.fill(0);
      registers[0] = number;
      args.forEach((value, index) => {
        registers[1 + index] = value;
      });
      await hypercalls.dispatch(cpu);
      return registers[5];
    },
  };
}

describe('hypercalls', () => {
  test('version, console, unknown ones; none from user mode', async () => {
    const { call, memory, written } = made();
    expect(await call(Hypercall.VERSION)).toBe(HypercallAbi.VERSION);
    memory.write(0x1000, new TextEncoder().encode('hello'));
    expect(await call(Hypercall.CONSOLE_WRITE, 0x1000, 5)).toBe(5);
    expect(written()).toBe('hello');
    expect(await call(Hypercall.CONSOLE_READ, 0x2000, 3)).toBe(3);
    expect(memory.u8(0x2002)).toBe(0x70);
    expect(await call(12345)).toBe(HypercallError.UNKNOWN);
    expect(await call(Hypercall.YIELD)).toBe(0);
    expect(await made([], 1).call(Hypercall.VERSION)).toBe(HypercallError.NOT_PERMITTED);
  });

  test('every guest pointer is checked', async () => {
    const { call } = made();
    for (const number of [Hypercall.CONSOLE_WRITE, Hypercall.CONSOLE_READ, Hypercall.GRANT]) {
      expect(await call(number, RAM - 2, 3)).toBe(HypercallError.FAULT);
      expect(await call(number, -1, 1)).toBe(HypercallError.FAULT);
      expect(await call(number, 0, -1)).toBe(HypercallError.FAULT);
    }
    expect(await call(Hypercall.BATCH, RAM - 24, 2)).toBe(HypercallError.FAULT);
  });

  test('events both ways', async () => {
    const { call, hypercalls, irq } = made();
    const sent: number[] = [];
    hypercalls.onEvent = (channel) => sent.push(channel);
    expect(await call(Hypercall.EVENT_SEND, 3)).toBe(0);
    expect(await call(Hypercall.EVENT_SEND, 32)).toBe(HypercallError.INVALID);
    expect(sent).toEqual([3]);
    hypercalls.sendEvent(1);
    hypercalls.sendEvent(4);
    expect(irq.level).toBe(false);
    await call(Hypercall.EVENT_ENABLE, 0x10);
    expect(irq.level).toBe(true);
    expect(await call(Hypercall.EVENT_TAKE)).toBe(0x12);
    expect(irq.level).toBe(false);
  });

  test('granted memory is the host’s until it is revoked', async () => {
    const { call, hypercalls, memory } = made();
    const handle = await call(Hypercall.GRANT, 0x3000, 16, 1);
    const grant = hypercalls.grant(handle)!;
    grant.write(4, Uint8Array.of(7));
    expect(memory.u8(0x3004)).toBe(7);
    expect([...grant.read(4, 2)]).toEqual([7, 0]);
    expect(() => grant.read(10, 7)).toThrow(RangeError);
    const readOnly = hypercalls.grant(await call(Hypercall.GRANT, 0x3000, 16, 0))!;
    expect(() => readOnly.write(0, Uint8Array.of(1))).toThrow(RangeError);
    expect(await call(Hypercall.REVOKE, handle)).toBe(0);
    expect(() => grant.read(0, 1)).toThrow(/revoked/);
    expect(hypercalls.grant(handle)).toBeUndefined();
    expect(await call(Hypercall.REVOKE, handle)).toBe(HypercallError.INVALID);
  });

  test('blocks: what a disk does at once, and what takes its time', async () => {
    const bytes = Uint8Array.from({ length: 2048 }, (_, i) => i >>> 9);
    const fast = memoryDisk(bytes);
    const slow: Disk = {
      sectors: 2 ** 33,
      readOnly: true,
      read: async (sector, into) => {
        if (sector === 1) throw new Error('unreadable');
        await new Promise((resolve) => setTimeout(resolve, 1));
        into.fill(9);
      },
      write: () => {},
      flush: async () => {},
    };
    const { call, memory } = made([], 0, [fast, slow]);
    expect(await call(Hypercall.BLOCK_READ, 0, 1, 0x1000, 3)).toBe(3);
    expect([0x1000, 0x1200, 0x1400].map((at) => memory.u8(at))).toEqual([1, 2, 3]);
    expect(await call(Hypercall.BLOCK_WRITE, 0, 0, 0x1200, 1)).toBe(1);
    expect(fast.bytes[0]).toBe(2);
    expect(await call(Hypercall.BLOCK_FLUSH, 0)).toBe(0);
    expect(await call(Hypercall.BLOCK_READ, 1, 7, 0x1000, 1)).toBe(1);
    expect(memory.u8(0x11ff)).toBe(9);
    expect(await call(Hypercall.BLOCK_INFO, 1, 0x2000)).toBe(0);
    expect([0, 4, 8, 12].map((at) => memory.u32(0x2000 + at))).toEqual([0, 2, 1, 512]);
    expect(await call(Hypercall.BLOCK_READ, 1, 1, 0x1000, 1)).toBe(HypercallError.FAILED);
    expect(await call(Hypercall.BLOCK_WRITE, 1, 0, 0x1000, 1)).toBe(HypercallError.NOT_PERMITTED);
    for (const args of [
      [0, 4, 0x1000, 1],
      [0, 0, 0x1000, 0x7fffffff],
      [0, -1, 0x1000, 1],
      [2, 0, 0x1000, 1],
    ])
      expect(await call(Hypercall.BLOCK_READ, ...args)).toBe(HypercallError.INVALID);
    expect(await call(Hypercall.BLOCK_READ, 0, 0, RAM - 511, 1)).toBe(HypercallError.FAULT);
    expect(await call(Hypercall.BLOCK_WRITE, 0, 0, -1, 1)).toBe(HypercallError.FAULT);
  });

  test('typed calls of the embedder’s, asynchronous ones too, and batches of them', async () => {
    const add = defineHypercall({ number: 0, params: ['u32', 'i32'], call: (a, b) => a + b });
    const shout = defineHypercall({
      number: 1,
      params: ['text', 'buffer'],
      async call(text, out) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        const bytes = new TextEncoder().encode(text.toUpperCase());
        out.write(bytes);
        return bytes.length;
      },
    });
    const failing = defineHypercall({
      number: 2,
      params: [],
      call: () => {
        throw new Error('no');
      },
    });
    const { call, memory } = made([add, shout, failing]);
    expect(await call(Hypercall.USER, 5, -7)).toBe(-2);
    memory.write(0x1000, new TextEncoder().encode('abc'));
    expect(await call(Hypercall.USER + 1, 0x1000, 3, 0x2000, 3)).toBe(3);
    expect(memory.u8(0x2000)).toBe(0x41);
    expect(await call(Hypercall.USER + 1, 0x1000, 3, 0x2000, 2)).toBe(HypercallError.FAILED);
    expect(await call(Hypercall.USER + 2)).toBe(HypercallError.FAILED);
    const entries = [
      [Hypercall.USER, 1, 2, 0, 0, 0],
      [Hypercall.USER + 1, 0x1000, 3, 0x2000, 3, 0],
      [Hypercall.BATCH, 0x4000, 1, 0, 0, 0],
      [Hypercall.VERSION, 0, 0, 0, 0, 0],
    ];
    entries.flat().forEach((word, index) => {
      memory.setU32(0x4000 + 4 * index, word);
    });
    expect(await call(Hypercall.BATCH, 0x4000, 4)).toBe(4);
    expect(entries.map((_, index) => memory.u32(0x4000 + 24 * index + 20) | 0)).toEqual([
      3,
      3,
      HypercallError.INVALID,
      HypercallAbi.VERSION,
    ]);
    expect(() => made([add, add])).toThrow(RangeError);
  });

  test('a batch may lie anywhere, its results, too; what it writes to the console may', async () => {
    const { call, memory, written } = made();
    memory.write(0x1ffe, new TextEncoder().encode('over'));
    const entries = Uint32Array.of(
      ...[Hypercall.CONSOLE_WRITE, 0x1ffe, 4, 0, 0, 9],
      ...[Hypercall.CONSOLE_WRITE, RAM - 1, 2, 0, 0, 9],
      ...[Hypercall.VERSION, 0, 0, 0, 0, 9],
    );
    // the first result lies in two pages
    memory.write(0x2fea, new Uint8Array(entries.buffer));
    expect(await call(Hypercall.BATCH, 0x2fea, 3)).toBe(3);
    memory.read(0x2fea, new Uint8Array(entries.buffer));
    expect([5, 11, 17].map((i) => entries[i] | 0)).toEqual([4, HypercallError.FAULT, HypercallAbi.VERSION]);
    expect(written()).toBe('over');
  });

  test('what moves much lets the host have its turn', async () => {
    const { call, turns } = made([], 0, [memoryDisk(new Uint8Array(RAM))]);
    expect([await call(Hypercall.CONSOLE_WRITE, 0, RAM), turns()]).toEqual([RAM, 1]);
    expect([await call(Hypercall.BLOCK_READ, 0, 0, 0, RAM / 512 - 1), turns()]).toEqual([RAM / 512 - 1, 1]);
    expect([await call(Hypercall.BLOCK_WRITE, 0, 0, 0, 1), turns()]).toEqual([1, 2]);
    expect([await call(Hypercall.BLOCK_WRITE, 0, 0, 0, 1), turns()]).toEqual([1, 2]);
  });

  test('any call with any arguments gives a number and nothing else', async () => {
    const { call } = made([], 0, [memoryDisk(new Uint8Array(4096))]);
    const word = fc.oneof(fc.nat(0x2000), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: Hypercall.VERSION, max: Hypercall.BLOCK_FLUSH + 2 }), word),
        word,
        word,
        word,
        word,
        async (n, ...a) => {
          expect(Number.isInteger(await call(n, ...a))).toBe(true);
        },
      ),
      fuzz(300),
    );
  });

  test('state is saved', async () => {
    const one = made();
    await one.call(Hypercall.EVENT_ENABLE, 2);
    const handle = await one.call(Hypercall.GRANT, 0x3000, 16, 1);
    one.hypercalls.sendEvent(1);
    const two = made();
    two.hypercalls.restore!(one.hypercalls.save!());
    expect(two.irq.level).toBe(true);
    expect(two.hypercalls.grant(handle)?.length).toBe(16);
  });

  test('the C header is up to date', () => {
    expect(readFileSync(HEADER as string, 'utf8')).toBe((header as () => string)());
  });
});

/** VMCALL from a real guest: CPUID, console, a call of ours, and its result as exit code. */
test('a pc calls its host', async () => {
  const image = kernel(
    // mov eax,0x40000100; cpuid; mov [0x300000],ebx: the signature’s first word, which goes to the console
    ...[0xb8, 0x00, 0x01, 0x00, 0x40, 0x0f, 0xa2, 0x89, 0x1d, 0x00, 0x00, 0x30, 0x00],
    ...[0xb8, 0x01, 0x00, 0x56, 0x57, 0xbb, 0x00, 0x00, 0x30, 0x00, 0xb9, 4, 0, 0, 0, 0x0f, 0x01, 0xc1],
    ...[0xb8, 0x07, 0x01, 0x56, 0x57, 0xbb, 20, 0, 0, 0, 0xb9, 1, 0, 0, 0, 0x0f, 0x01, 0xc1],
    ...[0x66, 0xba, 0xf4, 0, 0xee, 0xf4],
  );
  const add = defineHypercall({
    number: 7,
    params: ['u32', 'u32'],
    call: async (a, b) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return a + b;
    },
  });
  const machine = await createMachine({ machine: 'pc', runtime: SYSTEM, memory: 8 << 20, kernel: image, hypercalls: [add] });
  let said = '';
  machine.on('console', (bytes, port) => {
    if (port === HYPERCALL_CONSOLE) said += Buffer.from(bytes).toString('latin1');
  });
  expect((await machine.run())?.code).toBe(43);
  expect(said).toBe('wasm');
  expect(machine.stats.sensitive).toMatchObject({ CPUID: 1, VMCALL: 2, 'LGDT M': 0 });
});

test('all that a pc says at once arrives', async () => {
  // the kernel itself, and what is behind it
  const write = (length: number): number[] => [0xb8, 1, 0, 0x56, 0x57, 0xbb, 0, 0, 0x20, 0, 0xb9, ...little(length), 0x0f, 0x01, 0xc1];
  const image = kernel(...write(3000), ...write(20_000), ...write(500), ...out(0xf4, 21), 0xf4);
  const machine = await createMachine({ machine: 'pc', runtime: SYSTEM, memory: 8 << 20, kernel: image });
  const said: Uint8Array[] = [];
  machine.on('console', (bytes) => said.push(bytes));
  expect((await machine.run())?.code).toBe(43);
  const written = [3000, 20_000, 500].map((length) => {
    const bytes = new Uint8Array(length);
    machine.physical.read(0x200000, bytes);
    return bytes;
  });
  expect(Buffer.concat(said).equals(Buffer.concat(written))).toBe(true);
});

test('a malta calls its host', async () => {
  const add = defineHypercall({ number: 0, params: ['u32', 'u32'], call: (a, b) => a + b });
  const words = [
    // lui v0,0x5756; ori v0,v0,0x100; li a0,40; li a1,2; hypcall
    ...[0x3c025756, 0x34420100, 0x24040028, 0x24050002, 0x42000028],
    // lui t0,0x8020; sw v0,0(t0); lui v0,0x5756; ori v0,1; lui a0,0x20; li a1,1; hypcall
    ...[0x3c088020, 0xad020000, 0x3c025756, 0x34420001, 0x3c040020, 0x24050001, 0x42000028],
    // lui t0,0xbf00; li t1,0x42; sw t1,0x500(t0); b .; nop
    ...[0x3c08bf00, 0x24090042, 0xad090500, 0x1000ffff, 0],
  ];
  const machine = await createMachine({ machine: 'malta', runtime: SYSTEM, memory: 8 << 20, kernel: mipsKernel(words), hypercalls: [add] });
  let said = '';
  machine.on('console', (b, port) => {
    if (port === HYPERCALL_CONSOLE) said += String.fromCharCode(...b);
  });
  expect(await machine.run()).toEqual({ reason: 'reset', code: 3 });
  expect(said).toBe('*');
  expect(machine.stats.sensitive).toMatchObject({ hypcall: 2, mtc0: 0 });
});
