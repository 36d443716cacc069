import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Isa } from '../../src/isa/isa.ts';
import { ISAS, type IsaName } from '../../src/isas.ts';
import { disassembleHere, type SuiteResult } from '../oracle/encodings/compare.ts';
import { isLater } from '../oracle/encodings/x86.ts';
import { att } from './llvm-att.ts';
import { assembled, disassembled, INVALID, type Line } from './llvm-files.ts';
import { canonical, llvm } from './llvm-mips.ts';
import { source } from './source.ts';

/** LLVM's machine code tests (llvm/test/MC) up to SSE2 and MIPS32 release 2: what each encoding is. */

const PACKAGE = 'llvm-toolchain-14';
const X86_FILES = 'I86 I186 I286 I386 I486 PPRO X87 MMX SSE SSE2 FXSAVE CLFSH RDPMC SSEMXCSR SSE_PREFETCH'.split(' ');
const MIPS_FOLDERS = ['mips1', 'mips2', 'mips32', 'mips32r2'];

/** A difference that has a reason, which is counted. */
interface Reason {
  readonly reason: string;
  applies(line: Line, ours: string): boolean;
}

/** Passed, or why it is not asked, or that it failed. */
type Verdict = 'passed' | 'failed' | { readonly reason: string };

export const tidy = (text: string): string =>
  text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/, /g, ',')
    .replace(/(?<![%\w])-?(0x[0-9a-f]+|\d+)\b/g, (n) => String(Number(n) | 0));

/**
 * As FileCheck does it, LLVM's line may be only the beginning: here, of a name (`ret` of `retl`), the name without any operands, or x87's
 * operands without the last one, `%st`.
 */
function begins(ours: string, expected: string): boolean {
  if (!ours.startsWith(expected)) return false;
  const rest = ours.slice(expected.length);
  return rest === ',%st' || (!expected.includes(' ') && /^[lw]?( |$)/.test(rest));
}
/** XCHG does the same whichever of its registers is named first. */
const exchanged = (ours: string): string => ours.replace(/^(xchg\w) (%\w+),(%\w+)$/, '$1 $3,$2');

/** The name without LLVM's size at its end, and the text in the order of Intel's operands. */
export function named(expected: string): [name: string, text: string] {
  const [name, operands = ''] = tidy(expected).split(' ');
  const text = `${name} ${operands.replaceAll('%', '').split(',').reverse().join(',')}`;
  return [name, /^mov[wl]\b/.test(text) ? text.replace(/^mov[wl]/, 'mov') : text];
}

const X86_REASONS: readonly Reason[] = [
  { reason: 'instructions of later processors, SMM', applies: ({ expected }, ours) => ours === '(bad)' && isLater(...named(expected)) },
  { reason: 'a prefix alone', applies: ({ expected }) => /^(data16|rep\w*|lock)$/.test(expected.trim()) },
  { reason: 'XCHG EAX,EAX is NOP', applies: ({ bytes }) => bytes.length === 1 && bytes[0] === 0x90 },
  {
    reason: 'hints of later processors, which are NOPs or prefixes without effect',
    applies: ({ expected }) => /^(notrack|cldemote|wbnoinvd)/.test(expected),
  },
  {
    reason: "objdump's syntax does not tell a far transfer through 16:16 from a near one",
    applies: ({ expected }) => /^l(call|jmp)w\b/.test(expected),
  },
];

function x86Verdict(line: Line, isa: Isa): { readonly verdict: Verdict; readonly ours: string } {
  const { text, length } = disassembleHere(isa, line.bytes, 0);
  const ours = text === '(bad)' ? text : tidy(att(text));
  const expected = tidy(line.expected);
  const same = ours === expected || exchanged(ours) === expected || begins(ours, expected);
  if (same && length === line.bytes.length) return { verdict: 'passed', ours };
  return { verdict: X86_REASONS.find((r) => r.applies(line, ours)) ?? 'failed', ours };
}

