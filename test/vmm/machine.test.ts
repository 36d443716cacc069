import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { memoryDisk, overlayDisk } from '../../src/devices/virtio/block.ts';
import { defaultHost } from '../../src/linux/host.ts';
import { SnapshotError, snapshotBody, snapshotFile } from '../../src/snapshot/file.ts';
import { BootError } from '../../src/vmm/boot/error.ts';
import { createMachine, type Machine } from '../../src/vmm/machine.ts';
import type { MachineOptions } from '../../src/vmm/options.ts';
import { Mips } from '../../translators/mips/state.ts';
import { X86 } from '../../translators/x86/state.ts';
import { systemModule } from '../support/runtime.ts';
import { ALPHABET, kernel, little, mipsKernel, out } from './kernel.ts';

/** Made when the module loads: compiling it takes longer than a test may. */
const SYSTEM = systemModule();
const KIND = { magic: 'WASMVSNP', version: 6, of: 'a machine' };

const make = (options: Partial<MachineOptions>): Promise<Machine> =>
  createMachine({ machine: 'pc', runtime: SYSTEM, memory: 8 << 20, ...options });
function listen(machine: Machine): { text: string; until(length: number): Promise<void> } {
  let wanted = Number.POSITIVE_INFINITY;
  let done = (): void => {};
  const heard = {
    text: '',
    until(length: number) {
      wanted = length;
      return new Promise<void>((resolve) => {
        done = resolve;
      });
    },
  };
  machine.on('console', (bytes) => {
    heard.text += Buffer.from(bytes).toString('latin1');
    if (heard.text.length >= wanted) done();
  });
  // what is expected of a text that is too short then fails
  machine.on('exit', () => done());
  return heard;
}

/** Puts these words at the vector of exceptions, clears Status.BEV, breaks. */
function handler(...words: number[]): number[] {
  const stores = words.flatMap((word, i) => [0x3c090000 | (word >>> 16), 0x35290000 | (word & 0xffff), 0xad090180 + 4 * i]);
  return [0x3c088000, ...stores, 0x40806000, 0x0000000d];
}

