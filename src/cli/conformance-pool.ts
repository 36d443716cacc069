import { Worker } from 'node:worker_threads';
import type { FormResult, Shard, VectorExecutor } from '../conformance/run.ts';

/** Some forms of one suite on one executor. */
export interface Task {
  readonly id: number;
  readonly file: string;
  readonly executor: VectorExecutor;
  /** Positions among the suite's forms. */
  readonly forms: readonly number[];
  readonly shard: Shard;
}

export type FormCounts = Omit<FormResult, 'form'>;

export interface TaskResult {
  readonly id: number;
  /** In the order of the task's forms. */
  readonly forms: readonly FormCounts[];
}

/** Binaryen's recursion follows the nesting of the code. */
const STACK_MB = 32;

/** Runs the tasks on so many threads; `done` is told of each result as it comes. Rejects with what goes wrong in a thread. */
export async function runTasks(tasks: readonly Task[], threads: number, done: (result: TaskResult) => void): Promise<void> {
  const queue = [...tasks];
  const workers: Worker[] = [];
  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const thread = new Worker(new URL('./conformance-worker.js', import.meta.url), {
        resourceLimits: { stackSizeMb: STACK_MB },
        execArgv: [],
      });
      workers.push(thread);
      const next = (): void => {
        const task = queue.shift();
        if (task) thread.postMessage(task);
        else resolve();
      };
      thread.on('message', (result: TaskResult) => {
        done(result);
        next();
      });
      thread.on('error', reject);
      thread.on('exit', (code) => reject(new Error(`a thread that ran test vectors ended with ${code}`)));
      next();
    });
  try {
    await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, worker));
  } finally {
    await Promise.all(workers.map((thread) => thread.terminate()));
  }
}
