import { readFileSync } from 'node:fs';
import { PagePermission } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../../src/backend/runtime.ts';
import * as compile from '../../src/backend/wasm/compile.ts';
import { ISAS, type IsaName } from '../../src/isas.ts';
import { parseElf } from '../../src/linux/elf.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { Vcpu, type VcpuOptions } from '../../src/vcpu/vcpu.ts';
import { runtimeModule } from './runtime.ts';

const CALL = {
  x86: { stackPointer: 16, number: 0, args: [12, 4, 8], base: 0, exits: [1, 252], result: 0, error: undefined, top: 0xc0000000 },
  mips: { stackPointer: 116, number: 8, args: [16, 20, 24], base: 4000, exits: [1, 246], result: 8, error: 28, top: 0x80000000 },
} as const;

/** One of our freestanding corpus programs on a vCPU, with only the calls write and exit; no Linux personality. */
export interface Guest {
  readonly vcpu: Vcpu;
  output: string;
  exitCode: number | undefined;
  /** Handles a system call that the vCPU left with. */
  systemCall(): void;
  /** All integer state, for comparison. */
  state(): number[];
}

export async function corpusGuest(
  isaName: IsaName,
  program: string,
  args: readonly string[],
  options: Partial<VcpuOptions>,
): Promise<Guest> {
  const isa = ISAS[isaName];
  const call = isaName === 'x86' ? CALL.x86 : CALL.mips;
  const bytes = new Uint8Array(readFileSync(new URL(`../../corpus/programs/${isaName}/${program}`, import.meta.url)));
  const elf = parseElf(bytes);
  const memory = new GuestMemory(call.top, isa.endian);
  for (const segment of elf.segments) {
    const start = Math.floor(segment.address / 4096) * 4096;
    const end = Math.ceil((segment.address + segment.memorySize) / 4096) * 4096;
    memory.map(start, end - start, segment.permission);
    memory.poke(segment.address, bytes.subarray(segment.offset, segment.offset + segment.fileSize));
  }
  const vcpu = new Vcpu({
    isa,
    memory,
    runtime: createRuntime(runtimeModule(), memory),
    executor: 'interpret',
    loadCompiler: async () => compile,
    ...options,
  });
  await vcpu.prepare();
  const stack = call.top - 0x20000;
  memory.map(stack - 0x100000, 0x110000, PagePermission.Read | PagePermission.Write);
  let at = stack + 256;
  const words = [args.length + 1];
  for (const text of [program, ...args]) {
    const encoded = new TextEncoder().encode(`${text}\0`);
    memory.write(at, encoded);
    words.push(at);
    at += encoded.length;
  }
  for (const [i, word] of [...words, 0, 0, 0].entries()) memory.setU32(stack + 4 * i, word);
  vcpu.set32(call.stackPointer, stack);
  vcpu.pc = elf.entry;
  const guest: Guest = {
    vcpu,
    output: '',
    exitCode: undefined,
    systemCall() {
      const [a0, a1, a2] = call.args.map((offset) => vcpu.get32(offset));
      const number = vcpu.get32(call.number) - call.base;
      let result = -38;
      if (number === 4) {
        guest.output += new TextDecoder().decode(memory.view(a1, a2 >>> 0, 'read'));
        result = a2;
      } else if ((call.exits as readonly number[]).includes(number)) guest.exitCode = a0;
      vcpu.set32(call.result, result);
      if (call.error !== undefined) vcpu.set32(call.error, 0);
    },
    state: () => isa.registers.filter((r) => r.visible).map((r) => vcpu.get32(r.offset)),
  };
  return guest;
}
