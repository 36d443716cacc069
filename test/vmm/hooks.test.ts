import { describe, expect, test } from 'vitest';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import type { HookHandler } from '../../src/vmm/hooks.ts';
import { createMachine, type Machine } from '../../src/vmm/machine.ts';
import { assemble } from '../support/mips-assembler.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, mipsKernel, out } from './kernel.ts';

const SYSTEM = systemModule();

const PC_KERNEL = kernel(
  // sgdt [0x300000]; mov eax,cr0; mov cr0,eax
  ...[0x0f, 0x01, 0x05, 0, 0, 0x30, 0, 0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0],
  // mov edi,100; xor eax,eax; cpuid; mov [0x300010],eax; dec edi; jnz to the xor
  ...[0xbf, 100, 0, 0, 0, 0x31, 0xc0, 0x0f, 0xa2, 0xa3, 0x10, 0, 0x30, 0, 0x4f, 0x75, 0xf4],
  // hlt; then the end
  0xf4,
  ...out(0xf4, 21),
  0xf4,
);

/** mfc0 and mtc0 in delay slots of jumps and of branches that are taken and not taken, in a loop of 100; then a reset. */
const MALTA_KERNEL = mipsKernel(
  assemble(
    `addiu s0,zero,100
     lui t8,0xa030
     beq zero,zero,.+8
     mfc0 t0,c0_prid
     bne s0,zero,.+8
     mfc0 t1,c0_prid
     beq s0,zero,.+8
     mfc0 t2,c0_prid
     addiu s0,s0,-1
     bne s0,zero,.-28
     mfc0 t3,c0_prid
     sw t0,0(t8)
     sw t1,4(t8)
     sw t2,8(t8)
     sw t3,12(t8)
     lui t0,0xbf00
     addiu t1,zero,66
     sw t1,1280(t0)
     beq zero,zero,.+0
     nop`,
    0x80100000,
  ),
);

const make = (name: 'pc' | 'malta', executor: Executor, hooks: Record<string, HookHandler> = {}): Promise<Machine> =>
  createMachine({
    machine: name,
    runtime: SYSTEM,
    memory: 8 << 20,
    kernel: name === 'pc' ? PC_KERNEL : MALTA_KERNEL,
    executor,
    hooks,
    clock: 'virtual',
  });

describe.each(['interpret', 'translate'] as const)('hooks: %s', (executor) => {
  test('see an instruction before it is executed, and change what it finds', async () => {
    const seen: string[] = [];
    const machine = await make('pc', executor, {
      SGDT: ({ text, assembly, user, pc, memory }) => {
        seen.push(`${text} | ${assembly} | ${user} | ${pc.toString(16)}`);
        memory.setU32(0x300000, 0xdead);
        return 'skip';
      },
      'mov cd, rd': (i) => {
        seen.push(`${i.assembly} | ${i.get('cr0')} | ${i.get('eax')}`);
        i.set('eax', 0x33);
      },
      HLT: () => 'skip',
    });
    expect(await machine.run()).toMatchObject({ code: 43 });
    expect(seen).toEqual(['SGDT M | sgdtd ds:0x300000 | false | 200060', 'mov cr0,eax | 17 | 17']);
    expect(machine.physical.u32(0x300000)).toBe(0xdead);
    expect(machine.vcpu.isa.registers.some(({ name, offset }) => name === 'cr0' && machine.vcpu.get32(offset) === 0x33)).toBe(true);
    expect(machine.stats.sensitive).toMatchObject({ 'SGDT M': 1, 'MOV Cd, Rd': 1, CPUID: 100 });
  });

  test('emulate, at once or later, in a loop and until they are taken away', async () => {
    const machine = await make('pc', executor);
    machine.hook('HLT', () => 'skip');
    let calls = 0;
    const unhook = machine.hook('CPUID', async (i) => {
      await Promise.resolve();
      if (++calls === 7) unhook();
      i.set('eax', calls);
      return calls < 7 ? 'skip' : 'execute';
    });
    await machine.run();
    expect(calls).toBe(7);
    expect(machine.physical.u32(0x300010)).toBe(1);
    expect(machine.stats.sensitive.CPUID).toBe(100);
  });

  test('count as many instructions as without', async () => {
    const plain = await make('pc', executor, { HLT: () => 'skip' });
    const hooked = await make('pc', executor, { HLT: () => 'skip', CPUID: () => {}, MOV: () => 'execute' });
    for (const machine of [plain, hooked]) await machine.run();
    expect(hooked.stats.instructions).toBe(plain.stats.instructions);
    expect(hooked.stats.time).toBe(plain.stats.time);
  });

  test('find instructions in delay slots', async () => {
    const registers = ['t0', 't1', 't2', 't3'];
    const words = (machine: Machine): number[] => registers.map((_, n) => machine.physical.u32(0x300000 + 4 * n));
    const plain = await make('malta', executor);
    expect(await plain.run()).toMatchObject({ reason: 'reset' });
    expect(words(plain)).toEqual([0x19300, 0x19300, 0x19300, 0x19300]);

    const at = new Map<number, number>();
    const executed = await make('malta', executor, { mfc0: ({ pc }) => void at.set(pc, (at.get(pc) ?? 0) + 1) });
    expect(await executed.run()).toMatchObject({ reason: 'reset' });
    expect(words(executed)).toEqual(words(plain));
    expect([...at.keys()].map((pc) => (pc - 0x80100000) / 4)).toEqual([3, 5, 7, 10]);
    expect([...at.values()]).toEqual([100, 100, 100, 100]);
    expect(executed.stats.sensitive.mfc0).toBe(400);

    const skipped = await make('malta', executor, {
      mfc0: (i) => {
        i.set(registers.find((name) => i.assembly.includes(name))!, i.pc & 0xff);
        return 'skip';
      },
    });
    expect(await skipped.run()).toMatchObject({ reason: 'reset' });
    expect(words(skipped)).toEqual([12, 20, 28, 40]);
  });
});

test('names that no sensitive instruction has are refused, and so are registers', async () => {
  const machine = await make('pc', 'interpret', { HLT: () => 'skip' });
  expect(() => machine.hook('ADD', () => {})).toThrow(/no sensitive instruction of x86 is called ADD; see wasmvisor list sensitive/);
  await expect(make('malta', 'interpret', { addu: () => {} })).rejects.toThrow(RangeError);
  machine.hook('CPUID', (i) => void i.get('xmm0'));
  await expect(machine.run()).rejects.toThrow(/no 32-bit register xmm0/);
});
