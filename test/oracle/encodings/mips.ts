import { mips, mipsel } from '../../../translators/mips/index.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { type Random, random } from '../x86/random.ts';
import type { Cause, Compared, Sweep } from './compare.ts';
import { toolVersion } from './objdump.ts';

/** Every other word is one of a row's, with any fields; of the others, half have a major opcode that holds more instructions. */
export function encoding(little: boolean, seed: number, n: number): Uint8Array {
  const rnd = random(Math.imul(n + 1, 0x9e3779b1) ^ seed);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word(rnd, n), little);
  return bytes;
}

const SPECIALS = [0x00, 0x01, 0x10, 0x11, 0x12, 0x13, 0x1c, 0x1f];
function word(rnd: Random, n: number): number {
  const any = rnd.u32();
  if (n & 1) {
    const row = ROWS[(n >>> 1) % ROWS.length];
    return (row.value | (any & ~row.mask)) >>> 0;
  }
  if (rnd.below(2)) return any;
  // fields that must be zero mostly are
  const sparse = rnd.below(2) ? any & rnd.u32() & rnd.u32() : any;
  return ((rnd.pick(SPECIALS) << 26) | (sparse & 0x3ffffc0) | (any & 0x3f)) >>> 0;
}

const BAD = /^\.word/;
const isBad = (text: string): boolean => BAD.test(text) || /^0x[0-9a-f]+$/.test(text);
const mnemonic = (text: string): string => text.split(' ')[0];

/** An instruction that is not implemented here, by its text in objdump. */
const beyond = (reason: string, texts: RegExp): Cause => ({
  reason,
  explains: ({ here, there }: Compared) => isBad(here.text) && texts.test(there.text),
});

/** Vector instructions: integer and fixed point of some size, floating point of some size. */
const MSA =
  /^(b[nz]{1,2}\.[bhwdv]|(ld|st|lsa|[a-z]+_[suqa]+|[a-z]+_q|adds?v?|subv|mulv|maddv|msubv|mul[r]?|m[ad]+|f[a-z0-9]+|[a-z]+i?_?[sua]?|nlzc|nloc|pcnt|sld|splat|shf|vshf|binsri|insve)\.[bhwdv]|lsa|(c[tf]cmsa|move\.v)) .*\$w|^(lsa) |^c[tf]cmsa|^bn?z\.[bhwdv] /;

const CAUSES: readonly Cause[] = [
  {
    reason: 'CLZ and CLO whose rt is not rd are UNPREDICTABLE (MIPS32 volume II); objdump shows both registers',
    explains: ({ here, there }) =>
      /^cl[oz] /.test(here.text) &&
      there.text.startsWith(mnemonic(here.text)) &&
      there.text.endsWith(here.text.slice(here.text.indexOf(','))),
  },
  beyond('coprocessor 2, which no program here has', /^(c2|(l|s)[wd]c2|m[ft]h?c2|c[ft]c2|bc2[ft]l?) /),
  beyond('operations of coprocessors without a name', /^c[01] /),
  beyond('MIPS16: JALX', /^jalx /),
  beyond('user-defined instructions (CorExtend)', /^udi\d/),
  beyond(
    'EJTAG, modules and later releases: SDBBP, EVA, XPA, virtualization, TLBINV, MCU',
    /^(sdbbp|[ls][bhw][lr]?u?e|ll[e]|sce|cachee|prefe|m[ft]hc0|m[ft]h?gc0|hypcall|tlb(inv|g)[a-z]*|eretnc|iret)\b/,
  ),
  beyond('multithreading (MT)', /^(fork|yield|d?e?vpe|[de]mt|m[ft]t[a-z0-9]+|cft[a-z0-9]+|ctt[a-z0-9]+)\b/),
  beyond('SIMD (MSA)', MSA),
  beyond('MIPS-3D and paired single', /\.ps\b|^(bc1any[24][ft]|cabs\.|r(ecip|sqrt)[12]\.|cvt\.ps|cvt\.s\.p[lu]|alnv)/),
  beyond('SmartMIPS, cryptography and memory-to-memory modules', /^(lwxs|mflhxu|mtlhx|maddp|multp|pperm|aset|aclr)\b/),
  beyond(
    'DSP module',
    /\$ac\d|\.(qb|ph|ob|qh|w)(\.|\b)|^(addsc|addwc|modsub|insv|bitrev|append|prepend|balign|l(bu|h|w)x|bposge\d+|rddsp|wrdsp|mthlip|shilov?|ext(p|pv|pdp|pdpv)) ?|_(s|q|rs|sa|r)\./,
  ),
];

/** A sweep of MIPS32 release 2 in one byte order against objdump, or why there is none. */
export function mipsSweep(name: 'mips' | 'mipsel', seed: number): Sweep | { readonly missing: string } {
  const command = `${name}-linux-gnu-objdump`;
  const tool = toolVersion(command);
  if (tool === undefined) return { missing: `there is no ${command}` };
  const little = name === 'mipsel';
  return {
    isa: little ? mipsel : mips,
    tool,
    command,
    options: ['-m', 'mips:isa32r2', little ? '-EL' : '-EB'],
    causes: CAUSES,
    encoding: (n) => encoding(little, seed, n),
    isBad,
    fixedLength: true,
  };
}
