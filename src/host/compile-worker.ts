// The Wasm back end on a thread of its own; compiler-thread.ts is its other end.
import { parentPort } from 'node:worker_threads';
import { accessAtOffset, compileRegions } from '../backend/wasm/compile.ts';
import type { CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';
import { Block } from '../ir/block.ts';
import { namedModule } from '../vcpu/compiler.ts';
import type { Answer, Question } from './compiler-thread.ts';

/** Blocks lose their class on the way. */
const revived = (b: Block): Block =>
  new Block(b.pc, b.size, b.instructions, b.length, b.op, b.a, b.b, b.c, b.d, b.terminator, b.shuffles, b.helpers);

function revive({ regions, options }: Question): { regions: Region[]; options: CompileOptions } {
  return {
    regions: regions.map((region) => ({ ...region, blocks: region.blocks.map(revived) })),
    options: { ...options, callees: new Map(Array.from(options.callees ?? [], ([pc, block]) => [pc, revived(block)])) },
  };
}

parentPort?.on('message', (question: Question) => {
  const { id, name, locate } = question;
  const start = performance.now();
  const { regions, options } = revive(question);
  if (locate) {
    locate.port.postMessage(accessAtOffset(regions, options, locate.offset));
    Atomics.store(locate.done, 0, 1);
    Atomics.notify(locate.done, 0);
    return;
  }
  const bytes = namedModule(compileRegions(regions, options), name);
  const answer: Answer = { id, module: new WebAssembly.Module(bytes), size: bytes.length, time: performance.now() - start };
  parentPort?.postMessage(answer);
});
