import { JumpSite } from '../../../assembly/shared/layout.ts';
import type { Block } from '../../ir/block.ts';
import { Type } from '../../ir/ops.ts';
import { isConditional } from '../../isa/isa.ts';
import { emitRegion, functionName } from './emit.ts';
import { binaryen, type Expression, type Module, newModule, WASM_TYPES } from './expressions.ts';
import { coldRegisters, switchLoops } from './loops.ts';
import { settleTypes } from './mixed-registers.ts';
import { type Access, accessIn, type CompiledIsa, type CompileOptions } from './options.ts';
import type { Region } from './region.ts';
import { planSlots, Slots } from './slots.ts';

const FEATURES =
  binaryen.Features.SignExt |
  binaryen.Features.NontrappingFPToInt |
  binaryen.Features.SIMD128 |
  binaryen.Features.TailCall |
  binaryen.Features.ReferenceTypes |
  binaryen.Features.MutableGlobals |
  binaryen.Features.BulkMemory;

/** What every ISA's regions may call, beside its own helpers; all parameters and results are i32. */
const ENGINE_HELPERS: Readonly<Record<string, number>> = {
  checkAccess: 3,
  exitRegion: 3,
  exitOnStackFault: 3,
  compileMissing: 2,
  callTable: 3,
  samePage: 2,
  regionRead: 3,
  regionWrite: 3,
};

/** The accesses that may trap, in the order of their marks in the source map. */
interface Marks {
  readonly accesses: Access[];
  readonly places: { name: string; expression: Expression; mark: number }[];
}

/**
 * Compiles regions into one module. Its imports are `env.memory`, `env.table` and the helpers under `env`; it exports one
 * function `r<entry pc in hex>` for each region.
 */
export function compileRegions(regions: readonly Region[], options: CompileOptions): Uint8Array<ArrayBuffer> {
  return compileGroups([{ regions, options }]);
}

/** Regions that may call each other directly. */
export interface RegionGroup {
  readonly regions: readonly Region[];
  readonly options: CompileOptions;
}

/**
 * Compiles several groups for the same guest into one module, though code at one pc may differ between them: functions of
 * group n > 0 have names with `_n` at their end.
 */
export function compileGroups(groups: readonly RegionGroup[]): Uint8Array<ArrayBuffer> {
  const m = build(groups);
  try {
    return m.emitBinary() as Uint8Array<ArrayBuffer>;
  } finally {
    m.dispose();
  }
}

/**
 * The guest's memory access at a byte offset in the module that the same arguments gave to compileRegions, or
 * undefined. Costs a second compilation, so that modules carry no map.
 */
export function accessAtOffset(regions: readonly Region[], options: CompileOptions, offset: number): Access | undefined {
  return accessIn(accessMap(regions, options), offset);
}

/**
 * Triples: a byte offset in that module from where on, guest pc, and 0 for a read, 1 for a write, 2 if it is no access.
 * Offsets ascend.
 */
export function accessMap(regions: readonly Region[], options: CompileOptions): number[] {
  const marks: Marks = { accesses: [], places: [] };
  const m = build([{ regions, options }], marks);
  try {
    const file = m.addDebugInfoFileName('guest');
    const functions = new Map(regions.map((region) => [functionName(region.entry), m.getFunction(functionName(region.entry))]));
    for (const { name, expression, mark } of marks.places) m.setDebugLocation(functions.get(name)!, expression, file, mark + FIRST_LINE, 0);
    const { sourceMap } = m.emitBinary('map');
    const mappings = (JSON.parse(sourceMap ?? '{"mappings":""}') as { mappings: string }).mappings;
    const map: number[] = [];
    let at = 0;
    let line = 0;
    for (const segment of mappings.split(',').filter(Boolean)) {
      const [column, source, lineDelta] = decodeVlq(segment);
      at += column;
      if (source !== undefined) line += lineDelta;
      const access = source === undefined ? undefined : marks.accesses[line + 1 - FIRST_LINE];
      map.push(at, access?.pc ?? 0, access ? Number(access.write) : 2);
    }
    return map;
  } finally {
    m.dispose();
  }
}

