import { ExitKind } from '../../assembly/shared/exit.ts';
import { Layout, PagePermission } from '../../assembly/shared/layout.ts';
import { lowerBlock } from '../../src/backend/interpret/lower.ts';
import { createRuntime, type Runtime } from '../../src/backend/runtime.ts';
import type { Block } from '../../src/ir/block.ts';
import { Builder } from '../../src/ir/builder.ts';
import { liftBlock } from '../../src/ir/lift.ts';
import { Type } from '../../src/ir/ops.ts';
import { deadcode } from '../../src/ir/passes/deadcode.ts';
import { verify } from '../../src/ir/verify.ts';
import { Code, PAGE_SIZE } from '../../src/isa/code.ts';
import type { Isa } from '../../src/isa/isa.ts';
import { type Exit, makeExit } from '../../src/vcpu/exit.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { runtimeModule } from './runtime.ts';

export interface MachineOptions {
  readonly memoryModel?: 'direct' | 'checked';
  /** Exclusive top of guest addresses. */
  readonly top?: number;
  /** As Layout.HOT_THRESHOLD; then an arrival that makes a block hot is an InternalExit. */
  readonly hotThreshold?: number;
}

/** A guest that the interpreter alone runs, for tests of one stage or one instruction set. */
export interface Machine {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  pc: number;
  /** What is left of the budget of the last run. */
  readonly budget: number;
  /** Value of a register, by name as in Isa.registers: unsigned for i32, a BigInt for i64, a number for floats, sixteen bytes for v128. */
  get(name: string): number | bigint | Uint8Array;
  set(name: string, value: number | bigint | Uint8Array): void;
  /** Words of guest state at a byte offset, unsigned. */
  word(offset: number): number;
  setWord(offset: number, value: number): void;
  /** Maps what is not yet mapped (readable, writable, executable) and copies bytes there. What was translated is forgotten. */
  put(address: number, bytes: ArrayLike<number>): void;
  bytes(address: number, length: number): Uint8Array;
  /** Lifts, verifies, removes dead code: as `run` sees it. */
  block(pc: number): Block;
  /** Makes a block of the test's own what is run at its pc. */
  install(block: Block, verifyBytes?: Uint8Array): number;
  /** Runs to an Exit; a Miss is lifted if there is code, other internal exits are thrown as InternalExit. */
  run(budget?: number): Exit;
  /** Runs exactly n instructions (or to an earlier Exit). */
  step(n?: number): Exit;
  /** Runs once, with the ExitKind as it is. */
  enter(budget: number): ExitKind;
}

/** Guest code was left with a kind that only the vCPU handles. */
export class InternalExit extends Error {
  override name = 'InternalExit';
  constructor(
    readonly kind: ExitKind,
    readonly pc: number,
  ) {
    super(`internal exit ${kind} at 0x${pc.toString(16)}`);
  }
}

/** Made when the module loads: compiling the runtime takes longer than a test may. */
const RUNTIME = runtimeModule();

