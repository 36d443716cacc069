import { ExitKind } from '../../assembly/shared/exit.ts';
import { Type } from '../../src/ir/ops.ts';
import type { Code } from '../../src/isa/code.ts';
import type { Helper, Isa, Register } from '../../src/isa/isa.ts';
import { ABI, MXCSR_RESET, resetSegments, setEflags, setMxcsr } from './abi.ts';
import { contextOf } from './context.ts';
import { Decoded, decode, NO_ROW, newInsn } from './decode.ts';
import { disassemble } from './disassemble.ts';
import { templates } from './open.ts';
import { memoryBytes } from './operands.ts';
import { Kind, type Meaning, type Row } from './row.ts';
import { writeHelpers } from './rows/misc.ts';
import { sseHelpers } from './rows/sse.ts';
import { stringHelpers } from './rows/string.ts';
import { systemHelpers } from './rows/system.ts';
import { x87Helpers } from './rows/x87.ts';
import { doubleHelpers, doubleMeaning, doubleRegisters } from './rows/x87-double.ts';
import { knownHelpers, knownMeaning } from './rows/x87-known.ts';
import { sensitiveInstructions, table } from './rows.ts';
import { Eflags, Segment, Vector } from './sdm.ts';
import { checkFetch, segmentationHelpers, segmentOf } from './segmentation.ts';
import { X86 } from './state.ts';
import { ioHelpers } from './system/io.ts';
import { debugHelpers, liftSystem } from './system/lift.ts';
import { machine, machineHelpers, SYSTEM_REGISTERS } from './system/machine.ts';
import { registerHelpers } from './system/registers.ts';
import { counterOf } from './system/sensitive.ts';
import { Mode, System } from './system/state.ts';
import { transferHelpers } from './system/transfer.ts';

const helpers: readonly Helper[] = [
  ...stringHelpers,
  ...writeHelpers,
  ...systemHelpers,
  ...x87Helpers,
  ...knownHelpers,
  ...sseHelpers,
  ...segmentationHelpers,
  ...transferHelpers,
  ...registerHelpers,
  ...ioHelpers,
  ...debugHelpers,
  ...machineHelpers,
];

const i32 = (name: string, offset: number, visible = true): Register => ({ name, offset, type: Type.I32, local: true, visible });
const flag = (name: string, offset: number): Register => ({ ...i32(name, offset, false), transient: true });
const scratch = (name: string, offset: number, type: Type): Register => ({
  name,
  offset,
  type,
  local: true,
  scratch: true,
  visible: false,
});

const registers: readonly Register[] = [
  ...['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, n) => i32(name, n * 4)),
  flag('cf', X86.CF),
  flag('zf_result', X86.ZF_RESULT),
  flag('sf_result', X86.SF_RESULT),
  flag('pf_result', X86.PF_RESULT),
  flag('af_result', X86.AF_RESULT),
  flag('of_result', X86.OF_RESULT),
  scratch('sse_code', X86.SSE_CODE, Type.I32),
  scratch('sse_single', X86.SSE_SINGLE, Type.F32),
  scratch('sse_double', X86.SSE_DOUBLE, Type.F64),
  scratch('sse_vector', X86.SSE_VECTOR, Type.V128),
  i32('df', X86.DF, false),
  i32('other_flags', X86.OTHER_FLAGS, false),
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, n) => i32(name, X86.ES + n * 4)),
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, n) => i32(`${name}_base`, X86.ES_BASE + n * 4, false)),
  ...[...SYSTEM_REGISTERS].map(([name, offset]) => ({ ...i32(name, offset, false), local: false })),
  ...Array.from({ length: 8 }, (_, n) => ({ name: `xmm${n}`, offset: X86.XMM + n * 16, type: Type.V128, local: true, visible: true })),
];

const insn = newInsn(NO_ROW);

const lift =
  (meaningOf: (row: Row) => Meaning): Isa['lift'] =>
  (b, code, pc, mode, assumed = -1) => {
    if (mode & Mode.SYSTEM) return liftSystem(table(), insn, b, code, pc, mode);
    const segments = mode & ~Mode.DENORMALS;
    const decoded = decode(table(), insn, code, pc >>> 0, segments === 0 || segments & Mode.CODE32 ? 4 : 2);
    insn.mode = segments;
    insn.denormals = segments !== mode;
    insn.assumed = assumed;
    if (decoded === Decoded.Ok) {
      b.insn(pc, insn.length);
      if (segments !== 0) checkFetch(b, insn);
      meaningOf(insn.row)(b, insn);
    } else if (decoded === Decoded.Illegal) b.exit(ExitKind.Illegal, pc);
    else b.exit(ExitKind.Exception, pc, Vector.GP, 0);
    return insn.next;
  };

