import { Layout } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../backend/runtime.ts';
import { ISAS } from '../isas.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { Compiler } from '../vcpu/region-tier.ts';
import { Vcpu } from '../vcpu/vcpu.ts';
import { compare } from './compare.ts';
import { SUBJECTS } from './subjects.ts';
import { type End, type Form, PAGE, type Suite, type Vector } from './vectors.ts';

/** retranslate: translated, thrown away by an invalidation, and translated anew. */
export type VectorExecutor = 'interpret' | 'translate' | 'retranslate';

/** How a vector ended here. */
export interface Outcome {
  readonly end: End;
  readonly pc: number;
  readonly image: Uint8Array;
  readonly changes: ReadonlyMap<number, number>;
}

export interface Failure {
  readonly form: Form;
  /** Number among the form's vectors. */
  readonly index: number;
  readonly vector: Vector;
  readonly outcome: Outcome;
  /** What differs: `name: expected | got`. */
  readonly differences: readonly string[];
}

/** One form on one executor. */
export interface FormResult {
  readonly form: Form;
  readonly passed: number;
  readonly failed: number;
  /** Vectors that the shard left out. */
  readonly left: number;
  /** The first ones. */
  readonly failures: readonly Failure[];
}

export interface RunnerOptions {
  readonly executor: VectorExecutor;
  readonly runtime: WebAssembly.Module;
  readonly loadCompiler: () => Promise<Compiler>;
}

/** Failures that are kept of each form; all are counted. */
const KEPT = 3;
/** A vector that has not ended after so many instructions is endless. */
const BUDGET = 1_000_000;

const PERMISSIONS = {
  r: PagePermission.Read,
  rw: PagePermission.Read | PagePermission.Write,
  rx: PagePermission.Read | PagePermission.Execute,
} as const;

/** Those of a form's codes whose number is `of` modulo `every`, each with all its states. */
export interface Shard {
  readonly of: number;
  readonly every: number;
}

export interface Runner {
  /**
   * WebAssembly modules made so far. Node 20 keeps every one while the function table lives that it imports, so after some
   * thousands of them another runner should go on.
   */
  readonly modules: number;
  run(form: Form, shard?: Shard): FormResult;
}

/** A vCPU with the suite's pages, page permissions checked. */
export async function makeRunner(suite: Suite, options: RunnerOptions): Promise<Runner> {
  const subject = SUBJECTS[suite.isa];
  const top = (Math.max(...suite.pages.map((p) => p.address)) + 0x20000) & ~0xffff;
  const isa = ISAS[suite.isa];
  const memory = new GuestMemory(top, isa.endian);
  const vcpu = new Vcpu({
    isa,
    memory,
    runtime: createRuntime(options.runtime, memory),
    executor: options.executor === 'interpret' ? 'interpret' : 'translate',
    loadCompiler: options.loadCompiler,
    memoryModel: 'checked',
  });
  await vcpu.prepare();
  suite.pages.forEach((page, n) => {
    memory.map(page.address, PAGE, PERMISSIONS[page.permission]);
    memory.poke(page.address, suite.pageBytes[n]);
  });
  const state = new DataView(memory.memory.buffer, Layout.STATE, Layout.STATE_SIZE);
  const writable = suite.pages.flatMap((page, n) =>
    page.permission === 'rw' ? [{ address: page.address, initial: suite.pageBytes[n], before: new Uint8Array(PAGE) }] : [],
  );
  const code = new Uint8Array(PAGE);
  const play = (vector: Vector): Outcome => {
    for (const page of writable) page.before.set(page.initial);
    let at = 0;
    for (const w of suite.windows) {
      const page = writable.find((p) => w.address - p.address >= 0 && w.address - p.address < PAGE);
      page?.before.set(vector.memory.subarray(at, at + w.length), w.address - page.address);
      at += w.length;
    }
    for (const page of writable) memory.poke(page.address, page.before);
    subject.write(state, vector.before);
    vcpu.pc = vector.pc;
    const started = vcpu.retired;
    let exit = vcpu.run(BUDGET);
    // it also stops where compiling takes long
    while (exit.kind === 'budget' && vcpu.retired - started < BUDGET) exit = vcpu.run(BUDGET);
    const { pc, ...end } = subject.endOf(exit);
    const changes = new Map<number, number>();
    for (const { address, before } of writable) {
      const now = memory.view(address, PAGE, 'read');
      for (let i = 0; i < PAGE; i++) if (now[i] !== before[i]) changes.set(address + i, now[i]);
    }
    return { end, pc, image: subject.read(state), changes };
  };

  const install = (vector: Vector): void => {
    const page = vector.pc & ~(PAGE - 1);
    for (let i = 0; i < PAGE; i++) code[i] = suite.filler[i % suite.filler.length];
    code.set(vector.code.subarray(0, PAGE - (vector.pc - page)), vector.pc - page);
    memory.poke(page, code);
    vcpu.invalidate(page, PAGE);
  };
  /** The vectors of a part of the codes, with their numbers. */
  function* part(form: Form, { of, every }: Shard): Generator<readonly [index: number, vector: Vector]> {
    let [index, codes, last] = [-1, -1, undefined as Uint8Array | undefined];
    for (const vector of suite.vectors(form)) {
      index++;
      if (vector.code !== last) codes++;
      last = vector.code;
      if (codes % every === of) yield [index, vector];
    }
  }

  return {
    get modules() {
      return vcpu.stats.modules;
    },
    run(form, shard = { of: 0, every: 1 }) {
      const failures: Failure[] = [];
      let [passed, failed] = [0, 0];
      let installed: Uint8Array | undefined;
      // each code runs once, and the next takes its place: what is kept of it shows afterwards
      if (options.executor === 'retranslate')
        for (const [, vector] of part(form, shard)) {
          if (vector.code === installed) continue;
          install(vector);
          play(vector);
          installed = vector.code;
        }
      installed = undefined;
      for (const [index, vector] of part(form, shard)) {
        if (vector.code !== installed) install(vector);
        installed = vector.code;
        const outcome = play(vector);
        const differences = compare(suite, form, vector, outcome);
        if (differences.length === 0) passed++;
        else {
          failed++;
          if (failures.length < KEPT) failures.push({ form, index, vector, outcome, differences });
        }
      }
      return { form, passed, failed, left: form.vectors - passed - failed, failures };
    },
  };
}