const NOT_HERE = /^([ls][wd]c[23]|[mc][ft]c2|bc2|jalx|sdbbp|cvt\.(ps\.s|s\.p[lu])|p[lu][lu]\.ps|\w+(\.\w+)?\.ps)\b/;
const MIPS_REASONS: readonly Reason[] = [
  {
    reason: 'coprocessor 2 and 3, paired single, JALX, SDBBP: not implemented',
    applies: ({ expected }, ours) => ours.startsWith('.word') && NOT_HERE.test(expected),
  },
  {
    reason: 'invalid in MIPS I: an instruction of a later release, or a double in an odd register (FR = 1)',
    applies: ({ file, expected }) => expected === INVALID && file === 'mips1/invalid.txt',
  },
  { reason: 'in files that LLVM itself is expected to fail (XFAIL)', applies: ({ file }) => file.includes('xfail') },
  { reason: 'in MIPS I and II the opcode of another instruction', applies: ({ expected }) => /^[ls]w[c0-9]*[03] /.test(expected) },
  { reason: "several lines of assembler's directives", applies: ({ expected }) => expected.startsWith('.set') },
];
/** LLVM's other names for the same. */
export const mipsExpected = (text: string): string =>
  canonical(text)
    .replace(/^not (\$\d+),(\$\d+)$/, 'nor $1,$2,$0')
    .replace(/^addiu (\$\d+),\$0,/, 'li $1,')
    .replace(/^rotr(v?) /, 'ror$1 ')
    .replace(/^jr \$0$/, 'jalr $0,$0');

function mipsVerdict(line: Line, isa: Isa): { readonly verdict: Verdict; readonly ours: string } {
  const word = new DataView(line.bytes.buffer).getUint32(0, isa.endian === 'little');
  const ours = llvm(disassembleHere(isa, line.bytes, 0).text, word);
  const expected = mipsExpected(line.expected);
  if (expected === INVALID && ours.startsWith('.word')) return { verdict: 'passed', ours };
  if (ours === expected || (word === 9 && expected === 'jalr $0,$0')) return { verdict: 'passed', ours };
  return { verdict: MIPS_REASONS.find((r) => r.applies(line, ours)) ?? 'failed', ours };
}

function linesOf(name: IsaName, root: string): { readonly lines: Line[]; readonly fixups: number } {
  if (name === 'x86') {
    const files = [...X86_FILES.map((file) => `${file}-32.s`), 'x86-32.s', 'x86-32-coverage.s'];
    const read = files.map((file) => assembled(join(root, 'X86', file), file));
    return { lines: read.flatMap((r) => r.lines), fixups: read.reduce((sum, r) => sum + r.fixups, 0) };
  }
  const lines = MIPS_FOLDERS.flatMap((folder) => {
    const files = readdirSync(join(root, 'Disassembler/Mips', folder)).filter((file) => /^(in)?valid/.test(file));
    const own = files.filter((file) => file.includes('-el') === (name === 'mipsel'));
    return own.flatMap((file) => disassembled(join(root, 'Disassembler/Mips', folder, file), `${folder}/${file}`));
  });
  return { lines, fixups: 0 };
}

/** Every line of LLVM's tests for an ISA; or why they are not here. */
export function llvmSuite(name: IsaName): SuiteResult | { readonly missing: string } {
  const package_ = source(PACKAGE);
  if ('missing' in package_) return package_;
  const isa = ISAS[name];
  const { lines, fixups } = linesOf(name, join(package_.root, 'llvm/test/MC'));
  const reasons = new Map<string, number>(fixups ? [['addresses that a linker fills in', fixups]] : []);
  const failures: string[] = [];
  let passed = 0;
  for (const line of lines) {
    const { verdict, ours } = (name === 'x86' ? x86Verdict : mipsVerdict)(line, isa);
    if (verdict === 'passed') passed++;
    else if (verdict === 'failed')
      failures.push(`${line.file}: ${Buffer.from(line.bytes).toString('hex')} is ${line.expected}, here ${ours}`);
    else reasons.set(verdict.reason, (reasons.get(verdict.reason) ?? 0) + 1);
  }
  return {
    suite: 'LLVM MC encodings',
    isa: name,
    tool: `${PACKAGE} ${package_.version}`,
    cases: lines.length + fixups,
    passed,
    failed: failures.length,
    skipped: [...reasons].map(([reason, count]) => ({ reason, count })),
    failures,
  };
}