describe('a machine', () => {
  test('runs a kernel to its exit code; the console and the exit are events', async () => {
    const machine = await make({ kernel: kernel(...out(0x3f8, 0x48), ...out(0x3f8, 0x69), ...out(0xf4, 5), 0xf4) });
    const heard = listen(machine);
    const ends: unknown[] = [];
    machine.on('exit', (end) => ends.push(end));
    expect(await machine.run()).toEqual({ reason: 'power-off', code: 11 });
    expect(heard.text).toBe('Hi');
    expect(ends).toHaveLength(1);
    expect(machine.stats.instructions).toBeGreaterThan(8);
  });

  test('a reset ends it, or starts it anew', async () => {
    const code = [...out(0x3f8, 0x52), ...out(0x64, 0xfe), 0xeb, 0xfe];
    expect(await (await make({ kernel: kernel(...code) })).run()).toEqual({ reason: 'reset', code: 3 });
    const machine = await make({ kernel: kernel(...code), onReset: 'restart' });
    const heard = listen(machine);
    const three = heard.until(3);
    const running = machine.run();
    await three;
    machine.stop();
    expect((await running)?.reason).toBe('stopped');
    expect(heard.text.startsWith('RRR')).toBe(true);
  });

  test('a triple fault is a shutdown, but not after a reset', async () => {
    // lidt [0x100000], of zeros; int3
    const fault = [0x0f, 0x01, 0x1d, 0, 0, 0x10, 0, 0xcc];
    expect((await (await make({ kernel: kernel(...fault) })).run())?.reason).toBe('shutdown');
    expect((await (await make({ kernel: kernel(...out(0xcf9, 2), ...out(0xcf9, 6), ...fault) })).run())?.reason).toBe('reset');
  });

  test('stores to code end a stay, so that timers are not late', async () => {
    // next: inc byte [the operand of mov al]; mov al, 0; jmp next
    const machine = await make({ kernel: kernel(0xfe, 0x05, ...little(0x200067), 0xb0, 0, 0xeb, 0xf6) });
    expect(machine.vcpu.run(1_000_000).kind).toBe('budget');
    expect(machine.vcpu.stats.invalidations).toBeLessThan(100);
    expect(machine.vcpu.retired).toBeLessThan(1000);
  });

  // Status.BEV: no memory at the vector; else the handler at 0x80000180 is itself what raises an exception
  test.each([
    ['cannot be fetched', [0x3c080040, 0x40886000, 0x0000000d, 0]],
    ['begins with a misaligned load', handler(0x8c000001)],
    ['begins with a trap', handler(0x00000034)],
    ['begins with no instruction', handler(0xfc000000)],
    ['begins with a system call', handler(0x0000000c)],
    ['has an exception in its first delay slot', handler(0x1000ffff, 0x8c000001)],
  ])('a stay ends though the handler of exceptions %s', async (_, words) => {
    for (const clock of ['host', 'virtual'] as const) {
      const machine = await make({ machine: 'malta', kernel: mipsKernel(words), clock });
      expect(machine.vcpu.run(1000).kind).toBe('budget');
      expect(machine.vcpu.run(1000).kind).toBe('budget');
    }
  });

  test('a repeated string instruction on a device ends a stay', async () => {
    // mov edi, 0xe0000000; mov ecx, 0xffffffff; rep stosb
    const machine = await make({ kernel: kernel(0xbf, ...little(0xe0000000), 0xb9, ...little(0xffffffff), 0xf3, 0xaa) });
    machine.vcpu.run(1_000_000);
    const ecx = machine.vcpu.get32(X86.ECX) >>> 0;
    expect(0xffffffff - ecx).toBeGreaterThan(0);
    expect(0xffffffff - ecx).toBeLessThan(1 << 18);
  });

  test('what comes right after run is not missed', async () => {
    const machine = await make({ kernel: kernel(0xeb, 0xfe) });
    const paused = machine.run();
    await machine.pause();
    expect(await paused).toBeUndefined();
    const snapshot = await machine.snapshot();
    for (let round = 0; round < 2; round++) {
      const running = machine.run();
      machine.stop();
      expect(await running).toEqual({ reason: 'stopped', code: 0 });
      await machine.restore(snapshot);
    }
  });

  test('one that is paused, or never ran, is stopped as one that runs', async () => {
    for (const runs of [true, false]) {
      const machine = await make({ kernel: kernel(0xeb, 0xfe) });
      const ends: unknown[] = [];
      machine.on('exit', (end) => ends.push(end));
      if (runs) {
        const running = machine.run();
        await machine.pause();
        expect(await running).toBeUndefined();
      }
      const snapshot = await machine.snapshot();
      machine.stop();
      machine.stop();
      expect(await machine.run()).toEqual({ reason: 'stopped', code: 0 });
      expect(ends).toEqual([{ reason: 'stopped', code: 0 }]);
      await machine.restore(snapshot);
      machine.stop();
      expect(ends).toHaveLength(2);
    }
  });

  test('a pause that comes while the guest resets the machine is not missed, and a stop then leaves no reset behind', async () => {
    // each time that the clock is asked, a turn of the host's is due, and so are the listeners
    let time = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 10));
    onTestFinished(() => clock.mockRestore());
    // cmp byte [MARK], 0; here: jne here; writes, resets
    const MARK = 0x300000;
    const waits = [0x80, 0x3d, ...little(MARK), 0, 0x75, 0xfe];
    const image = kernel(...waits, ...out(0x3f8, 0x48), ...out(0x64, 0xfe), 0xeb, 0xfe);
    const machine = await make({ kernel: image, onReset: 'restart' });
    let paused: Promise<void> | undefined;
    const off = machine.on('console', () => {
      paused ??= machine.pause();
    });
    expect(await machine.run()).toBeUndefined();
    await paused;
    off();
    const snapshot = await machine.snapshot();
    machine.on('console', () => machine.stop());
    expect(await machine.run()).toEqual({ reason: 'stopped', code: 0 });
    await machine.restore(snapshot);
    machine.physical.setU8(MARK, 1);
    const running = machine.run();
    await machine.pause();
    expect(await running).toBeUndefined();
    expect(machine.physical.u8(MARK)).toBe(1);
  });

  test.each(['interpret', 'translate'] as const)('a page of STI: %s', async (executor) => {
    // mov edi, 0x300000; mov ecx, 5000; mov al, 0xfb; cld; rep stosb; mov word [edi], UD2; mov eax, 0x300000; jmp eax
    const fill = [0xbf, ...little(0x300000), 0xb9, ...little(5000), 0xb0, 0xfb, 0xfc, 0xf3, 0xaa, 0x66, 0xc7, 0x07, 0x0f, 0x0b];
    const machine = await make({ executor, kernel: kernel(...fill, 0xb8, ...little(0x300000), 0xff, 0xe0) });
    expect(await machine.run()).toEqual({ reason: 'shutdown', code: 4 });
  });

  test('input comes in over the serial port', async () => {
    // wait for LSR.DR; read; send; power off with it
    const wait = [0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 1, 0x74, 0xfb];
    const machine = await make({ kernel: kernel(...wait, 0x66, 0xba, 0xf8, 0x03, 0xec, 0x66, 0xba, 0xf4, 0, 0xee, 0xf4) });
    machine.input(Uint8Array.of(0x21));
    expect((await machine.run())?.code).toBe(0x43);
  });

  test('virtual time passes with the guest’s instructions', async () => {
    // PIT counter 2 in mode 0 with 2,386 counts (2 ms), then poll its output through port 0x61
    const machine = await make({
      kernel: kernel(
        ...out(0x61, 1),
        ...out(0x43, 0xb0),
        ...out(0x42, 0x52),
        ...out(0x42, 0x09),
        ...[0xe4, 0x61, 0xa8, 0x20, 0x74, 0xfa],
        ...out(0xf4, 0),
        0xf4,
      ),
      clock: 'virtual',
    });
    expect((await machine.run())?.code).toBe(1);
    expect(machine.stats.time).toBeGreaterThan(1.99);
    expect(machine.stats.time).toBeLessThan(2.1);
  });

  test('the virtual clock repeats a run exactly', async () => {
    const run = async (executor: 'interpret' | 'tiered'): Promise<readonly [number, string]> => {
      const machine = await make({
        kernel: kernel(
          ...out(0x61, 1),
          ...out(0x43, 0xb0),
          ...out(0x42, 0x0b),
          ...out(0x42, 0x02),
          ...[0xe4, 0x61, 0x41, 0xa8, 0x20, 0x74, 0xf9],
          ...[0x88, 0xc8, 0x66, 0xba, 0xf8, 0x03, 0xee],
          ...out(0xf4, 0),
          0xf4,
        ),
        clock: 'virtual',
        executor,
      });
      const heard = listen(machine);
      await machine.run();
      return [machine.stats.instructions, heard.text];
    };
    const first = await run('interpret');
    expect(await run('interpret')).toEqual(first);
    expect(await run('tiered')).toEqual(first);
  });

  test('code of another address space at the same address', async () => {
    // functions that differ in what they give, behind two page directories of 4 MiB pages; one is hot before the other is called
    const words = (at: number, ...values: number[]): number[] =>
      values.flatMap((value, i) => [0xc7, 0x05, ...little(at + 4 * i), ...little(value)]);
    const countTo1000 = [0x0003e8b9, 0xfd754900];
    const phase = (directory: number, calls: number): number[] => [
      ...[0xb8, ...little(directory), 0x0f, 0x22, 0xd8],
      ...[0xbb, ...little(calls), 0xb8, ...little(0x400000), 0xff, 0xd0, 0x4b, 0x75, 0xf6],
      ...[0x66, 0xba, 0xf8, 0x03, 0xee],
    ];
    const compiler = await import('../../src/backend/wasm/compile.ts');
    const machine = await make({
      memory: 32 << 20,
      hotThreshold: 10,
      loadCompiler: async () => compiler,
      kernel: kernel(
        ...[0xbc, ...little(0x280000)],
        ...words(0x800000, ...countTo1000, 0x90c361b0),
        ...words(0xc00000, ...countTo1000, 0x90c362b0),
        ...words(0x300000, 0x83, 0x800083),
        ...words(0x301000, 0x83, 0xc00083),
        ...[0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0x0f, 0x22, 0xe0],
        ...[0xb8, ...little(0x300000), 0x0f, 0x22, 0xd8],
        ...[0x0f, 0x20, 0xc0, 0x0d, ...little(0x80000000), 0x0f, 0x22, 0xc0],
        ...phase(0x300000, 8000),
        ...[0x301000, 0x300000, 0x301000].flatMap((directory) => phase(directory, 100)),
        ...out(0xf4, 0),
        0xf4,
      ),
    });
    const heard = listen(machine);
    await machine.run();
    expect(heard.text).toBe('abab');
    expect(machine.stats.regions).toBeGreaterThan(0);
  });

  test('a device of one’s own', async () => {
    const written: number[] = [];
    const machine = await make({
      kernel: kernel(...out(0x300, 7), 0xec, 0x66, 0xba, 0xf4, 0, 0xee, 0xf4),
      devices: () => [
        {
          ports: [
            { at: 0x300, size: 1, device: { name: 'mine', widest: 1, read: () => 9, write: (_at, _n, value) => void written.push(value) } },
          ],
        },
      ],
    });
    expect((await machine.run())?.code).toBe(19);
    expect(written).toEqual([7]);
  });

  test('an idle guest uses no host CPU, and input wakes it', async () => {
    // IER: received data; the 8259s: vectors from 0x20 on, all masked; with interrupts off, a halt lasts until the end
    const machine = await make({ kernel: kernel(...out(0x3f9, 1), 0xf4, 0xeb, 0xfd) });
    const running = machine.run();
    const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    while (!machine.stats.exits.halt) await pause(10);
    // other threads of the host may still compile: it is idle if any of these times is
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10 && least >= 250; i++) {
      const before = process.cpuUsage();
      await pause(500);
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
    }
    machine.stop();
    expect((await running)?.reason).toBe('stopped');
    expect(machine.stats.exits.halt).toBe(1);
    expect(least).toBeLessThan(250);
  });

  test('two guests run side by side without seeing each other', async () => {
    const [a, b] = await Promise.all([make({ kernel: ALPHABET }), make({ kernel: kernel(...out(0x3f8, 0x30), 0xeb, 0xf7) })]);
    const [ha, hb] = [listen(a), listen(b)];
    const both = Promise.all([ha.until(60), hb.until(60)]);
    const running = [a.run(), b.run()];
    await both;
    a.stop();
    b.stop();
    await Promise.all(running);
    expect(ha.text.startsWith('ABCDEFG')).toBe(true);
    expect(/^0+$/.test(hb.text)).toBe(true);
  });

  test('with virtual time, a pause while much is compiled changes nothing', async () => {
    // each compilation takes long
    let time = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 60));
    onTestFinished(() => clock.mockRestore());
    // behind 2,048 ADD [EAX], AL: mov dx, 0xf4; mov al, 3; out dx, al; hlt
    const store = (at: number, value: number): number[] => [0xc7, 0x05, ...little(at), ...little(value)];
    const image = kernel(
      ...store(0x301000, 0x00f4ba66),
      ...store(0x301004, 0xf4ee03b0),
      ...[0xb8, ...little(0x310000), 0xb9, ...little(0x300000), 0xff, 0xe1],
    );
    const ends: unknown[] = [];
    for (const [executor, pauses] of [
      ['interpret', false],
      ['translate', false],
      ['translate', true],
    ] as const) {
      let paused = 0;
      const turn = async (): Promise<void> => {
        if (!pauses) return;
        paused++;
        void machine.pause();
      };
      const machine = await make({ executor, kernel: image, clock: 'virtual', host: { ...defaultHost, turn } });
      let end = await machine.run();
      while (!end) end = await machine.run();
      ends.push([end, machine.vcpu.retired, machine.stats.time]);
      if (executor === 'translate') expect(machine.stats.exits.compiling).toBeGreaterThan(0);
      if (pauses) expect(paused).toBeGreaterThan(0);
    }
    expect(ends[1]).toEqual(ends[0]);
    expect(ends[2]).toEqual(ends[0]);
  });

  test('what cannot be booted says why', async () => {
    await expect(make({})).rejects.toThrow(/neither a kernel nor firmware/);
    await expect(make({ kernel: new Uint8Array(100) })).rejects.toThrow(BootError);
    await expect(make({ kernel: ALPHABET, memory: 3 << 20 })).rejects.toThrow(/4 to/);
    await expect(make({ kernel: ALPHABET, firmware: new Uint8Array(5) })).rejects.toThrow(/64 KiB/);
    await expect(make({ kernel: ALPHABET, firmware: new Uint8Array(1 << 16) })).rejects.toThrow(/only one of them/);
  });
});

