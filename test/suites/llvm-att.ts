/** Our text of an x86 instruction (Intel's syntax) as LLVM writes it for AT&T's assembler, and texts of that syntax in one canonical form. */

const SIZES: Readonly<Record<string, number>> = { BYTE: 1, WORD: 2, DWORD: 4, FWORD: 6, QWORD: 8, TBYTE: 10, XMMWORD: 16 };
const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' };

interface Operand {
  readonly text: string;
  /** Bytes, where the operand tells; 0 else. */
  readonly size: number;
  readonly kind: 'register' | 'memory' | 'immediate' | 'other';
}

const REGISTERS: readonly (readonly [RegExp, number])[] = [
  [/^[abcd][lh]$/, 1],
  [/^([abcd]x|[sb]p|[sd]i)$/, 2],
  [/^e([abcd]x|[sb]p|[sd]i)$/, 4],
];
const OTHER_REGISTER = /^([c-g]s|ss|[cd]r\d|x?mm\d|st(\(\d\))?)$/;

const number = (text: string): string => String(Number(text) | 0);

/** `disp(base,index,scale)`; a scale of 1 is left out, as LLVM does, and so is a displacement of 0. */
function memory(segment: string, inside: string): string {
  let [base, index, scale, displacement] = ['', '', '', 0];
  for (const [, sign, term] of inside.matchAll(/([+-]?)([^+-]+)/g)) {
    const scaled = /^(\w+)\*(\d)$/.exec(term);
    if (scaled) [index, scale] = [`%${scaled[1]}`, scaled[2]];
    else if (/^0x/.test(term)) displacement = sign === '-' ? -Number(term) : Number(term);
    else if (base) index = `%${term}`;
    else base = `%${term}`;
  }
  const registers = index ? `(${base},${index}${scale && scale !== '1' ? `,${scale}` : ''})` : base ? `(${base})` : '';
  const text = displacement !== 0 || registers === '' ? String(displacement | 0) : '';
  return `${segment ? `%${segment}:` : ''}${text}${registers}`;
}

function operandOf(text: string): Operand {
  const place = /^(?:(\w+) PTR )?(?:(\w\w):)?\[(.*)\]$/.exec(text) ?? /^(?:(\w+) PTR )?(\w\w):(0x[0-9a-f]+)$/.exec(text);
  if (place) {
    const absolute = !text.endsWith(']');
    const segment = absolute && place[2] === 'ds' ? '' : (place[2] ?? '');
    return { text: memory(segment, place[3]), size: SIZES[place[1]] ?? 0, kind: 'memory' };
  }
  const size = REGISTERS.find(([pattern]) => pattern.test(text))?.[1] ?? 0;
  if (size || OTHER_REGISTER.test(text)) return { text: `%${text}`, size, kind: 'register' };
  if (/^0x[0-9a-f]+$|^\d+$/.test(text)) return { text: `$${number(text)}`, size: 0, kind: 'immediate' };
  return { text, size: 0, kind: 'other' };
}

/** Where the names differ, and where no operand tells the size: [32-bit, 16-bit]. */
const NAMES: Readonly<Record<string, string>> = {
  cbw: 'cbtw',
  cwde: 'cwtl',
  cwd: 'cwtd',
  cdq: 'cltd',
  pusha: 'pushal',
  popa: 'popal',
  pushf: 'pushfl',
  popf: 'popfl',
  pushaw: 'pushaw',
  popaw: 'popaw',
  pushfw: 'pushfw',
  popfw: 'popfw',
  iret: 'iretl',
  iretw: 'iretw',
  ret: 'retl',
  retw: 'retw',
  retf: 'lretl',
  retfw: 'lretw',
  fwait: 'wait',
  fcomip: 'fcompi',
  fucomip: 'fucompi',
  loopne: 'loopne',
  xlat: 'xlatb',
  nop: 'nop',
  enter: 'enter',
  leave: 'leave',
  leavew: 'leavew',
  repz: 'repe',
  repnz: 'repne',
  sysexit: 'sysexitl',
  sysret: 'sysretl',
  sgdtd: 'sgdtl',
  sidtd: 'sidtl',
  lgdtd: 'lgdtl',
  lidtd: 'lidtl',
  ud1: 'ud1l',
  movnti: 'movntil',
};
const STRING = /^(movs|cmps|stos|lods|scas|ins|outs)$/;
/** Integer instructions, whose name ends with their size. */
const SIZED =
  /^(mov|add|adc|sub|sbb|cmp|and|or|xor|test|not|neg|inc|dec|i?mul|i?div|push|pop|xchg|xadd|cmpxchg|lea|ro[lr]|rc[lr]|sh[lr]d?|sar|bt[src]?|bs[fr]|bswap|cmov\w+|in|out|l[dsefg]s|bound|nop|call|jmp|lar|lsl|s[lg]dt|str|smsw)$/;
/** Their operand is two bytes, and the name does not say so. */
const FLOAT = /^f(add|sub|subr|mul|div|divr|com|comp|ld|st|stp)$/;
const FIXED = /^fi(add|sub|subr|mul|div|divr|com|comp|ld|st|stp|sttp)$/;

