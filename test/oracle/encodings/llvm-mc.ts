import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ISAS, type IsaName } from '../../../src/isas.ts';
import { mipsExpected, named, tidy } from '../../suites/llvm.ts';
import { att } from '../../suites/llvm-att.ts';
import { llvm } from '../../suites/llvm-mips.ts';
import { disassembleHere, type SuiteResult } from './compare.ts';
import { encoding as mipsEncoding } from './mips.ts';
import { isLater, encoding as x86Encoding } from './x86.ts';

// Random encodings against LLVM's disassembler. Each is a group of its own: what is an instruction here without what follows
// it, so that LLVM must find this instruction and no other; what is none with more bytes than any has.

interface Judged {
  readonly bytes: Uint8Array;
  /** Ours in LLVM's syntax; undefined where it is no instruction. */
  readonly ours: string | undefined;
  /** LLVM's first instruction, with the prefixes that it shows on lines of their own; undefined where there is none. */
  readonly theirs: string | undefined;
  /** LLVM found another one after it. */
  readonly more: boolean;
}
interface Reason {
  readonly reason: string;
  applies(j: Judged): boolean;
}
interface Kind {
  readonly options: readonly string[];
  /** An instruction that no encoding is, and its text. */
  readonly marker: readonly [bytes: readonly number[], text: string];
  readonly encoding: (seed: number, n: number) => Uint8Array;
  readonly isBad: (text: string) => boolean;
  readonly ours: (text: string, bytes: Uint8Array) => string;
  readonly theirs: (text: string) => string;
  readonly isPrefix: (text: string) => boolean;
  readonly reasons: readonly Reason[];
}

const PREFIX = /^(lock|rep|repe|repne|data16|addr16|[c-g]s|ss|xacquire|xrelease|notrack|bnd) /;
function bare(text: string): string {
  let rest = text;
  while (PREFIX.test(rest)) rest = rest.slice(rest.indexOf(' ') + 1);
  return rest;
}

/** XCHG and TEST do the same whichever of their registers is named first. */
const sorted = (text: string): string =>
  text.replace(/^(xchg|test)(\w) (%\w+),(%\w+)$/, (_, name, size, ...r) => `${name}${size} ${r.slice(0, 2).sort().join()}`);