export function makeMachine(isa: Isa, options: MachineOptions = {}): Machine {
  const checked = options.memoryModel === 'checked';
  const memory = new GuestMemory(options.top ?? 0x4000000, isa.endian);
  const runtime = createRuntime(RUNTIME, memory);
  const { data } = memory;
  const builder = new Builder(isa.helpers);
  const code = new Code(memory.codePage);
  let next: number = Layout.UOPS;
  const header = (address: number): number => data.getInt32(address, true);
  const setHeader = (address: number, value: number): void => data.setInt32(address, value, true);
  setHeader(Layout.CHECKED, Number(checked));
  setHeader(Layout.HOT_THRESHOLD, options.hotThreshold ?? 0);
  setHeader(Layout.DEPTH, 1000);
  isa.reset(new DataView(memory.memory.buffer, Layout.STATE, Layout.STATE_SIZE));

  const register = (name: string): { offset: number; type: Type } => {
    const found = isa.registers.find((r) => r.name === name);
    if (!found) throw new Error(`${isa.name} has no register ${name}`);
    return { offset: Layout.STATE + found.offset, type: found.type };
  };
  const forget = (): void => {
    memory.bytes.fill(0, Layout.BLOCK_HASH, Layout.BLOCK_HASH + 8 * (Layout.HASH_MASK + 1));
    next = Layout.UOPS;
    runtime.constants.set([]);
    code.forget();
  };
  const lift = (pc: number, limit?: { limit: number }): Block => {
    const mode = isa.mode === undefined ? 0 : data.getInt32(Layout.STATE + isa.mode, true);
    const block = liftBlock(isa, builder, code, pc, { ...limit, mode });
    verify(block, isa.stateSize);
    const after = deadcode(block, { preciseMemory: checked });
    verify(after, isa.stateSize);
    return after;
  };
  const publish = (pc: number, address: number): void => {
    const entry = Layout.BLOCK_HASH + ((pc ^ (pc >>> 16)) & Layout.HASH_MASK) * 8;
    data.setUint32(entry, pc, true);
    data.setUint32(entry + 4, address, true);
  };
  const machine: Machine = {
    isa,
    memory,
    runtime,
    get pc() {
      return header(Layout.PC) >>> 0;
    },
    set pc(value) {
      setHeader(Layout.PC, value);
    },
    get budget() {
      return header(Layout.BUDGET);
    },
    get(name) {
      const { offset, type } = register(name);
      switch (type) {
        case Type.I64:
          return data.getBigUint64(offset, true);
        case Type.F32:
          return data.getFloat32(offset, true);
        case Type.F64:
          return data.getFloat64(offset, true);
        case Type.V128:
          return memory.bytes.slice(offset, offset + 16);
        default:
          return data.getUint32(offset, true);
      }
    },
    set(name, value) {
      const { offset, type } = register(name);
      if (value instanceof Uint8Array) memory.bytes.set(value, offset);
      else if (type === Type.I64) data.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
      else if (type === Type.F32) data.setFloat32(offset, Number(value), true);
      else if (type === Type.F64) data.setFloat64(offset, Number(value), true);
      else data.setUint32(offset, Number(value), true);
    },
    word: (offset) => data.getUint32(Layout.STATE + offset, true),
    setWord: (offset, value) => data.setUint32(Layout.STATE + offset, value, true),
    put(address, bytes) {
      for (let page = address >>> 12; page * PAGE_SIZE < address + bytes.length; page++) {
        if (memory.permission(page * PAGE_SIZE) === 0) {
          memory.map(page * PAGE_SIZE, PAGE_SIZE, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        }
      }
      memory.poke(address, Uint8Array.from(bytes));
      forget();
    },
    bytes: (address, length) => memory.bytes.slice(GuestMemory.index(address), GuestMemory.index(address) + length),
    block: (pc) => lift(pc),
    install(block, verifyBytes) {
      const address = next;
      next = lowerBlock(block, runtime, address, { checked, verifyBytes });
      publish(block.pc, address);
      return address;
    },
    enter(budget) {
      setHeader(Layout.BUDGET, budget);
      setHeader(Layout.EXIT_KIND, ExitKind.None);
      runtime.run();
      return header(Layout.EXIT_KIND);
    },
    run(budget = 1_000_000) {
      let kind = machine.enter(budget);
      while (kind === ExitKind.Miss || isModeChange(kind)) {
        if (isModeChange(kind)) {
          if (kind !== ExitKind.Continue) machine.pc = header(kind === ExitKind.Resume ? Layout.NEXT_PC : Layout.EXIT_ARG0);
          forget();
        }
        machine.install(lift(machine.pc));
        kind = machine.enter(machine.budget);
      }
      return leave(kind);
    },
    step(n = 1) {
      const address = Layout.UOPS_END - 0x100000;
      setHeader(Layout.BUDGET, n);
      while (machine.budget > 0) {
        setHeader(Layout.EXIT_KIND, ExitKind.None);
        lowerBlock(lift(machine.pc, { limit: machine.budget }), runtime, address, { checked });
        runtime.runBlock(address);
        const kind = header(Layout.EXIT_KIND);
        // a branch and its delay slot count two
        if (kind === ExitKind.Budget) setHeader(Layout.BUDGET, machine.budget + 1);
        else if (kind !== ExitKind.None) return leave(kind);
      }
      return leave(ExitKind.Budget);
    },
  };
  const isModeChange = (kind: ExitKind): boolean => kind === ExitKind.Continue || kind === ExitKind.Resume || kind === ExitKind.Next;
  const leave = (kind: ExitKind): Exit => {
    if (kind >= ExitKind.Miss) throw new InternalExit(kind, machine.pc);
    return makeExit(kind, machine.pc, header(Layout.EXIT_ARG0) >>> 0, header(Layout.EXIT_ARG1) >>> 0, header(Layout.EXIT_ARG2) >>> 0);
  };
  return machine;
}
