import { x86 } from '../../../translators/x86/index.ts';
import { type Random, random } from '../x86/random.ts';
import { type Cause, type Compared, disassembleHere, type Sweep } from './compare.ts';
import { toolVersion } from './objdump.ts';

const PREFIXES = [0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const LONGEST = 15;
const LOCK = 0xf0;
const FWAIT = 0x9b;
const isPrefix = (byte: number): boolean => PREFIXES.includes(byte);

/** What follows an opcode is at random, with more of the bytes at which something changes. */
function instruction(rnd: Random, bytes: number[]): Uint8Array {
  while (bytes.length < LONGEST) bytes.push(rnd.below(4) ? rnd.u32() & 0xff : rnd.pick([0, 1, 0x7f, 0x80, 0xff]));
  return Uint8Array.from(bytes.slice(0, LONGEST));
}

/** One byte, 0F, and a few of 0F 38 and 0F 3A, of which there is nothing here. */
function opcode(rnd: Random): number[] {
  const byte = rnd.u32() & 0xff;
  const kind = rnd.below(20);
  if (kind === 0) return [0x0f, rnd.pick([0x38, 0x3a]), byte];
  if (kind < 3) return [0xd8 | (byte & 7)];
  return rnd.below(2) ? [0x0f, byte] : [byte];
}

/**
 * Every other encoding is one of the 512 opcodes of two maps with one of 256 ModRM bytes and of four mandatory prefixes, in an
 * order that spreads them; the others are any prefixes before any opcode, or any bytes.
 */
export function encoding(seed: number, n: number): Uint8Array {
  const rnd = random(Math.imul(n + 1, 0x9e3779b1) ^ seed);
  if (n & 1) {
    const kind = Math.imul((n >>> 1) + seed, 0x9e3779b1) >>> 13;
    const prefix = [[], [0x66], [0xf3], [0xf2]][kind & 3];
    const map = kind & 4 ? [0x0f] : [];
    return instruction(rnd, [...prefix, ...map, (kind >>> 3) & 0xff, (kind >>> 11) & 0xff]);
  }
  if (rnd.below(5) === 0) return Uint8Array.from({ length: LONGEST }, () => rnd.u32() & 0xff);
  const prefixes = Array.from({ length: rnd.pick([0, 0, 1, 1, 1, 2, 2, 3, 5]) }, () => rnd.pick(PREFIXES));
  return instruction(rnd, [...prefixes, ...opcode(rnd)]);
}

const BAD = '(bad)';
/** objdump also shows instructions with an operand that does not exist. */
const isBad = (text: string): boolean => text.includes('bad') || /[ ,]\?/.test(text);

const PREFIX_WORDS = /^((data(?:16|32)|addr(?:16|32)|[cdefgs]s|lock|repn?z|rep|bnd|notrack|xacquire|xrelease) )*/;
const bare = (text: string): string => text.replace(PREFIX_WORDS, '');
const mnemonic = (text: string): string => bare(text).split(' ')[0];

interface Later {
  readonly reason: string;
  readonly names: RegExp;
  readonly text?: RegExp;
}
const beyond = ({ reason, names, text }: Later): Cause => ({
  reason,
  explains: ({ here, there }) => here.text === BAD && names.test(mnemonic(there.text)) && (text?.test(bare(there.text)) ?? true),
});
/** Whether an instruction of that name (its size may be a letter at the end) and text is one that is not implemented. */
export const isLater = (name: string, whole: string): boolean =>
  LATER.some(({ names, text }) => (names.test(name) || names.test(name.replace(/[bwlq]$/, ''))) && (text?.test(whole) ?? true));

/** The same length, and the other's text becomes ours by this. */
const rewritten = (reason: string, rewrite: (text: string, c: Compared) => string): Cause => ({
  reason,
  explains: (c) => c.here.length === c.there.length && rewrite(c.there.text, c) === c.here.text,
});

/** Without LOCK it must be right, too. */
function withoutLock(c: Compared): boolean {
  if (c.here.text !== BAD || !/\block /.test(c.there.text)) return false;
  const locks = c.there.text.match(/\block /g)?.length ?? 0;
  const prefixes = c.bytes.findIndex((byte) => !isPrefix(byte));
  const bytes = c.bytes.filter((byte, n) => byte !== LOCK || n > prefixes);
  const there = { text: c.there.text.replace(/\block /g, ''), length: c.there.length - locks };
  // the same place after it
  const here = disassembleHere(x86, bytes, c.pc + locks, c.bits);
  if (isBad(here.text) ? isBad(there.text) : here.text === there.text && here.length === there.length) return true;
  return CAUSES.some((cause) => cause.explains({ ...c, bytes, pc: c.pc + locks, here, there }));
}

/** A short jump with a 16-bit operand size goes to a 16-bit address (SDM volume 2, JMP, Jcc, LOOP). */
const SHORT_JUMP = /\bdata16 (.* )?(j[a-z]+|loop[a-z]*) 0x[0-9a-f]+$/;
function cut(text: string, { bits, pc, there }: Compared): string {
  if (bits !== 16 && !SHORT_JUMP.test(text)) return text;
  const segment = bits === 16 ? (pc + there.length) & ~0xffff : 0;
  return text.replace(/(?<=\b(j[a-z]+|loop[a-z]*) )0x[0-9a-f]+$/, (to) => `0x${(segment | (Number(to) & 0xffff)).toString(16)}`);
}

const plainAddress = (text: string): string => bare(text).replace(/(?<=PTR )..:/, '');

const HINT = /^(bnd[a-z]+|cldemote|rdssp[dq]|nop|prefetch[a-z0-9]*|nopw) ?/;

/** Instructions that are not implemented, by their names in objdump, and by more of their text. */
const LATER: readonly Later[] = [
  { reason: 'test registers, which only the 386 and 486 had', names: /^mov$/, text: /\btr[0-7]\b/ },
  { reason: 'control registers that do not exist', names: /^mov$/, text: /\bcr([15-9]|1[0-5])\b/ },
  { reason: 'MOV to CS is #UD', names: /^mov$/, text: /^mov cs,/ },
  { reason: 'instructions of the 287 that later coprocessors do not have', names: /^frstpm/ },
  { reason: 'later: PREFETCH of AMD with ModRM.reg 2…7, PREFETCHWT1', names: /^prefetch/ },
  {
    reason: 'later: SSE3, SSSE3, SSE4',
    names:
      /^(fisttp|h(add|sub)p[sd]|addsubp[sd]|mov(shdup|sldup|ddup|ntss|ntsd|ntdqa)|lddqu|extrq|insertq|monitorx?|mwaitx?|popcnt|crc32|p(abs|sign)[bwd]|ph(add|sub)(d|s?w)|pmaddubsw|pmulhrsw|pshufb|palignr|blendv?p[sd]|pblend(vb|w)|dpp[sd]|extractps|insertps|mpsadbw|packusdw|p(ext|ins)r[bwdq]|phminposuw|p(max|min)(sb|sd|ud|uw)|pmov[sz]x[bwd][wdq]|pmul(dq|ld)|ptest|round[ps][sd]|pcmp(eqq|gtq|[ei]str[im]))$/,
  },
  {
    reason: 'later: 3DNow!, AVX and whatever has VEX, EVEX or XOP',
    names:
      /^(femms|pf[a-z0-9]+|pi2f[dw]|pavgusb|pmulhrw|pswapd|v[a-z0-9_]+|k[a-z]+[bwdq]{1,2}|bextr|bl[cs][a-z]+|bzhi|pdep|pext|rorx|[rs][ahl][lr]x|mulx|andn|tz[a-z]+|t1mskc|llwpcb|slwpcb|lwp(ins|val)|tdp[a-z0-9]+|(ld|st)tilecfg)$/,
  },
  {
    reason: 'later: AES, SHA, GFNI, carry-less multiplication, Key Locker',
    names: /^(aes[a-z0-9]+|sha[a-z0-9]+|gf2p8[a-z0-9]+|pclmul[a-z0-9]*|encodekey(128|256)|loadiwkey)$/,
  },
  {
    reason: 'later: MOVBE, ADX, RDRAND, CLWB and the like, TSX, direct stores',
    names:
      /^(movbe|a(dc|do)x|rd(rand|seed|pid)|clwb|clflushopt|clzero|xbegin[wd]?|xabort|xend|xtest|xs?usldtrk|xresldtrk|movdiri|movdir64b|enqcmds?|ptwrite|aadd|aand|aor|axor|u(mwait|monitor)|tpause|serialize|hreset|wbnoinvd|pcommit|stac|clac|senduipi|cldemote|lzcnt|tzcnt)$/,
  },
  {
    reason: 'later: SYSENTER, SYSCALL, VMX, SVM, SMX, SMM, XSAVE, PadLock, CET, FSGSBASE',
    names:
      /^(sys(enter|exit|call|ret)[a-z]*|vm[a-z0-9]+|inv(ept|vpid|pcid|lpg[ab])|tlbsync|getsec|rsm|skinit|stgi|clgi|xs(ave|ha)[a-z0-9]*|x(rstor|store|crypt|getbv|setbv)[a-z0-9-]*|ccs_(hash|encrypt)|montmul|(set|clr|save|rst)[a-z]*ssp?[a-z]*|incssp[dq]|rdssp[dq]|wru?ss[dq]|(rd|wr)[fg]sbase|rdtscp|rdpru|(rd|wr)pkru|swapgs|encls|enclu|enclv|pconfig|p(validate|smash)|rmp(adjust|update)|ssp|endbr64|mcommit|enqcmd|rd(msrlist)|wrmsr(ns|list)|seam[a-z]+|td(call)|[su]ti|clui|stui|testui|uiret)$/,
  },
];

const CAUSES: readonly Cause[] = [
  { reason: 'LOCK where it is not allowed is #UD (SDM volume 2, LOCK); objdump does not ask', explains: withoutLock },
  rewritten('prefixes that later processors take for hints (MPX, HLE, CET) are named so by objdump', (text, c) => {
    const hinted = hints(text);
    return hinted === c.here.text ? hinted : hints(cut(text, c));
  }),
  rewritten('objdump does not cut the target of a short jump to 16 bits', cut),
  rewritten('objdump shows an address of a SIB byte without registers in another way in 16-bit code', (text, { bits }) =>
    bits === 16 ? text.replace(/ds:(0x[0-9a-f]+)/, '[eiz*1+$1]') : text,
  ),
  rewritten('objdump says which coprocessor had the instruction', (text) => text.replace(/\((8087|287) only\)$/, '')),
  {
    reason: 'reserved NOP encodings (0F 18…1F) in which later processors have hints: NOP here',
    explains: ({ here, there }) =>
      mnemonic(here.text) === 'nop' && HINT.test(bare(there.text)) && (here.length === there.length || isBad(there.text)),
  },
  {
    reason: 'objdump takes FWAIT for a prefix if another one is before it',
    explains: ({ here, there, bytes }) =>
      (here.text === BAD || bare(here.text) === 'fwait') &&
      bytes[bytes.findIndex((byte) => !isPrefix(byte))] === FWAIT &&
      /^f/.test(bare(there.text)),
  },
  {
    reason: 'objdump loses a segment prefix beside the one that it takes for a hint (CET)',
    explains: ({ here, there }) =>
      here.length === there.length && there.text.includes('notrack') && plainAddress(there.text) === plainAddress(here.text),
  },
  {
    reason: 'objdump knows no other prefix before MOVDQ2Q and MOVQ2DQ',
    explains: ({ here, there }) =>
      here.length === there.length && /^mov(dq2q|q2dq)/.test(bare(here.text)) && mnemonic(there.text) === mnemonic(here.text),
  },
  {
    reason:
      'F3 before BSF, BSR, WBINVD and VMMCALL has no meaning before TZCNT, LZCNT, WBNOINVD and VMGEXIT, and objdump shows none before ignored prefixes',
    explains: ({ here, there }) =>
      /^(bsf|bsr|wbinvd|vmmcall)\b/.test(bare(here.text)) &&
      (/^(tzcnt|lzcnt|wbnoinvd|vmgexit)\b/.test(bare(there.text)) || isBad(there.text)),
  },
  {
    reason: 'not in objdump, but in processors: SALC, aliases of x87 instructions (DC D0, DD C8, …), any ModRM.rm of the fences',
    explains: ({ here, there }) => isBad(there.text) && /^(salc|f(com|comp|xch|stp) st\(\d\)|[lms]fence)$/.test(bare(here.text)),
  },
  {
    reason: 'prefixes that the instruction does not take are #UD (SDM volume 2, NP), for the processor, too; objdump shows them',
    explains: ({ here, there }) =>
      here.text === BAD &&
      PREFIX_WORDS.test(there.text) &&
      /^(fx(save|rstor)|(ld|st)mxcsr|pmovmskb|maskmovq|movnti|[lms]fence|clflush)\b/.test(bare(there.text)),
  },
  ...LATER.map(beyond),
];

/** Our words for hints. */
function hints(text: string): string {
  const plain = text.replace(/\b(bnd|xacquire) /g, 'repnz ').replace(/\bxrelease /g, 'repz ');
  return plain.replace(/\bnotrack (.*PTR )\[/, '$1ds:[').replace(/\bnotrack /, 'ds ');
}

/** A sweep of x86, 32-bit or 16-bit code, against objdump, or why there is none. */
export function x86Sweep(seed: number, bits: 16 | 32 = 32): Sweep | { readonly missing: string } {
  const command = ['i686-linux-gnu-objdump', 'objdump'].find((name) => toolVersion(name) !== undefined);
  if (!command) return { missing: 'there is no objdump for i386' };
  return {
    isa: x86,
    bits,
    tool: toolVersion(command)!,
    command,
    options: ['-m', 'i386', '-M', bits === 16 ? 'intel,i8086' : 'intel,i386'],
    causes: CAUSES,
    encoding: (n) => encoding(seed, n),
    isBad,
  };
}