/** Immediates as wide as the name says: some are shown with a sign, some without. */
function cutImmediates(text: string): string {
  const mask = /^\w+b /.test(text) ? 0xff : /^\w+w /.test(text) ? 0xffff : -1;
  const masks = /^aa[md] /.test(text)
    ? [0xff]
    : /^enter /.test(text)
      ? [0xffff, 0xff]
      : /^l?ret\w? /.test(text)
        ? [0xffff]
        : /^l(call|jmp)/.test(text)
          ? [0xffff, -1]
          : [mask, mask];
  let k = 0;
  return text.replace(/\$(-?\d+)/g, (_, n: string) => `$${Number(n) & masks[k++]}`);
}
const prefixesOf = (text: string): string => text.slice(0, text.length - bare(text).length);
const ABSOLUTE_DS = /%ds:(?=-?\d+(,|$))/;
/** LLVM's names, some of which leave the size out. */
const renamed = (text: string): string =>
  text
    .replace(/^(call|jmp)w (?=[^*$].*\()/, '$1w *')
    .replace(/^call(?= -?\d)/, 'calll')
    .replace(/^((?:outs|movs|cmps|lods)\w .*)%ds:/, '$1')
    .replace(/^((?:ro|rc|sh|sa)[lr]\w) \$1,/, '$1 ')
    .replace(/^(ud1|lldt|ltr|lmsw)[lw] /, '$1 ')
    .replace(/^(enter|leave|jmp|fldenv|fnstenv|frstor|fnsave)w(?= |$)/, '$1')
    .replace(/^(fu?comp?i) (%st\(\d\))$/, '$1 $2,%st')
    .replace(/^xchgw %ax,%ax$/, 'nop');
const normal = (text: string): string => prefixesOf(text) + renamed(cutImmediates(sorted(bare(text)))).replace(ABSOLUTE_DS, '');

const JUMP = /^(j[a-z]+|loop\w*|call|jmpw|callw) \$(-?\d+)$/;
/** LLVM shows how far a jump goes, from its end. */
function distance(text: string, bytes: Uint8Array): string {
  const found = JUMP.exec(bare(text));
  if (!found) return text;
  const wide = !prefixesIn(bytes).includes(0x66);
  const by = Number(found[2]) - bytes.length;
  return `${prefixesOf(text)}${found[1]} ${wide ? by | 0 : (by << 16) >> 16}`;
}

const both =
  (test: (ours: string, theirs: string, j: Judged) => boolean) =>
  (j: Judged): boolean =>
    j.ours !== undefined && j.theirs !== undefined && !j.more && test(j.ours, j.theirs, j);
const onlyTheirs =
  (test: (theirs: string) => boolean) =>
  (j: Judged): boolean =>
    j.ours === undefined && j.theirs !== undefined && test(j.theirs);
const onlyOurs =
  (test: (ours: string) => boolean) =>
  (j: Judged): boolean =>
    j.ours !== undefined && j.theirs === undefined && test(j.ours);

const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const prefixesIn = (bytes: Uint8Array): Uint8Array =>
  bytes.subarray(
    0,
    bytes.findIndex((byte) => !PREFIXES.includes(byte)),
  );
const repeats = (bytes: Uint8Array): boolean => prefixesIn(bytes).some((byte) => byte === 0xf2 || byte === 0xf3);
const numbers16 = (text: string): string => text.replace(/(?<=^|[ ,:])-?\d+/g, (n) => `${Number(n) & 0xffff}`);
const unsized = (text: string): string => text.replace(/^(\w+?)[wl] /, '$1 ').replace(/%e(?=[a-ds][xpi])/g, '%');

const X86_REASONS: readonly Reason[] = [
  {
    reason: 'not in LLVM 14: reserved NOP encodings (0F 18…1F), INT1, UD0, SALC, D0…D3 /6 for SHL',
    applies: onlyOurs((ours) => /^(nop[lw]|int1|ud0|salc|s[ah]l[bwl]|prefetch\w*)\b/.test(bare(ours))),
  },
  {
    reason: 'F3 before BSF and BSR has no meaning before TZCNT and LZCNT',
    applies: both((ours, theirs) => /^bs[fr]/.test(bare(ours)) && /^(tz|lz)cnt/.test(bare(theirs))),
  },
  {
    reason: "objdump's syntax does not tell a far transfer through 16:16 from a near one",
    applies: both((_, theirs) => /^l(call|jmp)w/.test(bare(theirs))),
  },
  {
    reason: 'prefixes without effect, which LLVM leaves out or shows in another order',
    applies: both((ours, theirs) => bare(ours) === bare(theirs)),
  },
  {
    reason: 'LOCK where it is not allowed is #UD (SDM volume 2, LOCK); LLVM does not ask',
    applies: (j) => j.ours === undefined && j.theirs !== undefined && prefixesIn(j.bytes).includes(0xf0),
  },
  {
    reason: 'MOV with control and debug registers ignores ModRM.mod; LLVM refuses what looks like memory',
    applies: onlyOurs((ours) => /%[cd]r\d/.test(ours)),
  },
  {
    reason: 'aliases that LLVM does not know: TEST with F6 /1 and F7 /1, x87',
    applies: onlyOurs((ours) => /^(test[bwl] \$|f(xch|stp|com|comp|nop|free|nsetpm|neni|ndisi)|ffreep)/.test(bare(ours))),
  },
  {
    reason: 'LLVM 14 refuses prefixes that have no meaning before an instruction',
    applies: (j) => j.ours !== undefined && (j.theirs === undefined || PREFIX.test(`${j.theirs} `)) && prefixesIn(j.bytes).length > 0,
  },
  {
    reason: 'of 66 with F2 or F3, LLVM 14 goes by another one than a processor',
    applies: ({ bytes }) => repeats(bytes) && prefixesIn(bytes).includes(0x66) && bytes[prefixesIn(bytes).length] === 0x0f,
  },
  { reason: 'LLVM 14 takes BOUND for EVEX', applies: onlyOurs((ours) => /^bound/.test(bare(ours))) },
  { reason: 'LLVM marks an indirect jump', applies: both((ours, theirs) => bare(theirs).replace('*', '') === bare(ours)) },
  {
    reason: 'beside F2 and F3, LLVM 14 overlooks the operand size prefix',
    applies: both(
      (ours, theirs, j) => repeats(j.bytes) && prefixesIn(j.bytes).includes(0x66) && unsized(bare(ours)) === unsized(bare(theirs)),
    ),
  },
  {
    reason: 'LLVM shows an absolute 16-bit address with a sign',
    applies: both((ours, theirs, j) => prefixesIn(j.bytes).includes(0x67) && numbers16(bare(ours)) === numbers16(bare(theirs))),
  },
  {
    reason: 'hints of later processors, which are NOPs or prefixes without effect',
    applies: both((ours, theirs) => /^(nop[lw]|wbinvd)/.test(bare(ours)) && /^(cldemote|wbnoinvd|nop|rdssp|endbr)/.test(bare(theirs))),
  },
  {
    reason: 'prefixes that the instruction does not take are #UD (SDM volume 2, NP)',
    applies: (j) => onlyTheirs(() => true)(j) && prefixesIn(j.bytes).includes(0x66),
  },
  { reason: 'a prefix alone', applies: onlyTheirs((theirs) => PREFIX.test(`${theirs} `)) },
  { reason: 'instructions of later processors, SMM', applies: onlyTheirs((theirs) => isLater(...named(bare(theirs).replace('}', '')))) },
];

const X86: Kind = {
  options: ['--triple=i386-linux-gnu', '-mattr=+ssse3,+sse4.2,+sse4a,+3dnowa,+mmx'],
  marker: [[0x0f, 0x1f, 0x80, 0x78, 0x56, 0x34, 0x12], 'nopl 305419896(%eax)'],
  encoding: x86Encoding,
  isBad: (text) => text === '(bad)',
  ours: (text, bytes) => normal(distance(tidy(att(text)), bytes)),
  theirs: (text) => normal(tidy(text.replace(/ *\t?# .*/, ''))),
  isPrefix: (text) => PREFIX.test(`${text} `),
  reasons: X86_REASONS,
};

const MIPS_REASONS: readonly Reason[] = [
  { reason: 'coprocessor 2, paired single, JALX, SDBBP: not implemented', applies: onlyTheirs((theirs) => NOT_HERE.test(theirs)) },
  { reason: 'SYNC with bits that must be zero, or types that are not defined', applies: onlyTheirs((theirs) => theirs.startsWith('sync')) },
  {
    reason: 'not in LLVM 14: RDHWR of all registers, RDPGPR, WRPGPR, PREFX, HYPCALL, WAIT with a code',
    applies: onlyOurs((ours) => /^((rdhwr|rdpgpr|wrpgpr|prefx|hypcall|wait) |hypcall$)/.test(ours)),
  },
  {
    reason: 'CLZ and CLO whose rt is not rd, INS whose bits end before they begin: UNPREDICTABLE (MIPS32 volume II)',
    applies: both((ours, theirs) => /^(cl[oz]|ins) /.test(ours) && theirs.startsWith(ours.split(' ')[0])),
  },
  {
    reason: 'other names of the same: B, LI, SYNC, JALR $0',
    applies: both((ours, theirs) => ALIASES.some(([name, other]) => name.test(ours) && ours.replace(name, other) === theirs)),
  },
];
const NOT_HERE = /^([ls][wd]c[23]|[mc][ft]h?c2|bc2|jalx|sdbbp|cvt\.(ps\.s|s\.p[lu])|p[lu][lu]\.ps|\w+(\.\w+)*\.ps)\b/;
const ALIASES: readonly (readonly [RegExp, string])[] = [
  [/^b /, 'bgez $0,'],
  [/^li (\$\d+),/, 'ori $1,$0,'],
  [/^sync_wmb$/, 'sync 4'],
  [/^sync_mb$/, 'sync 16'],
  [/^sync_acquire$/, 'sync 17'],
  [/^sync_release$/, 'sync 18'],
  [/^sync_rmb$/, 'sync 19'],
  [/^jalr \$0,/, 'jr '],
  [/^jr \$0$/, 'jalr $0,$0'],
];

const mips = (little: boolean): Kind => ({
  options: [`--triple=${little ? 'mipsel' : 'mips'}-linux-gnu`, '-mcpu=mips32r2', '-mattr=+fp64,+virt'],
  marker: [little ? [0x57, 0x34, 0x02, 0x24] : [0x24, 0x02, 0x34, 0x57], 'li $2,13399'],
  encoding: (seed, n) => mipsEncoding(little, seed, n),
  isBad: (text) => text.startsWith('.word'),
  ours: (text, bytes) => llvm(text, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, little)),
  theirs: mipsExpected,
  isPrefix: () => false,
  reasons: MIPS_REASONS,
});

const KINDS: Readonly<Record<IsaName, Kind>> = { x86: X86, mips: mips(false), mipsel: mips(true) };
const BATCH = 50_000;
const SHOWN_FAILURES = 20;

/** What LLVM shows for each group. */
function llvmMc(kind: Kind, groups: readonly Uint8Array[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'llvm-mc-'));
  try {
    const file = join(folder, 'code');
    const group = (bytes: ArrayLike<number>): string => `[${Array.from(bytes, (byte) => `0x${byte.toString(16)}`).join(',')}]\n`;
    writeFileSync(file, groups.map((bytes) => group(bytes) + group(kind.marker[0])).join(''));
    const { stdout, error } = spawnSync('llvm-mc', ['--disassemble', ...kind.options, file], { encoding: 'latin1', maxBuffer: 1 << 30 });
    if (error) throw error;
    const shown: string[][] = [[]];
    let prefix = '';
    for (const line of stdout.split('\n')) {
      const text = kind.theirs(line);
      if (text === '' || /^\.(text|set)\b/.test(text)) continue;
      if (kind.isPrefix(text)) prefix += `${text} `;
      else if (text === kind.marker[1]) {
        if (prefix) shown[shown.length - 1].push(prefix.trim());
        prefix = '';
        shown.push([]);
      } else {
        shown[shown.length - 1].push(prefix + text);
        prefix = '';
      }
    }
    if (shown.length !== groups.length + 1) throw new Error(`llvm-mc showed ${shown.length - 1} of ${groups.length} groups`);
    return shown;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** So many random encodings of an ISA: length, validity and text. */
export function llvmMcSweep(name: IsaName, seed: number, count: number): SuiteResult | { readonly missing: string } {
  const version = spawnSync('llvm-mc', ['--version'], { encoding: 'utf8' });
  if (version.error) return { missing: 'llvm-mc is not installed' };
  const kind = KINDS[name];
  const isa = ISAS[name];
  const reasons = new Map<string, number>();
  const failures: string[] = [];
  let passed = 0;
  let failed = 0;
  for (let first = 0; first < count; first += BATCH) {
    const encodings = Array.from({ length: Math.min(BATCH, count - first) }, (_, n) => {
      const bytes = kind.encoding(seed, first + n);
      const { text, length } = disassembleHere(isa, bytes, 0);
      const bad = kind.isBad(text);
      return { bytes: bad ? bytes : bytes.slice(0, length), ours: bad ? undefined : kind.ours(text, bytes.slice(0, length)) };
    });
    const shown = llvmMc(
      kind,
      encodings.map(({ bytes }) => bytes),
    );
    for (const [n, { bytes, ours }] of encodings.entries()) {
      const [theirs, next] = shown[n];
      const judged = { bytes, ours, theirs, more: ours !== undefined && next !== undefined };
      if (ours === theirs && !judged.more) {
        passed++;
        continue;
      }
      const reason = kind.reasons.find((r) => r.applies(judged))?.reason;
      if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      else {
        failed++;
        if (failures.length < SHOWN_FAILURES)
          failures.push(
            `${Buffer.from(bytes).toString('hex')}: here ${ours ?? '(bad)'}, there ${theirs ?? '(bad)'}${judged.more ? ' and more' : ''}`,
          );
      }
    }
  }
  return {
    suite: 'encodings',
    isa: name,
    tool: `${/LLVM version \S+/.exec(version.stdout)?.[0] ?? 'LLVM'} (llvm-mc)`,
    cases: count,
    passed,
    failed,
    skipped: [...reasons].map(([reason, n]) => ({ reason, count: n })).sort((a, b) => b.count - a.count),
    failures,
  };
}
