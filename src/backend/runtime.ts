import { Layout } from '../../assembly/shared/layout.ts';
import { BlockInput, Ir } from '../../assembly/shared/lowering.ts';
import { BlockFlag, BlockHeader, Slot } from '../../assembly/shared/uop.ts';
import type { Words } from '../ir/builder.ts';
import type { Helper } from '../isa/isa.ts';
import type { SystemImports } from '../isa/system.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';

/** The AssemblyScript runtime over one guest's memory, and what the lowering of blocks keeps between them. */
export interface Runtime {
  /** Runs guest code from the header's PC on until EXIT_KIND says why it stopped. */
  readonly run: () => void;
  /** Runs the block with this µop address once; afterwards EXIT_KIND is None if nothing stopped it. */
  readonly runBlock: (address: number) => void;
  readonly runBlocks: () => void;
  /** Functions that generated code calls: helpers by their number among the runtime's exports, then whatever its owner adds by `grow`. Entry 0 is empty. */
  readonly table: WebAssembly.Table;
  readonly exports: Readonly<Record<string, CallableFunction>>;
  /** Makes `table`, with the helpers only, and `exports` anew; no guest code is active. */
  renew(): void;
  /** The memory up to UOPS_END, as words and as bytes. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Where a block lies that is lowered; a builder may build it there. */
  readonly ir: Words & {
    /** See BlockInput. */
    readonly input: Int32Array;
    /** Those that the runtime knows of. */
    helpers: readonly Helper[] | undefined;
  };
  /** Lowers the block in `ir`; see assembly/lower. */
  readonly lower: (address: number, add: number, store: number, eq: number, ne: number) => number;
  /** Puts a block together in `ir`, from templates, and gives an `Assembled`; see assembly/lower/templates.ts. */
  readonly assemble: (pc: number, code: number, room: number, root: number, most: number, mostOps: number, longest: number) => number;
  /** The same for a delay slot that is a block of its own, `branch | 1`. */
  readonly assembleSlot: (branch: number, code: number, root: number) => number;
  /** A custom section of the runtime's module. */
  section(name: string): ArrayBuffer | undefined;
  /** 32-bit constants that µops have in their pool. */
  readonly constants: ConstantPool;
  /** Index in the table of a helper, the same in each run; throws if the runtime does not export it. */
  helperIndex(helper: Helper): number;
  /** The block at this µop address must not be entered again. */
  markStale(address: number): void;
  /** Whether arriving at the block goes through the dispatcher, because there is a region at its pc. */
  markRegion(address: number, present: boolean): void;
  /** Arrivals at the block, by its own count. */
  heat(address: number): number;
  /** Sets that count; far below zero the block rests. */
  setHeat(address: number, arrivals: number): void;
  /** Guest instructions of the block. */
  instructions(address: number): number;
  /** Where the memory holds bytes other than zero between two addresses, in whole pages. */
  dirtyPages(from: number, to: number): Generator<readonly [start: number, end: number]>;
}

export interface ConstantPool {
  /** At most POOL_WORDS. */
  readonly words: Int32Array;
  /** These are all, in their order. */
  set(words: ArrayLike<number>): void;
}
export const POOL_WORDS = (Slot.POOL_END - Slot.POOL) / 4;

const absent = (): never => {
  throw new Error('there is no machine around this vCPU');
};
const NO_MACHINE: SystemImports = {
  busRead: absent,
  busWrite: absent,
  portRead: absent,
  portWrite: absent,
  hypercall: absent,
  now: absent,
  rest: absent,
  msrWritten: absent,
};

const COLD = -0x40000000;

type ReadSection = (name: string) => ArrayBuffer | undefined;
const apart = new WeakMap<WebAssembly.Module, ReadSection>();
/** `module` was compiled without its custom sections, which `read` gives. */
export const sectionsApart = (module: WebAssembly.Module, read: ReadSection): void => void apart.set(module, read);

