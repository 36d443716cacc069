import { createRuntime } from '../backend/runtime.ts';
import { ISAS } from '../isas.ts';
import type { Compiler } from '../vcpu/compiler.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { CodeLimit } from '../vcpu/options.ts';
import { Vcpu } from '../vcpu/vcpu.ts';
import { compare } from './compare.ts';
import { explain } from './explain.ts';
import { SUBJECTS } from './subjects.ts';
import { type End, type Form, PAGE, type Suite, type Vector } from './vectors.ts';

/**
 * retranslate: translated, thrown away by an invalidation, and translated anew; slow paths are then called, where `translate`
 * leaves for them.
 */
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
  /** The first ones, explained. */
  readonly failures: readonly string[];
}

export interface RunnerOptions {
  readonly executor: VectorExecutor;
  readonly runtime: WebAssembly.Module;
  readonly loadCompiler: () => Promise<Compiler>;
  readonly codeLimit?: CodeLimit;
}

/** Failures that are kept of each form; all are counted. */
const KEPT = 3;
/** Codes that are translated into one module. */
const BATCH = 64;
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
  /** The results of forms of the suite, in their order. */
  run(forms: readonly Form[], shard?: Shard): FormResult[];
}

/** One code, with the vectors that start it from different states, and their numbers. */
interface Batched {
  readonly form: number;
  readonly vectors: [index: number, vector: Vector][];
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
    slowPaths: options.executor === 'retranslate' ? 'call' : 'adapt',
    ...(options.codeLimit && { codeLimit: options.codeLimit }),
  });
  await vcpu.prepare();
  subject.start?.(vcpu);
  suite.pages.forEach((page, n) => {
    memory.map(page.address, PAGE, PERMISSIONS[page.permission]);
    memory.poke(page.address, suite.pageBytes[n]);
  });
  const writable = suite.pages.flatMap((page, n) =>
    page.permission === 'rw' ? [{ address: page.address, initial: suite.pageBytes[n], before: new Uint8Array(PAGE) }] : [],
  );
  const filled = Uint8Array.from({ length: PAGE }, (_, i) => suite.filler[i % suite.filler.length]);
  const play = (vector: Vector): Outcome => {
    for (const page of writable) page.before.set(page.initial);
    let at = 0;
    for (const w of suite.windows) {
      const page = writable.find((p) => w.address - p.address >= 0 && w.address - p.address < PAGE);
      page?.before.set(vector.memory.subarray(at, at + w.length), w.address - page.address);
      at += w.length;
    }
    for (const page of writable) memory.poke(page.address, page.before);
    subject.prepare?.(vcpu, vector.before);
    subject.write(vcpu, vector.before);
    vcpu.pc = vector.pc;
    const started = vcpu.retired;
    let exit = vcpu.run(BUDGET);
    // it also stops where compiling takes long
    while (exit.kind === 'code-written' || (exit.kind === 'budget' && vcpu.retired - started < BUDGET)) {
      if (exit.kind === 'code-written') vcpu.invalidate(exit.address, exit.bytes);
      exit = vcpu.run(BUDGET);
    }
    const { pc, ...end } = subject.endOf(exit);
    const changes = new Map<number, number>();
    for (const { address, before } of writable) {
      const now = memory.view(address, PAGE, 'read');
      const [words, were] = [now, before].map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, PAGE / 4));
      for (let w = 0; w < PAGE / 4; w++)
        if (words[w] !== were[w]) for (let i = 4 * w; i < 4 * w + 4; i++) if (now[i] !== before[i]) changes.set(address + i, now[i]);
    }
    return { end, pc, image: subject.read(vcpu), changes };
  };

  /** Puts a code in place. */
  const install = ([, { pc, code: bytes, before }]: readonly [number, Vector]): number => {
    subject.prepare?.(vcpu, before);
    const page = pc & ~(PAGE - 1);
    memory.poke(page, filled);
    memory.poke(pc, bytes.subarray(0, PAGE - (pc - page)));
    vcpu.invalidate(page, PAGE);
    return pc;
  };
  /** The shard's part of the forms' codes. */
  function* codesOf(forms: readonly Form[], { of, every }: Shard): Generator<Batched> {
    for (const [form, { vectors: count }] of forms.entries()) {
      if (count === 0) continue;
      let [index, codes] = [-1, -1];
      let current: Batched | undefined;
      let last: Vector | undefined;
      for (const vector of suite.vectors(forms[form])) {
        index++;
        if (vector.code !== last?.code) {
          if (current) yield current;
          codes++;
          current = codes % every === of ? { form, vectors: [] } : undefined;
        }
        last = vector;
        current?.vectors.push([index, vector]);
      }
      if (current) yield current;
    }
  }
  /** Calls `each` with one code after the other in place, translated if this runner translates. */
  const through = (batch: readonly Batched[], each: (code: Batched) => void): void => {
    const loaders = options.executor === 'interpret' ? [] : vcpu.translateTogether(batch.length, (n) => install(batch[n].vectors[0]));
    for (const [n, code] of batch.entries()) {
      install(code.vectors[0]);
      loaders[n]?.();
      each(code);
    }
  };

  return {
    get modules() {
      return vcpu.stats.modules;
    },
    run(forms, shard = { of: 0, every: 1 }) {
      const results = forms.map((form) => ({ form, passed: 0, failed: 0, left: 0, failures: [] as string[] }));
      const check = ({ form: n, vectors }: Batched): void => {
        const result = results[n];
        for (const [index, vector] of vectors) {
          const outcome = play(vector);
          const differences = compare(suite, result.form, vector, outcome);
          if (differences.length === 0) result.passed++;
          else {
            result.failed++;
            const failure: Failure = { form: result.form, index, vector, outcome, differences };
            if (result.failures.length < KEPT) result.failures.push(explain(suite, options.executor, failure));
          }
        }
      };
      let batch: Batched[] = [];
      const flush = (): void => {
        // each code runs once, and the next takes its place: what is kept of it shows afterwards
        if (options.executor === 'retranslate') through(batch, (code) => play(code.vectors[0][1]));
        through(batch, check);
        batch = [];
      };
      for (const code of codesOf(forms, shard)) if (batch.push(code) === BATCH) flush();
      flush();
      for (const result of results) result.left = result.form.vectors - result.passed - result.failed;
      return results;
    },
  };
}
