import type { Runtime } from '../../../src/backend/runtime.ts';
import { getFxsave, setFxsave } from '../../../src/conformance/x86-fxsave.ts';
import { fillVectorLdt } from '../../../src/conformance/x86-ldt.ts';
import type { Compiler } from '../../../src/vcpu/compiler.ts';
import type { Exit } from '../../../src/vcpu/exit.ts';
import { GuestMemory, PagePermission } from '../../../src/vcpu/guest-memory.ts';
import { Vcpu } from '../../../src/vcpu/vcpu.ts';
import { announceLdt, getEflags, makeDescriptor, setEflags, setGdtEntry, Vector } from '../../../translators/x86/abi.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { UserSegment } from '../../../translators/x86/segments.ts';
import { X86 } from '../../../translators/x86/state.ts';
import {
  background,
  type Case,
  CODE,
  DATA,
  DATA_BYTES,
  type End,
  type Executor,
  type Outcome,
  READ_ONLY,
  SEGMENT_BASE,
  STACK,
  STACK_BYTES,
} from './case.ts';

const PAGE = 4096;
const TOP = 0x30000000;
const INT3 = 0xcc;
/** A case that has not ended after so many instructions is endless. */
const BUDGET = 1_000_000;
const TLS_SELECTOR = (UserSegment.FIRST_TLS << 3) | 3;
/** user_desc flags of a 32-bit data segment: seg_32bit, limit_in_pages, useable. */
const TLS_FLAGS = 0x51;

export interface ExecutorOptions {
  readonly executor: 'interpret' | 'translate';
  readonly createRuntime: (memory: GuestMemory) => Runtime;
  readonly loadCompiler?: () => Promise<Compiler>;
}

/** Our own vCPU as an executor of cases, with page permissions checked. */
export async function vcpuExecutor(options: ExecutorOptions): Promise<Executor> {
  const memory = new GuestMemory(TOP, 'little');
  for (const page of [DATA, STACK]) memory.map(page, PAGE, PagePermission.Read | PagePermission.Write);
  memory.map(CODE, PAGE, PagePermission.Read | PagePermission.Execute);
  memory.map(READ_ONLY, PAGE, PagePermission.Read);
  const initial = Uint8Array.from({ length: 2 * PAGE }, (_, i) => background(i));
  memory.poke(READ_ONLY, initial.subarray(0, PAGE));
  const code = new Uint8Array(PAGE).fill(INT3);
  let codeAt = 0;
  let codeLength = 0;
  const before = new Uint8Array(2 * PAGE);
  const vcpu = new Vcpu({
    isa: x86,
    memory,
    runtime: options.createRuntime(memory),
    executor: options.executor,
    loadCompiler: options.loadCompiler ?? (() => Promise.reject(new Error('this executor has no compiler'))),
    memoryModel: 'checked',
  });
  await vcpu.prepare();
  fillVectorLdt(vcpu);

  const run = (c: Case): Outcome => {
    before.set(initial);
    before.set(c.data.subarray(0, DATA_BYTES), c.dataOffset);
    before.set(c.stack.subarray(0, STACK_BYTES), PAGE + c.stackOffset);
    memory.poke(DATA, before.subarray(0, PAGE));
    memory.poke(STACK, before.subarray(PAGE));
    code.fill(INT3, codeAt, codeAt + codeLength);
    codeAt = c.eip - CODE;
    codeLength = c.code.length;
    code.set(c.code.subarray(0, PAGE - codeAt), codeAt);
    memory.poke(CODE, code);
    vcpu.invalidate(CODE, PAGE);

    x86.reset(vcpu.state);
    announceLdt(vcpu.state);
    if (c.fxsave) setFxsave(vcpu.state, c.fxsave);
    c.regs.forEach((value, r) => {
      vcpu.set32(X86.EAX + r * 4, value);
    });
    setEflags(vcpu.state, c.eflags);
    if (c.threadSegment) setGdtEntry(vcpu.state, UserSegment.FIRST_TLS, makeDescriptor(SEGMENT_BASE, 0xfffff, TLS_FLAGS));
    for (const segment of [X86.FS, X86.GS]) vcpu.set32(segment, c.threadSegment ? TLS_SELECTOR : 0);
    for (const base of [X86.FS_BASE, X86.GS_BASE]) vcpu.set32(base, c.threadSegment ? SEGMENT_BASE : 0);
    vcpu.pc = c.eip;
    const started = vcpu.retired;
    let exit = vcpu.run(BUDGET);
    // it also stops where compiling takes long
    while (exit.kind === 'budget' && vcpu.retired - started < BUDGET) exit = vcpu.run(BUDGET);

    const changes = new Map<number, number>();
    for (const [page, base] of [DATA, STACK].entries()) {
      const now = memory.view(base, PAGE, 'read');
      if (Buffer.compare(now, before.subarray(page * PAGE, (page + 1) * PAGE)) === 0) continue;
      for (let i = 0; i < PAGE; i++) if (now[i] !== before[page * PAGE + i]) changes.set(base + i, now[i]);
    }
    return {
      end: endOf(exit),
      regs: Int32Array.from({ length: 8 }, (_, r) => vcpu.get32(X86.EAX + r * 4)),
      eflags: getEflags(vcpu.state),
      eip: exit.kind === 'exception' && exit.number === Vector.OF ? exit.pc + 1 : exit.pc,
      selectors: Array.from({ length: 6 }, (_, s) => vcpu.get32(X86.ES + s * 4)),
      changes,
      fxsave: getFxsave(vcpu.state),
    };
  };
  return { name: options.executor, run: (cases) => cases.map(run) };
}

function endOf(exit: Exit): End {
  const exception = (vector: number, address = 0): End => ({ kind: 'exception', vector, address });
  switch (exit.kind) {
    case 'breakpoint':
      return { kind: 'breakpoint', vector: Vector.BP, address: 0 };
    case 'budget':
      return { kind: 'endless', vector: 0, address: 0 };
    case 'illegal':
      return exception(Vector.UD);
    case 'privileged':
      return exception(Vector.GP);
    case 'memory-fault':
      return exception(Vector.PF, (exit.address ?? 0) >>> 0);
    case 'exception':
      return exception(exit.number);
    default:
      throw new Error(`a case may not end with exit ${exit.kind} at 0x${exit.pc.toString(16)}`);
  }
}