/** Instantiates build/runtime.wasm, or build/system.wasm for a machine (given as bytes or compiled), over a guest's memory. */
export function createRuntime(
  code: WebAssembly.Module | Uint8Array<ArrayBuffer>,
  memory: GuestMemory,
  system: SystemImports = NO_MACHINE,
): Runtime {
  const module = code instanceof WebAssembly.Module ? code : new WebAssembly.Module(code);
  // in the order of the module, so that µops of another run can call them
  const names = WebAssembly.Module.exports(module)
    .filter(({ kind }) => kind === 'function')
    .map(({ name }) => name);
  const indexes = new Map(names.map((name, i) => [name, 1 + i]));
  const instantiate = (): Pick<Runtime, 'run' | 'runBlock' | 'runBlocks' | 'lower' | 'assemble' | 'assembleSlot' | 'table' | 'exports'> => {
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 + names.length });
    const env = {
      memory: memory.memory,
      table,
      abort: () => {
        throw new Error('the runtime aborted');
      },
      ...system,
    };
    const exports = new WebAssembly.Instance(module, { env }).exports as Record<string, CallableFunction>;
    for (const [name, index] of indexes) table.set(index, exports[name]);
    return {
      run: exports.run as () => void,
      runBlock: exports.runBlock as (address: number) => void,
      runBlocks: exports.runBlocks as () => void,
      lower: exports.lowerBlock as Runtime['lower'],
      assemble: exports.assembleBlock as Runtime['assemble'],
      assembleSlot: exports.assembleSlot as Runtime['assembleSlot'],
      table,
      exports,
    };
  };
  const { buffer } = memory.memory;
  const words = new Int32Array(buffer, 0, Layout.UOPS_END / 4);
  const flag = (address: number, bit: BlockFlag, on: boolean): void => {
    const i = (address + BlockHeader.FLAGS) >>> 2;
    words[i] = on ? words[i] | bit : words[i] & ~bit;
  };
  const runtime: Runtime = {
    ...instantiate(),
    renew() {
      Object.assign(runtime, instantiate());
      runtime.ir.helpers = undefined;
    },
    words,
    bytes: new Uint8Array(buffer, 0, Layout.UOPS_END),
    ir: {
      opcodes: new Uint16Array(buffer, Ir.OPCODES, Ir.CAPACITY),
      a: new Int32Array(buffer, Ir.A, Ir.CAPACITY),
      b: new Int32Array(buffer, Ir.B, Ir.CAPACITY),
      c: new Int32Array(buffer, Ir.C, Ir.CAPACITY),
      d: new Int32Array(buffer, Ir.D, Ir.CAPACITY),
      input: new Int32Array(buffer, Ir.INPUT, (Ir.FILLED - Ir.INPUT) / 4),
      helpers: undefined,
    },
    constants: {
      get words() {
        const count = words[(Ir.INPUT + BlockInput.CONSTANTS) >>> 2];
        return words.slice(Slot.POOL >>> 2, (Slot.POOL >>> 2) + count);
      },
      set(pool) {
        words.set(pool, Slot.POOL >>> 2);
        (runtime.exports.setConstants as (count: number) => void)(pool.length);
      },
    },
    helperIndex({ name }) {
      const index = indexes.get(name);
      if (index === undefined) throw new Error(`the runtime exports no helper ${name}`);
      return index;
    },
    section(name) {
      const read = apart.get(module);
      return read ? read(name) : WebAssembly.Module.customSections(module, name)[0];
    },
    markStale: (address) => flag(address, BlockFlag.STALE, true),
    markRegion: (address, present) => flag(address, BlockFlag.HAS_REGION, present),
    heat: (address) => words[(address + BlockHeader.HEAT) >>> 2],
    setHeat: (address, arrivals) => {
      words[(address + BlockHeader.HEAT) >>> 2] = Math.max(COLD, arrivals);
    },
    instructions: (address) => words[(address + BlockHeader.INSTRUCTIONS) >>> 2],
    *dirtyPages(from, to) {
      const { firstDirtyPage, firstCleanPage } = runtime.exports as Record<string, (from: number, to: number) => number>;
      for (let at = from; at < to; ) {
        const start = firstDirtyPage(at, to) >>> 0;
        at = start < to ? firstCleanPage(start, to) >>> 0 : to;
        if (start < to) yield [start, at];
      }
    },
  };
  return runtime;
}