/** binaryen writes no mapping for line 1, column 0: it is what it starts from. */
const FIRST_LINE = 2;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** One segment of a source map (revision 3): base-64 variable-length signed numbers. */
function decodeVlq(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const c of text) {
    const digit = BASE64.indexOf(c);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** Notes the target of an indirect jump of the region at `entry` in its JumpSite. `target` makes a fresh expression each time. */
function storeTarget(m: Module, entry: number, site: () => Expression, target: () => Expression): Expression {
  const mixed = m.i32.xor(m.i32.shr_u(target(), m.i32.const(1)), m.i32.shr_u(target(), m.i32.const(6)));
  const word = m.i32.shl(m.i32.and(mixed, m.i32.const(JumpSite.WORDS - 1)), m.i32.const(2));
  return m.block(null, [m.i32.store(0, 4, m.i32.add(site(), word), target()), m.i32.store(JumpSite.BY, 4, site(), m.i32.const(entry | 0))]);
}

function signature(name: string, isa: CompiledIsa): { params: readonly Type[]; result: Type } {
  if (name in ENGINE_HELPERS) return { params: new Array<Type>(ENGINE_HELPERS[name]).fill(Type.I32), result: Type.I32 };
  const helper = isa.helpers.find((h) => h.name === name)!;
  return { params: isConditional(helper) ? helper.params.slice(0, 1) : helper.params, result: helper.result };
}

function build(groups: readonly RegionGroup[], marks?: Marks): Module {
  const [{ options: first }] = groups;
  const { m, constructors } = newModule();
  m.setFeatures(FEATURES);
  m.setMemory(first.memoryPages, 65536);
  m.addMemoryImport('0', 'env', 'memory');
  if (!first.callsThrough) {
    m.addTable('table', 0, -1);
    m.addTableImport('table', 'env', 'table');
  }
  const allSlots = new Slots(first.isa.registers);
  const helpers = new Set<string>();
  const numbers = new Set<string>();
  const imported = (name: string): Expression => {
    if (!numbers.has(name)) m.addGlobalImport(name, 'env', name, binaryen.i32);
    numbers.add(name);
    return m.global.get(name, binaryen.i32);
  };
  for (const [n, { regions, options }] of groups.entries()) {
    const names = new Map(regions.map((region) => [region.entry, functionName(region.entry, n)]));
    const stackPointer = options.checked || options.paged ? undefined : options.isa.stackPointer;
    for (const given of regions) {
      const { region: formed, registers } = settleTypes(given, first.isa.registers);
      const leavesAtEntry = (block: Block): boolean => block.size > 0 && (options.expectedBytes?.has(block.pc) ?? false);
      const purposes = {
        preciseMemory: options.checked || options.paged !== undefined,
        leavesAtEntry,
        exactState: options.exactState ?? false,
        exactSwitches: options.exactSwitches ?? false,
        callee: (pc: number) => options.callees?.get(pc),
        switchLoops: switchLoops(formed),
        readByCalls: stackPointer,
      };
      let slots = registers === first.isa.registers ? allSlots : new Slots(registers);
      let { region, plan } = planSlots(formed, slots, purposes);
      const cold = coldRegisters(region, first.isa.registers);
      if (cold.size > 0) {
        slots = new Slots(registers.filter((register) => !cold.has(register)));
        ({ region, plan } = planSlots(region, slots, purposes));
      }
      const name = names.get(region.entry)!;
      emitRegion(region, plan, {
        module: m,
        name,
        constructors,
        slots,
        checked: options.checked,
        paged: options.paged && { mode: options.paged.mode, pages: options.paged.pages.get(region.entry) ?? [] },
        callsAccesses: options.paged?.calls.has(region.entry) ?? false,
        alignedAccess: options.isa.alignedAccess ?? false,
        slowPaths: options.slowPaths?.get(region.entry) ?? 'leave',
        stackPointer,
        callSlot: (pc) => {
          const index = options.callSlots?.get(pc);
          return index === undefined ? undefined : options.relocatable ? imported(`s${pc.toString(16)}`) : m.i32.const(index);
        },
        compileMissing: options.compileMissing ?? false,
        callsThrough: options.callsThrough ?? false,
        likelyCallee: (pc) => options.likelyCallees?.get(pc),
        functionAt: (pc) => names.get(pc),
        expectedBytes: (pc) => options.expectedBytes?.get(pc),
        noteJump: (block, target) => {
          const site = options.jumpSites?.get(block.pc);
          if (site === undefined) return undefined;
          return storeTarget(
            m,
            region.entry,
            () => (options.relocatable ? imported(`j${block.pc.toString(16)}`) : m.i32.const(site)),
            target,
          );
        },
        useHelper: (helper) => helpers.add(helper),
        noteAccess: marks && ((expression, access) => marks.places.push({ name, expression, mark: marks.accesses.push(access) - 1 })),
      });
      m.addFunctionExport(name, name);
    }
  }
  for (const name of helpers) {
    const { params, result } = signature(name, first.isa);
    m.addFunctionImport(name, 'env', name, binaryen.createType(params.map((type) => WASM_TYPES[type])), WASM_TYPES[result]);
  }
  return m;
}
