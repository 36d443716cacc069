import { formRegion } from '../backend/wasm/region.ts';
import { fieldText } from '../conformance/compare.ts';
import { disassembleRange } from '../disassemble.ts';
import { Builder } from '../ir/builder.ts';
import { liftBlock } from '../ir/lift.ts';
import { deadcode } from '../ir/passes/deadcode.ts';
import { printBlock } from '../ir/print.ts';
import { Code } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { exitText, fieldsOf, imageOf, type Stopped } from './compare.ts';
import { type Divergence, hex } from './divergence.ts';
import { type Minimum, minimise } from './minimise.ts';
import { restore } from './snapshot.ts';

/** Registers in one line. */
const COLUMNS = 6;

function registers({ vcpu }: Stopped, image: Uint8Array, only?: ReadonlySet<string>): string {
  const fields = fieldsOf(vcpu).filter((f) => (only ? only.has(f.name) : f.float === undefined));
  const words = fields.map((f) => `${f.name}=${fieldText(image, f)}`);
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += COLUMNS) lines.push(`  ${words.slice(i, i + COLUMNS).join(' ')}`);
  return lines.join('\n');
}

const indent = (text: string): string => text.trimEnd().replace(/^/gm, '  ');

/** Code, IR and WebAssembly of the piece, as the translator of `divergence` makes them. */
async function stages({ options }: Divergence, { before, piece, translated }: Minimum, checked: boolean): Promise<string[]> {
  const isa: Isa = options.isa;
  const { memory } = translated.vcpu;
  const code = new Code(memory.codePage);
  const builder = new Builder(isa.helpers);
  const lift = (pc: number) =>
    deadcode(
      liftBlock(isa, builder, code, pc, {
        precise: checked,
        mode: before.mode,
        ...(piece.instructions !== undefined && { limit: piece.instructions }),
      }),
      { preciseMemory: checked },
    );
  const region = formRegion(before.pc, lift, () => [], { blocks: piece.blocks ?? 8, instructions: 200 });
  if (!region) return ['  (the code cannot be read)'];
  const blocks = [...region.blocks].sort((a, b) => a.pc - b.pc);
  const names = new Map(isa.registers.map((r) => [r.offset, r.name]));
  const [compiler, { wasmToText }] = await Promise.all([options.loadCompiler(), import('../translate.ts')]);
  const wasm = compiler.compileRegions([region], {
    isa,
    checked,
    memoryPages: memory.memory.buffer.byteLength / 65536,
  });
  return [
    'Code:',
    ...blocks.flatMap((block) =>
      disassembleRange(isa, code, block.pc, block.pc + block.size).map(
        ({ pc, length, text }) =>
          `  ${hex(pc)}  ${Array.from({ length }, (_, i) =>
            memory
              .u8(pc + i)
              .toString(16)
              .padStart(2, '0'),
          )
            .join(' ')
            .padEnd(24)}  ${text}`,
      ),
    ),
    'IR:',
    ...blocks.map((block) => indent(printBlock(block, (offset) => names.get(offset)))),
    'WebAssembly:',
    indent(await wasmToText(wasm)),
  ];
}

export async function explainDivergence(divergence: Divergence): Promise<string> {
  const { before, instructions, retired, options, differences } = divergence;
  const found = await minimise(divergence);
  if (!found) {
    return [
      divergence.message,
      `A new start from that state, at ${hex(before.pc)} after ${instructions} instructions, agrees for ${retired} instructions and more:`,
      'the difference lies in what had been translated before (invalidation, linking), or in what it had seen.',
      `Differences (${divergence.executor} | interpret):`,
      ...differences.map((line) => `  ${line}`),
    ].join('\n');
  }
  const { count, translated, interpreted } = found;
  const at = found.before.instructions;
  const names = new Set(found.differences.map((line) => line.slice(0, line.indexOf(':'))));
  // the state before, read as architectural state by a vCPU that is no longer needed
  const [after, expected] = [imageOf(translated.vcpu), imageOf(interpreted.vcpu)];
  const exits = [exitText(translated.exit), exitText(interpreted.exit)];
  const code = await stages(divergence, found, options.memoryModel === 'checked');
  restore(interpreted.vcpu, found.before);
  const start = imageOf(interpreted.vcpu);
  return [
    `The executors differ in ${count === 1 ? 'one instruction' : `${count} instructions`} at ${hex(found.before.pc)}, instruction ${at + 1} of the program.`,
    `Differences (${divergence.executor} | interpret):`,
    ...found.differences.map((line) => `  ${line}`),
    ...code,
    'State before:',
    registers(interpreted, start),
    ...([...names].some((name) => fieldsOf(interpreted.vcpu).some((f) => f.name === name && f.float))
      ? [registers(interpreted, start, names)]
      : []),
    `State after, ${divergence.executor}; ${exits[0]}:`,
    registers(translated, after),
    `State after, interpret; ${exits[1]}:`,
    registers(interpreted, expected),
  ].join('\n');
}