/**
 * Whether debug traps wait for the next instruction after the one at `pc`: a load of SS (SDM volume 3, 6.8.3), or one that Linux
 * emulates (UMIP).
 */
export function holdsTraps(code: Code, pc: number): boolean {
  if (decode(table(), insn, code, pc >>> 0) !== Decoded.Ok) return false;
  const { row, reg } = insn;
  return row.text === 'POP SS' || (row.text === 'MOV Sw, Ew' && reg === Segment.SS) || /^(S[GIL]DT|SMSW|STR) /.test(row.text);
}

/** Of these, an operand in memory is read and written. */
const MODIFIES = /^(ADD|ADC|SUB|SBB|AND|OR|XOR|INC|DEC|NOT|NEG|RO[LR]|RC[LR]|SA[LR]|SH[LR]D?|BT[CRS]|XADD|XCHG|CMPXCHG|CMPXCHG8B) [EM]/;

const codeSize = (mode: number): 2 | 4 => ((mode & ~Mode.DENORMALS) === 0 || mode & Mode.CODE32 ? 4 : 2);

interface MemoryOperand {
  /** Read and written. */
  readonly isModified: boolean;
  readonly segment: number;
  readonly bytes: number;
}
/** The operand in memory of the instruction at `pc`. */
export function memoryOperand(code: Code, pc: number, mode: number): MemoryOperand | undefined {
  if (decode(table(), insn, code, pc >>> 0, codeSize(mode)) !== Decoded.Ok) return undefined;
  const { row, mod } = insn;
  const isExplicit = row.modrm && mod !== 3;
  if (!isExplicit && !row.operands.some(({ kind }) => kind === Kind.O || kind === Kind.X || kind === Kind.B)) return undefined;
  return { isModified: isExplicit && MODIFIES.test(row.text), segment: segmentOf(insn), bytes: memoryBytes(insn) };
}

/** x86: in user mode 32-bit protected mode with flat segments, what a Linux i386 program sees; in system mode all modes of 32 bits. */
export const x86: Isa = {
  name: 'x86',
  endian: 'little',
  registers,
  stateSize: System.SIZE,
  helpers,
  stackPointer: ABI.stackPointer,
  coherentCode: true,
  mode: X86.MODE,
  bounded: [
    [X86.FTOP, 7],
    [X86.MODE, Mode.ORDINARY | Mode.LOOSE | Mode.DENORMALS],
  ],
  lasting: Mode.DENORMALS,
  step: Mode.ORDINARY | Mode.STEP,
  assumed: X86.FTOP,
  assumedNext: (b, assumed) => contextOf(b).top ?? assumed,
  lift: lift(knownMeaning),
  templates: templates(knownMeaning),
  mode16: Mode.SYSTEM,
  disassemble: (code, pc, mode = 0) => disassemble(table(), code, pc, codeSize(mode)),
  reset(state) {
    for (let offset = 0; offset < X86.SIZE; offset += 4) state.setUint32(offset, 0, true);
    setEflags(state, Eflags.IF);
    resetSegments(state);
    // FNINIT's values (SDM volume 1, 8.1.5, 8.1.7) and MXCSR's at reset (11.6.4)
    state.setUint32(X86.FCW, 0x37f, true);
    state.setUint32(X86.FTW, 0xffff, true);
    setMxcsr(state, MXCSR_RESET);
  },
  system: {
    ...machine,
    get sensitive() {
      return sensitiveInstructions();
    },
    counts: (cpu) => sensitiveInstructions().map(({ number }) => cpu.get32(counterOf(number)) >>> 0),
  },
};

const { system: _, assumed: __, assumedNext: ___, ...userMode } = x86;
/** User mode with the x87 in double precision, which is no longer what a processor does. */
export const x86Double: Isa = {
  ...userMode,
  variant: 'x87-64',
  registers: [...registers.filter(({ name }) => !SYSTEM_REGISTERS.has(name)), ...doubleRegisters],
  stateSize: X86.DOUBLES_END,
  // status word and TOP may be in locals
  helpers: [...helpers.map((helper) => (x87Helpers.includes(helper) ? { ...helper, range: undefined } : helper)), ...doubleHelpers],
  lift: lift(doubleMeaning),
  templates: templates(doubleMeaning),
};
