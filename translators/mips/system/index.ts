import { Mmu } from '../../../assembly/shared/layout.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper, Register } from '../../../src/isa/isa.ts';
import type { IsaSystem } from '../../../src/isa/system.ts';
import { Mips, Mode, Status } from '../state.ts';
import { CONFIG, CONFIG_BE } from './coprocessor0.ts';
import { SENSITIVE } from './sensitive.ts';

const RESET_PC = 0xbfc00000;
const EBASE = 0x80000000;

const range = [Mips.CP0, Mips.CP0_END] as const;
/** They touch no register that may be in a local. */
const privileged = (name: string, params: number): Helper => ({
  name,
  params: new Array<Type>(params).fill(Type.I32),
  result: Type.I32,
  state: true,
  range,
  pure: false,
});
export const systemHelpers: readonly Helper[] = [
  // (value, register, next): 1 if code that runs now has to be left
  privileged('mips_mtc0', 3),
  // (enable, next)
  privileged('mips_enable', 2),
  // (next)
  privileged('mips_tlbwi', 1),
  privileged('mips_tlbwr', 1),
  privileged('mips_tlbr', 1),
  privileged('mips_random', 0),
  // (pc): 1 if coprocessor 1 is not usable
  privileged('mips_kernel_float', 1),
  { ...privileged('mips_tlbp', 0), result: Type.None },
  // (address, alignment): 1 and the fault is recorded
  { name: 'mips_check_store', params: [Type.I32, Type.I32], result: Type.I32, state: false, pure: false },
  { name: 'mips_next', params: [Type.I32], result: Type.None, state: false, pure: false },
  // guest time may follow from the budget, which a helper with all of the state finds up to date
  { name: 'mips_count', params: [], result: Type.I32, state: true, pure: false },
  { name: 'mips_mtc0_time', params: [Type.I32, Type.I32, Type.I32], result: Type.I32, state: true, pure: false },
  { name: 'mips_hypercall', params: [Type.I32], result: Type.I32, state: true, pure: false },
  { name: 'mips_eret', params: [], result: Type.None, state: true, pure: false },
  // between two runs
  { name: 'mips_line', params: [Type.I32, Type.I32], result: Type.None, state: true, pure: false },
  { name: 'mips_interrupt_pending', params: [], result: Type.I32, state: true, pure: false },
  { name: 'mips_take_interrupt', params: [], result: Type.None, state: true, pure: false },
  { name: 'mips_timer_next', params: [], result: Type.F64, state: true, pure: false },
  { name: 'mips_timer_tick', params: [], result: Type.None, state: true, pure: false },
];

const WORDS: readonly (readonly [name: string, offset: number])[] = [
  ['c0_index', Mips.INDEX],
  ['c0_entrylo0', Mips.ENTRYLO0],
  ['c0_entrylo1', Mips.ENTRYLO1],
  ['c0_context', Mips.CONTEXT],
  ['c0_pagemask', Mips.PAGEMASK],
  ['c0_wired', Mips.WIRED],
  ['c0_hwrena', Mips.HWRENA],
  ['c0_badvaddr', Mips.BADVADDR],
  ['c0_entryhi', Mips.ENTRYHI],
  ['c0_compare', Mips.COMPARE],
  ['c0_status', Mips.STATUS],
  ['c0_cause', Mips.CAUSE],
  ['c0_epc', Mips.EPC],
  ['c0_ebase', Mips.EBASE],
  ['c0_config', Mips.CONFIG],
  ['c0_errorepc', Mips.ERROREPC],
];
/** Coprocessor 0, which user mode does not show. */
export const systemRegisters: readonly Register[] = WORDS.map(([name, offset]) => ({
  name,
  offset,
  type: Type.I32,
  local: false,
  visible: false,
}));

/** `all`: the registers that a boot protocol may set. */
export const makeSystem = (bigEndian: boolean, all: readonly Register[]): IsaSystem => ({
  mmu: Mmu.Mips,
  modeBit: Mode.SYSTEM,
  sensitive: SENSITIVE,
  counts: (cpu) => SENSITIVE.map(({ number }) => cpu.get32(Mips.SENSITIVE_COUNTS + 4 * number) >>> 0),
  hypercall: { number: 'v0', args: ['a0', 'a1', 'a2', 'a3'], result: 'v0' },
  reset(cpu) {
    for (let offset = Mips.CP0; offset < Mips.SIZE; offset += 4) cpu.set32(offset, 0);
    // MIPS32 volume III, 9: what reset leaves defined
    cpu.set32(Mips.STATUS, Status.BEV | Status.ERL);
    cpu.set32(Mips.EBASE, EBASE);
    cpu.set32(Mips.CONFIG, CONFIG | (bigEndian ? CONFIG_BE : 0));
    cpu.state.setFloat64(Mips.COMPARE_DUE, Number.POSITIVE_INFINITY, true);
    cpu.mode = Mode.SYSTEM;
    cpu.pc = RESET_PC;
  },
  enterKernel(cpu, pc, registers) {
    cpu.set32(Mips.STATUS, Status.BEV);
    for (const [name, value] of Object.entries(registers)) {
      const offset = all.find((register) => register.name === name)?.offset;
      if (offset === undefined) throw new Error(`MIPS has no register ${name}`);
      cpu.set32(offset, value);
    }
    cpu.pc = pc;
  },
  setInterrupt: (cpu, input, level) => void cpu.callHelper('mips_line', input, Number(level)),
  interruptPending: (cpu) => cpu.callHelper('mips_interrupt_pending') !== 0,
  takeInterrupt: (cpu) => void cpu.callHelper('mips_take_interrupt'),
  // what the runtime leaves undelivered is no exception of the guest's
  deliver: () => 'shutdown',
  restart: (pc) => ((pc & 3) === 2 ? (pc - 6) >>> 0 : pc),
  timer: {
    next: (cpu) => cpu.callHelper('mips_timer_next'),
    tick: (cpu) => void cpu.callHelper('mips_timer_tick'),
    isPossible: (state) =>
      Number.isFinite(state.getFloat64(Mips.COUNT_SINCE, true)) && !Number.isNaN(state.getFloat64(Mips.COMPARE_DUE, true)),
  },
});