function suffixOf(name: string, operands: readonly Operand[]): string {
  if (FLOAT.test(name) && operands[0]?.kind === 'memory') return { 4: 's', 8: 'l', 10: 't' }[operands[0].size] ?? '?';
  if (FIXED.test(name)) return { 2: 's', 4: 'l', 8: 'll' }[operands[0].size] ?? '?';
  if (/^cvtsi2s[sd]$/.test(name)) return operands[1].kind === 'memory' ? 'l' : '';
  if (!SIZED.test(name)) return '';
  if (name === 'in') return SUFFIX[operands[0].size];
  if (name === 'out') return SUFFIX[operands[1].size];
  const first = operands.find((o) => o.size > 0 && o.kind !== 'immediate');
  return first ? (SUFFIX[first.size] ?? '') : '';
}

/** One instruction without prefixes. */
function instruction(name: string, operands: readonly Operand[]): string {
  const give = (mnemonic: string, list = operands): string =>
    `${mnemonic} ${[...list]
      .reverse()
      .map((o) => o.text)
      .join(',')}`.trim();
  const [first, second] = operands;
  if (STRING.test(name)) return stringInstruction(name, operands);
  if (name === 'xlat') return 'xlatb';
  if (/^mov[zs]x$/.test(name)) return give(`${name.slice(0, 4)}${SUFFIX[second.size]}${SUFFIX[first.size]}`);
  // far transfers
  const far = /^(0x[0-9a-f]+):(0x[0-9a-f]+)$/.exec(first?.text ?? '');
  if (far && /^(call|jmp)/.test(name))
    return `l${name.replace(/w$/, '')}${name.endsWith('w') ? 'w' : 'l'} $${number(far[1])},$${number(far[2])}`;
  if (/^(call|jmp)$/.test(name) && first.kind === 'memory' && first.size === 6) return `l${name}l *${first.text}`;
  if (/^(call|jmp)$/.test(name) && first.kind === 'memory' && first.size === 4) return `${name}l *${first.text}`;
  if (/^(call|jmp)$/.test(name) && first.kind === 'register') return `${name}${SUFFIX[first.size]} *${first.text}`;
  if (/^(enterw?|retf?w?)$/.test(name)) return `${NAMES[name] ?? name} ${operands.map((o) => o.text).join(',')}`.trim();
  if (/^l[dsefg]s$/.test(name)) return give(`${name}${SUFFIX[first.size]}`);
  if (name === 'bound') return `bound ${operands.map((o) => o.text).join(',')}`;
  if (/^(push|pop)$/.test(name) && (SEGMENT.test(first.text) || first.kind === 'immediate')) return `${name}l ${first.text}`;
  if (/^(lldt|ltr|lmsw|verr|verw)$/.test(name) && first.kind === 'memory' && !/^ver/.test(name)) return `${name}w ${first.text}`;
  if (/^(lar|lsl)$/.test(name))
    return give(`${name}${SUFFIX[first.size]}`, [
      first,
      { ...second, text: second.kind === 'register' ? second.text.replace('%e', '%') : second.text },
    ]);
  if (SHIFT.test(name) && second?.text === '$1') return give(`${name}${suffixOf(name, [first])}`, [first]);
  if (/^aa[md]$/.test(name) && first.text === '$10') return name;
  if (/^fu?comip?$/.test(name)) return give(NAMES[name] ?? name, [second]);
  // AT&T's assembler has these the other way round where ST(0) is not the destination
  const reversed = /^f(sub|div)(r?)(p?)$/.exec(name);
  if (reversed && first?.text !== '%st' && first?.kind === 'register')
    return give(`f${reversed[1]}${reversed[2] ? '' : 'r'}${reversed[3]}`);
  return give(`${NAMES[name] ?? name}${suffixOf(name, operands)}`);
}

/** `movs es:[edi], ds:[esi]` has its size in the name, and DS is not shown. */
function stringInstruction(name: string, operands: readonly Operand[]): string {
  const size = operands.find((o) => o.kind === 'memory')!.size;
  return `${name}${SUFFIX[size]} ${[...operands]
    .reverse()
    .map((o) => o.text.replace(/^%ds:/, ''))
    .join(',')}`;
}

const SEGMENT = /^%([c-g]s|ss)$/;
const SHIFT = /^(ro|rc|sh|sa)[lr]$/;

const PREFIX = /^(lock|rep|repz|repnz|data16|addr16|[c-g]s|ss) /;

/** Our text in AT&T's syntax. */
export function att(text: string): string {
  let rest = text;
  const prefixes: string[] = [];
  for (let found = PREFIX.exec(rest); found; found = PREFIX.exec(rest)) {
    prefixes.push(NAMES[found[1]] ?? found[1]);
    rest = rest.slice(found[0].length);
  }
  const space = rest.indexOf(' ');
  const name = space < 0 ? rest : rest.slice(0, space);
  const operands =
    space < 0
      ? []
      : rest
          .slice(space + 1)
          .split(/,(?![^[]*\])/)
          .map(operandOf);
  const whole = instruction(name, operands);
  // LLVM tells no difference between REP and REPE
  return [...prefixes.map((p) => (p === 'repe' ? 'rep' : p)), whole].join(' ');
}
