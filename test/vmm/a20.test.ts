import { expect, test } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, out } from './kernel.ts';

const SYSTEM = systemModule();
const EVEN = 0x400000;
const ODD = EVEN + 0x100000;

/** mov eax, [from]; mov [to], eax */
const copy = (from: number, to: number): number[] => [0xa1, ...little(from), 0xa3, ...little(to)];
/** mov dword ptr [at], value */
const put = (at: number, value: number): number[] => [0xc7, 0x05, ...little(at), ...little(value)];
const ALL = [
  ...[...put(EVEN, 1), ...put(ODD, 2), ...out(0x92, 0), ...copy(ODD, 0x280000)],
  ...[...put(ODD + 4, 3), ...out(0x92, 2), ...copy(ODD, 0x280004), ...copy(EVEN + 4, 0x280008), ...copy(ODD + 4, 0x28000c)],
  // the keyboard controller's output port has the line, too
  ...[...out(0x64, 0xd1), ...out(0x60, 0xdd), ...copy(ODD, 0x280010), ...out(0x64, 0xd1), ...out(0x60, 0xdf), ...copy(ODD, 0x280014)],
];

test.each([
  'interpret',
  'translate',
] as const)('address line 20 is masked by port 0x92 and by the keyboard controller: %s', async (executor) => {
  const machine = await createMachine({ machine: 'pc', runtime: SYSTEM, executor, kernel: kernel(...ALL, ...out(0xf4, 1)) });
  const snapshot = await machine.snapshot();
  for (let round = 0; round < 2; round++) {
    expect((await machine.run())?.code).toBe(3);
    expect([0, 4, 8, 0xc, 0x10, 0x14].map((at) => machine.physical.u32(0x280000 + at))).toEqual([1, 2, 3, 0, 1, 2]);
    await machine.restore(snapshot);
  }
});

test('a snapshot has the line as it was', async () => {
  // hlt between: the machine waits there
  const waits = [...put(EVEN, 1), ...put(ODD, 2), ...out(0x92, 0), ...out(0x3f8, 0x41), 0xf4];
  const options = { machine: 'pc', runtime: SYSTEM, executor: 'interpret' } as const;
  const machine = await createMachine({ ...options, kernel: kernel(...waits) });
  await new Promise<void>((resolve) => {
    machine.on('console', () => resolve());
    void machine.run();
  });
  const snapshot = await machine.snapshot();
  const other = await createMachine({ ...options, snapshot });
  const port = other.board.ports.find(({ at }) => at === 0x92)!.device;
  expect(port.read(0, 1)).toBe(0);
  port.write(0, 1, 2);
  expect(port.read(0, 1)).toBe(2);
});
