import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Access, CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';
import type { BackgroundCompiler, Compiled } from '../vcpu/compiler.ts';

/** What the worker is asked: a module, or with `locate` which access is at an offset of it. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly regions: readonly Region[];
  readonly options: CompileOptions;
  readonly locate?: { readonly offset: number; readonly done: Int32Array; readonly port: MessagePort };
}

export interface Answer extends Compiled {
  readonly id: number;
}

/** Binaryen's recursion follows the nesting of the code. */
const STACK_MB = 32;
/** For an answer that the guest waits for, in milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * The Wasm back end on a thread of its own, for `ProgramOptions.startCompiler`. Undefined where that brings nothing, on a single
 * processor, and where the package's worker file is missing, as in a source tree that was not built.
 */
export function nodeCompiler(): (() => BackgroundCompiler) | undefined {
  if (availableParallelism() < 2) return undefined;
  const file = ['./compile-worker.js', '../../dist/compile-worker.js']
    .map((path) => new URL(path, import.meta.url))
    .find((place) => existsSync(place));
  return file && (() => startThread(file));
}

function startThread(file: URL): BackgroundCompiler {
  const waiting = new Map<number, (compiled: Compiled | undefined) => void>();
  let next = 0;
  let lost = false;
  const worker = new Worker(file, { resourceLimits: { stackSizeMb: STACK_MB }, execArgv: [] });
  worker.unref();
  const giveUp = (): void => {
    lost = true;
    for (const done of waiting.values()) done(undefined);
    waiting.clear();
  };
  worker.on('message', (answer: Answer) => {
    const done = waiting.get(answer.id);
    waiting.delete(answer.id);
    done?.(answer);
  });
  // what it could not compile stays interpreted
  worker.on('error', giveUp);
  worker.on('exit', giveUp);
  return {
    compile(regions, options, name, done) {
      if (lost) return queueMicrotask(() => done(undefined));
      const id = next++;
      waiting.set(id, done);
      worker.postMessage({ id, name, regions, options } satisfies Question);
    },
    accessAtOffset(regions, options, offset) {
      if (lost) return undefined;
      const { port1, port2 } = new MessageChannel();
      const done = new Int32Array(new SharedArrayBuffer(4));
      const question: Question = { id: next++, name: '', regions, options, locate: { offset, done, port: port2 } };
      worker.postMessage(question, [port2]);
      Atomics.wait(done, 0, 0, PATIENCE_MS);
      const answer = receiveMessageOnPort(port1) as { message: Access | undefined } | undefined;
      port1.close();
      return answer?.message;
    },
    close() {
      void worker.terminate();
    },
  };
}
