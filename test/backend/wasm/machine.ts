import { Layout } from '../../../assembly/shared/layout.ts';
import { compileRegions } from '../../../src/backend/wasm/compile.ts';
import type { CompileOptions } from '../../../src/backend/wasm/options.ts';
import { formRegion, REGION_LIMITS } from '../../../src/backend/wasm/region.ts';
import type { Block } from '../../../src/ir/block.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { deadcode } from '../../../src/ir/passes/deadcode.ts';
import { verify } from '../../../src/ir/verify.ts';
import type { Isa } from '../../../src/isa/isa.ts';
import { runtimeModule } from '../../support/runtime.ts';

export const REGISTERS = ['r0', 'r1', 'r2', 'r3'].map((name, i) => ({ name, offset: 4 * i, type: Type.I32, local: i < 3, visible: true }));
/** A register of two words, which are also accessed as one number. */
export const F = 16;
const WORDS = [F, F + 4].map((offset) => ({
  name: `f+${offset - F}`,
  offset,
  type: Type.I32,
  local: false,
  visible: true,
  mixed: offset === F,
}));
export const isa = {
  name: 'toy',
  endian: 'little',
  registers: [...REGISTERS, ...WORDS],
  stateSize: 64,
  helpers: [],
  coherentCode: false,
} as unknown as Isa;
export const PAGES = 4100;
export const CODE = 0x20000;

export type Lift = (b: Builder) => void;

/** Guest code given as blocks built by hand, compiled, with a table and a memory around it. */
export function machine(
  code: Record<number, Lift>,
  entries: readonly number[],
  checked = false,
  expected?: ReadonlyMap<number, Uint8Array>,
  exactState = false,
  inlined = 0,
  seenTargets?: (block: Block) => readonly number[],
  unrolled?: number,
  likelyCallees?: ReadonlyMap<number, number>,
) {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536 });
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
  const data = new DataView(memory.buffer);
  const lift = (pc: number): Block | undefined => {
    const build = code[pc];
    if (!build) return undefined;
    const b = new Builder([]);
    b.begin(pc);
    build(b);
    const block = deadcode(b.finish(pc + 16), { preciseMemory: checked });
    verify(block, 64);
    return block;
  };
  const limits = { ...REGION_LIMITS, inlined, dispatches: true, ...(unrolled !== undefined && { unrolled }) };
  const regions = entries.map((entry) => formRegion(entry, lift, seenTargets, limits)!);
  const options: CompileOptions = {
    isa,
    checked,
    memoryPages: PAGES,
    exactState,
    callSlots: new Map(Array.from({ length: 64 }, (_, i) => [CODE + 16 * i, i])),
    ...(expected && { expectedBytes: expected }),
    ...(likelyCallees && { likelyCallees }),
  };
  const wasm = compileRegions(regions, options);
  const checkAccess = (address: number, bytes: number, access: number): number => {
    for (const at of [address, address + bytes - 1]) {
      if (data.getUint8(Layout.PAGES + (at >>> 12)) & access) continue;
      data.setUint32(Layout.EXIT_ARG0, at, true);
      data.setUint32(Layout.EXIT_ARG1, access, true);
      return 1;
    }
    return 0;
  };
  const runtime = new WebAssembly.Instance(runtimeModule(), { env: { memory, table, abort: () => undefined } }).exports;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { ...runtime, memory, table, checkAccess } });
  const stub = new WebAssembly.Instance(
    new WebAssembly.Module(
      new Uint8Array([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 115, 0, 0, 10, 6, 1, 4, 0, 32, 0, 11,
      ]),
    ),
  ).exports.s as CallableFunction;
  for (let i = 0; i < 64; i++) table.set(i, stub);
  for (const region of regions) {
    const f = instance.exports[`r${region.entry.toString(16).padStart(8, '0')}`] as CallableFunction;
    table.set((region.entry - CODE) >>> 4, f);
  }
  data.setInt32(Layout.BUDGET, 1_000_000, true);
  return {
    data,
    regions,
    options,
    set: (r: number, value: number) => data.setInt32(Layout.STATE + 4 * r, value, true),
    get: (r: number) => data.getInt32(Layout.STATE + 4 * r, true),
    budget: () => data.getInt32(Layout.BUDGET, true),
    setBudget: (n: number) => data.setInt32(Layout.BUDGET, n, true),
    kind: () => data.getInt32(Layout.EXIT_KIND, true),
    pc: () => data.getUint32(Layout.PC, true),
    call: (entry: number, depth = 100_000, pc = entry) =>
      (instance.exports[`r${entry.toString(16).padStart(8, '0')}`] as (pc: number, depth: number) => number)(pc, depth) >>> 0,
  };
}

export const r = (b: Builder, n: number) => b.get(Type.I32, 4 * n);
export const at = (n: number) => CODE + 16 * n;