describe('snapshots', () => {
  async function paused() {
    const machine = await make({ kernel: ALPHABET, drives: [{ disk: overlayDisk(memoryDisk(new Uint8Array(1 << 20))) }] });
    const heard = listen(machine);
    const some = heard.until(40);
    const running = machine.run();
    await some;
    await machine.pause();
    expect(await running).toBeUndefined();
    return { machine, heard };
  }
  const follows = (before: string, after: string): boolean => {
    const next = before.charCodeAt(before.length - 1) + 1;
    return after.charCodeAt(0) === (next > 0x5a ? 0x41 : next);
  };

  test('another machine goes on where it was', async () => {
    const { machine, heard } = await paused();
    const bytes = await machine.snapshot();
    expect(bytes.length).toBeLessThan(100_000);
    const other = await make({ snapshot: bytes, drives: [{ disk: overlayDisk(memoryDisk(new Uint8Array(1 << 20))) }] });
    const heardThere = listen(other);
    const some = heardThere.until(30);
    const running = other.run();
    await some;
    other.stop();
    await running;
    expect(follows(heard.text, heardThere.text)).toBe(true);
    expect('ABCDEFGHIJKLMNOPQRSTUVWXYZ'.repeat(1000)).toContain(heardThere.text);
  });

  test('rolled back', async () => {
    const { machine, heard } = await paused();
    const bytes = await machine.snapshot();
    const before = heard.text;
    const more = heard.until(before.length + 45);
    const running = machine.run();
    await more;
    await machine.restore(bytes);
    await running;
    heard.text = '';
    const again = heard.until(10);
    const rest = machine.run();
    await again;
    machine.stop();
    await rest;
    expect(follows(before, heard.text)).toBe(true);
  });

  test('damaged, newer and foreign ones are refused', async () => {
    const { machine } = await paused();
    const bytes = await machine.snapshot();
    const drives = [{ disk: overlayDisk(memoryDisk(new Uint8Array(1 << 20))) }];
    await expect(make({ snapshot: new Uint8Array(100), drives })).rejects.toThrow(/not a snapshot/);
    for (const at of [13, 20, 60, bytes.length - 3]) {
      const bad = bytes.slice();
      bad[at] ^= 0x10;
      await expect(make({ snapshot: bad, drives })).rejects.toThrow(/damaged/);
    }
    await expect(make({ snapshot: bytes.slice(0, -10), drives })).rejects.toThrow(/damaged/);
    for (const version of [1, 9]) {
      const other = bytes.slice();
      other[8] = version;
      await expect(make({ snapshot: other, drives })).rejects.toThrow(`version ${version};`);
    }
    await expect(make({ snapshot: bytes, memory: 16 << 20, drives })).rejects.toThrow(/8 MiB, this machine is a pc with 16 MiB/);
    await expect(make({ snapshot: bytes })).rejects.toThrow(/without virtio-blk, disk-0/);
    await expect(machine.restore(bytes.slice(0, 20))).rejects.toThrow(SnapshotError);
  });

  test('made up ones of no machine are refused', async () => {
    const { machine } = await paused();
    const bytes = await machine.snapshot();
    type Body = { identity: unknown; devices: unknown; cpu: { state: Uint8Array }; words: number[] };
    for (const change of [
      (body: Body) => (body.cpu.state[X86.FTOP] = 9),
      (body: Body) => (body.words[1] = 0),
      (body: Body) => (body.identity = null),
      (body: Body) => (body.devices = 'none'),
    ]) {
      const body = await snapshotBody(KIND, bytes);
      change(body as unknown as Body);
      await expect(machine.restore(await snapshotFile(KIND, body)), `${change}`).rejects.toThrow(SnapshotError);
    }
    await machine.restore(bytes);
  });

  test('made up ones with times that are none are refused', async () => {
    const malta = await make({ machine: 'malta', kernel: mipsKernel([0x1000ffff, 0]) });
    const bytes = await malta.snapshot();
    type Body = { now: number; virtualSlice: number; cpu: { state: Uint8Array } };
    const infinity = new Uint8Array(Float64Array.of(Number.POSITIVE_INFINITY).buffer);
    for (const change of [
      (body: Body) => body.cpu.state.set(infinity, Mips.COUNT_SINCE),
      (body: Body) => (body.now = Number.NaN),
      (body: Body) => (body.virtualSlice = Number.NaN),
    ]) {
      const body = await snapshotBody(KIND, bytes);
      change(body as unknown as Body);
      await expect(malta.restore(await snapshotFile(KIND, body)), `${change}`).rejects.toThrow(SnapshotError);
    }
    await malta.restore(bytes);
  });
});
