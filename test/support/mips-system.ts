import { Layout } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../../src/backend/runtime.ts';
import * as compile from '../../src/backend/wasm/compile.ts';
import type { SystemImports } from '../../src/isa/system.ts';
import type { Exit } from '../../src/vcpu/exit.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { type Executor, Vcpu } from '../../src/vcpu/vcpu.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { mipsel } from '../../translators/mips/index.ts';
import { assemble } from './mips-assembler.ts';
import { systemModule } from './runtime.ts';

/** Where a test's code begins, in kseg0. */
export const KERNEL = 0x80002000;
const RAM = 1 << 20;
/** Made when the module loads: compiling the runtime takes longer than a test may. */
const RUNTIME = systemModule();
/** Physical addresses from here on are a bus on which each word reads as its address, and writes are noted. */
export const BUS = 0x1f000000;

export interface MipsSystem {
  readonly vcpu: Vcpu;
  readonly physical: PhysicalMemory;
  /** Guest time in nanoseconds. */
  time: number;
  readonly written: [address: number, bytes: number, value: number][];
  /** Runs to an exit that is neither a spent budget nor code that was compiled. */
  run(instructions?: number): Exit;
  /** A register by name, unsigned. */
  get(name: string): number;
  set(name: string, value: number): void;
  /** Assembles at a virtual address in kseg0. */
  put(address: number, text: string): void;
}

/**
 * A processor with 1 MiB of memory in kernel mode, and code by address (kseg0). Exceptions go to `wait`s at 0x80000000 (refill), 0x80000180 and
 * 0x80000200 unless the code says otherwise.
 */
export async function mipsSystem(executor: Executor, code: Readonly<Record<number, string>>): Promise<MipsSystem> {
  const memory = new GuestMemory(Layout.FLOOR + RAM, 'little');
  const physical = new PhysicalMemory(memory);
  const written: MipsSystem['written'] = [];
  const absent = (): never => {
    throw new Error('MIPS has no ports');
  };
  const imports: SystemImports = {
    busRead: (at) => at >>> 0,
    busWrite: (at, bytes, value) => void written.push([at >>> 0, bytes, value >>> 0]),
    portRead: absent,
    portWrite: absent,
    hypercall: absent,
    msrWritten: absent,
    now: () => system.time,
    rest: absent,
  };
  const vcpu = new Vcpu({
    isa: mipsel,
    memory,
    runtime: createRuntime(RUNTIME, memory, imports),
    executor,
    memoryModel: 'paged',
    loadCompiler: async () => compile,
  });
  await vcpu.prepare();
  physical.map(0, RAM, Layout.WINDOW, true);
  physical.listener = { written: (at, length) => vcpu.invalidatePhysical(at, length), remapped: () => vcpu.remapped() };
  const offsetOf = (name: string): number => mipsel.registers.find((register) => register.name === name)!.offset;
  const system: MipsSystem = {
    vcpu,
    physical,
    time: 0,
    written,
    run(instructions = 100_000) {
      for (let left = instructions; left > 0; ) {
        const before = vcpu.retired;
        const exit = vcpu.run(left);
        if (exit.kind !== 'budget') return exit;
        left -= Math.max(1, vcpu.retired - before);
      }
      return { kind: 'budget', pc: vcpu.pc };
    },
    get: (name) => vcpu.get32(offsetOf(name)) >>> 0,
    set: (name, value) => vcpu.set32(offsetOf(name), value),
    put(address, text) {
      const words = assemble(text, address);
      words.forEach((word, i) => {
        physical.setU32((address & 0x1fffffff) + 4 * i, word >>> 0);
      });
    },
  };
  for (const [at, text] of Object.entries({ 2147483648: 'wait', 2147484032: 'wait', 2147484160: 'wait', ...code }))
    system.put(Number(at), text);
  mipsel.system!.enterKernel(vcpu, KERNEL, {});
  // no BEV: handlers are in memory
  vcpu.set32(offsetOf('c0_status'), 0);
  return system;
}
