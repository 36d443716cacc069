import { Code } from '../../../src/isa/code.ts';
import { Decoded, decode, newInsn } from '../../../translators/x86/decode.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { table } from '../../../translators/x86/rows.ts';
import { type Case, CODE, DATA, DATA_BYTES, type Executor, STACK, STACK_BYTES } from '../x86/case.ts';
import { disassembleHere, type SuiteResult } from './compare.ts';

/** One-byte and 0F opcodes, ModRM bytes, mandatory prefixes. */
export const ENCODINGS = 512 * 256 * 4;
const BATCH = 20_000;
const EIP = CODE + 0x400;
const UD = 6;

/** Encoding number n, or undefined for what a case cannot run: system calls, prefixes and escapes, WRPKRU, which takes memory away. */
function encoding(n: number): Uint8Array | undefined {
  const prefix = [[], [0x66], [0xf3], [0xf2]][n & 3];
  const modrm = (n >>> 2) & 0xff;
  const opcode = (n >>> 10) & 0xff;
  const wide = n >>> 18 !== 0;
  if (wide ? [0x05, 0x34].includes(opcode) || (opcode === 0x01 && modrm === 0xef) : NOT_RUN.has(opcode)) return undefined;
  return Uint8Array.from([...prefix, ...(wide ? [0x0f] : []), opcode, modrm, 0, 0, 0, 0, 0, 0, 0]);
}
/** INT, and what is a prefix or an escape to a larger map, here or in processors with AVX and XOP. */
const NOT_RUN = new Set([0xcd, 0x0f, 0xc4, 0xc5, 0x8f, 0x62, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);

/** What this processor has and the rows have not: opcodes behind 0F, with their prefix; and FISTTP. All of them are later instructions. */
const LATER =
  /^(d[bdf] m1|0f (01 r[0-7]|07|0d m[2-7]|35|(38|3a)|78|79|ae [mr][0-7]|c7 [mr][0-7])|66 0f (78|79|7[cd]|d0)|f[23] 0f (12|16|2b|78|79|7[cd]|b8|d0|f0))/;

function formOf(code: Uint8Array): string {
  const at = [0x66, 0xf2, 0xf3].includes(code[0]) ? 1 : 0;
  const wide = code[at] === 0x0f;
  const modrm = code[at + (wide ? 2 : 1)];
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const field = `${modrm < 0xc0 ? 'm' : 'r'}${(modrm >>> 3) & 7}`;
  if (!wide) return `${hex(code[at])} ${field}`;
  const needsPrefix = [0x12, 0x16, 0x2b, 0x78, 0x79, 0x7c, 0x7d, 0xb8, 0xd0, 0xf0].includes(code[at + 1]);
  return `${needsPrefix && at ? `${hex(code[0])} ` : ''}0f ${hex(code[at + 1])} ${field}`;
}

/** Whether the processor raises #UD for each `step`-th encoding, from `first` on, and we do. */
export function processorSweep(processor: Executor, step: number, first = 0): SuiteResult {
  const failures: string[] = [];
  const insn = newInsn(table().rows[0]);
  let [cases, passed, later] = [0, 0, 0];
  let batch: Case[] = [];
  const flush = (): void => {
    const outcomes = processor.run(batch);
    batch.forEach(({ code }, n) => {
      cases++;
      const padded = new Uint8Array(32).fill(0xcc);
      padded.set(code);
      const decoded = decode(table(), insn, Code.of(padded, EIP), EIP);
      const here = decoded === Decoded.Illegal || /^UD\d/.test(insn.row.text);
      const there = outcomes[n].end.kind === 'exception' && outcomes[n].end.vector === UD;
      if (here === there) passed++;
      else if (here && LATER.test(formOf(code))) later++;
      else
        failures.push(
          `${Buffer.from(code).toString('hex')}: ${disassembleHere(x86, code, EIP).text}, ${there ? '#UD' : 'no #UD'} by the processor`,
        );
    });
    batch = [];
  };
  for (let n = first; n < ENCODINGS; n += step) {
    const code = encoding(n);
    if (!code) continue;
    const regs = new Int32Array(8).fill(DATA + 0x800);
    regs[4] = regs[5] = STACK + 0x800;
    const memory = { dataOffset: 0x7c0, data: new Uint8Array(DATA_BYTES), stackOffset: 0x800, stack: new Uint8Array(STACK_BYTES) };
    batch.push({ regs, eflags: 0x202, eip: EIP, code, ...memory, threadSegment: false });
    if (batch.length === BATCH) flush();
  }
  flush();
  return {
    suite: 'validity',
    isa: 'x86',
    tool: 'the processor',
    cases,
    passed,
    failed: failures.length,
    skipped: later ? [{ reason: 'instructions that the processor has and CPUID does not announce here', count: later }] : [],
    failures: failures.slice(0, 20),
  };
}
