// Runs test vectors on a thread of its own; conformance-pool.ts is its other end.
import { parentPort } from 'node:worker_threads';
import * as compile from '../backend/wasm/compile.ts';
import { makeRunner, type Runner } from '../conformance/run.ts';
import type { Suite } from '../conformance/vectors.ts';
import { nodeRuntime } from '../host/node.ts';
import type { Task, TaskResult } from './conformance-pool.ts';
import { readSuite } from './vectors.ts';

/** A runner that has made so many modules is replaced. */
const MANY_MODULES = 2000;

let suite: { readonly file: string; readonly content: Suite } | undefined;
let current: { readonly key: string; readonly runner: Runner } | undefined;

async function run({ id, file, executor, forms, shard }: Task): Promise<TaskResult> {
  if (suite?.file !== file) suite = { file, content: readSuite(file) };
  const { content } = suite;
  const key = `${executor} ${file}`;
  if (current?.key !== key || current.runner.modules > MANY_MODULES)
    current = { key, runner: await makeRunner(content, { executor, runtime: nodeRuntime(), loadCompiler: async () => compile }) };
  const results = current.runner.run(
    forms.map((n) => content.forms[n]),
    shard,
  );
  return { id, forms: results.map(({ form: _, ...counts }) => counts) };
}

parentPort?.on('message', (task: Task) => {
  void run(task).then((result) => parentPort?.postMessage(result));
});
