import { createRuntime } from '../../../src/backend/runtime.ts';
import * as compile from '../../../src/backend/wasm/compile.ts';
import type { SlowPaths } from '../../../src/backend/wasm/options.ts';
import { formRegion } from '../../../src/backend/wasm/region.ts';
import { GuestMemory, PagePermission } from '../../../src/vcpu/guest-memory.ts';
import { Vcpu } from '../../../src/vcpu/vcpu.ts';
import { ExcCode } from '../../../translators/mips/abi.ts';
import type { mips } from '../../../translators/mips/index.ts';
import { Mips, Mode } from '../../../translators/mips/state.ts';
import { runtimeModule } from '../../support/runtime.ts';
import { CODE, CODE_WORDS, DATA, DATA_BYTES, type Fpu, type Record } from './record.ts';

const BREAK = 0x0000000d;
const PAGE = 4096;
const FCSR = 31;
/** More instructions than a record has. */
const BUDGET = 1000;

export interface Way {
  readonly name: string;
  readonly executor: 'interpret' | 'translate';
  readonly slowPaths: SlowPaths | 'adapt';
}
/** How records are run here. */
export const WAYS: readonly Way[] = [
  { name: 'interpreted', executor: 'interpret', slowPaths: 'adapt' },
  { name: 'translated, slow paths left', executor: 'translate', slowPaths: 'leave' },
  { name: 'translated, slow paths asked for', executor: 'translate', slowPaths: 'ask' },
  { name: 'translated, slow paths called', executor: 'translate', slowPaths: 'call' },
];

const SIGNALS: { readonly [kind: string]: number } = { illegal: 4, privileged: 4, breakpoint: 5, exception: 5, 'memory-fault': 11 };
const SIGFPE = 8;
const SIGBUS = 10;

const words = (list: ArrayLike<number>, little: boolean): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * list.length));
  for (let i = 0; i < list.length; i++) view.setUint32(4 * i, list[i], little);
  return new Uint8Array(view.buffer);
};

/** Runs the chosen records on a vCPU of ours, each where it lies among all of them. */
export async function runHere(
  isa: typeof mips,
  records: readonly Record[],
  chosen: readonly number[],
  fpu: Fpu,
  way: Way,
): Promise<Record[]> {
  const little = isa.endian === 'little';
  const memory = new GuestMemory(DATA + 0x10000, isa.endian);
  const code = new Uint32Array((records.length + 1) * CODE_WORDS);
  records.forEach((record, k) => {
    code.set(record.code, k * CODE_WORDS);
  });
  const end = CODE + 4 * CODE_WORDS * records.length;
  code[CODE_WORDS * records.length] = BREAK;
  memory.map(CODE, Math.ceil((4 * code.length) / PAGE) * PAGE, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
  memory.map(DATA, PAGE, PagePermission.Read | PagePermission.Write);
  memory.poke(CODE, words(code, little));
  const vcpu = new Vcpu({
    isa,
    memory,
    runtime: createRuntime(runtimeModule(), memory),
    executor: way.executor,
    slowPaths: way.slowPaths,
    loadCompiler: async () => ({ ...compile, formRegion }),
  });
  await vcpu.prepare();
  vcpu.mode = (fpu.wide ? Mode.FR : 0) | (fpu.nan2008 ? Mode.NAN2008 : 0);
  return chosen.map((k) => {
    const record = records[k];
    for (let i = 1; i < 32; i++) vcpu.set32(Mips.GPR + 4 * i, i === 26 ? end : record.gpr[i]);
    for (let i = 0; i < 64; i++) vcpu.set32(Mips.FPR + 4 * i, record.fpr[i]);
    vcpu.set32(Mips.HI, record.hi);
    vcpu.set32(Mips.LO, record.lo);
    vcpu.callHelper('mips_ctc1', FCSR, record.fcsr);
    vcpu.set32(Mips.LLBIT, 0);
    vcpu.set32(Mips.USER_LOCAL, record.userLocal ?? 0);
    memory.poke(DATA, record.data);
    vcpu.pc = CODE + 4 * CODE_WORDS * k;
    const start = vcpu.retired;
    let exit = vcpu.run(BUDGET);
    // it may only have paused to compile
    while (exit.kind === 'code-written' || (exit.kind === 'budget' && vcpu.retired - start < BUDGET)) {
      if (exit.kind === 'code-written') vcpu.invalidate(exit.address, exit.bytes);
      exit = vcpu.run(BUDGET);
    }
    let signal = exit.kind === 'breakpoint' && exit.pc === end ? 0 : (SIGNALS[exit.kind] ?? -1);
    if (exit.kind === 'exception') {
      if (exit.number === ExcCode.Ov || exit.number === ExcCode.FPE) signal = SIGFPE;
      else if (exit.number === ExcCode.AdEL || exit.number === ExcCode.AdES) signal = SIGBUS;
    }
    return {
      text: record.text,
      code: record.code,
      gpr: Uint32Array.from({ length: 32 }, (_, i) => (i === 0 ? 0 : vcpu.get32(Mips.GPR + 4 * i))),
      fpr: Uint32Array.from({ length: 64 }, (_, i) => vcpu.get32(Mips.FPR + 4 * i)),
      data: memory.view(DATA, DATA_BYTES, 'read').slice(),
      hi: vcpu.get32(Mips.HI) >>> 0,
      lo: vcpu.get32(Mips.LO) >>> 0,
      fcsr: vcpu.callHelper('mips_cfc1', FCSR) >>> 0,
      signal,
    };
  });
}
