import type { Values } from '../../src/isa/bits.ts';
import type { MipsRow } from './row.ts';

type Fields = Values<string>;

interface Alias {
  readonly text: string;
  readonly if: (fields: Fields) => boolean;
}

const zero =
  (...letters: string[]) =>
  (fields: Fields): boolean =>
    letters.every((letter) => fields[letter] === 0);
const shiftOf =
  (amount: number) =>
  ({ d, t, a }: Fields): boolean =>
    d === 0 && t === 0 && a === amount;
const syncOf =
  (type: number) =>
  ({ k }: Fields): boolean =>
    k === type;

/** What assemblers write for some operands of an instruction, by the row's text; the first that holds. GNU's choice. */
const ALIASES: Readonly<Record<string, readonly Alias[]>> = {
  'sll $d,$t,$a': [
    { text: 'nop', if: shiftOf(0) },
    { text: 'ssnop', if: shiftOf(1) },
    { text: 'ehb', if: shiftOf(3) },
    { text: 'pause', if: shiftOf(5) },
  ],
  'addiu $t,$s,$i': [{ text: 'li $t,$i', if: zero('s') }],
  'ori $t,$s,$u': [{ text: 'li $t,$u', if: zero('s') }],
  'or $d,$s,$t': [{ text: 'move $d,$s', if: zero('t') }],
  'addu $d,$s,$t': [{ text: 'move $d,$s', if: zero('t') }],
  'sub $d,$s,$t': [{ text: 'neg $d,$t', if: zero('s') }],
  'subu $d,$s,$t': [{ text: 'negu $d,$t', if: zero('s') }],
  'beq $s,$t,$o': [
    { text: 'b $o', if: zero('s', 't') },
    { text: 'beqz $s,$o', if: zero('t') },
  ],
  'bne $s,$t,$o': [{ text: 'bnez $s,$o', if: zero('t') }],
  'beql $s,$t,$o': [{ text: 'beqzl $s,$o', if: zero('t') }],
  'bnel $s,$t,$o': [{ text: 'bnezl $s,$o', if: zero('t') }],
  'bgez $s,$o': [{ text: 'b $o', if: zero('s') }],
  'bgezal $s,$o': [{ text: 'bal $o', if: zero('s') }],
  'sync $k': [
    { text: 'sync_wmb', if: syncOf(4) },
    { text: 'sync_mb', if: syncOf(0x10) },
    { text: 'sync_acquire', if: syncOf(0x11) },
    { text: 'sync_release', if: syncOf(0x12) },
    { text: 'sync_rmb', if: syncOf(0x13) },
  ],
};

/** The row's text, or that of the alias which these fields make of it. */
export function aliasText({ text }: MipsRow, fields: Fields): string {
  return ALIASES[text]?.find((alias) => alias.if(fields))?.text ?? text;
}

/** CP0 registers with select 1 and on (MIPS32 volume III, table 9-1; the MT module's), by number. */
const SELECTED: Readonly<Record<number, string>> = {
  0: 'mvpcontrol mvpconf0 mvpconf1',
  1: 'vpecontrol vpeconf0 vpeconf1 yqmask vpeschedule vpeschefback',
  2: 'tcstatus tcbind tcrestart tchalt tccontext tcschedule tcschefback',
  4: 'contextconfig',
  5: 'pagegrain',
  6: 'srsconf0 srsconf1 srsconf2 srsconf3 srsconf4',
  12: 'intctl srsctl srsmap',
  15: 'ebase',
  16: 'config1 config2 config3',
  18: 'watchlo,1 watchlo,2 watchlo,3 watchlo,4 watchlo,5 watchlo,6 watchlo,7',
  19: 'watchhi,1 watchhi,2 watchhi,3 watchhi,4 watchhi,5 watchhi,6 watchhi,7',
  23: 'tracecontrol tracecontrol2 usertracedata tracebpc',
  25: 'perfcnt,1 perfcnt,2 perfcnt,3 perfcnt,4 perfcnt,5 perfcnt,6 perfcnt,7',
  27: 'cacheerr,1 cacheerr,2 cacheerr,3',
  28: 'datalo taglo1 datalo1 taglo2 datalo2 taglo3 datalo3',
  29: 'datahi taghi1 datahi1 taghi2 datahi2 taghi3 datahi3',
};

/** A CP0 register with a select that is not zero. */
export function selectedName(register: number, select: number): string {
  const name = SELECTED[register]?.split(' ')[select - 1];
  return name ? `c0_${name}` : `$${register},${select}`;
}
