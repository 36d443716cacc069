import { describe, expect, test } from 'vitest';
import { mips, mipsel } from '../../../translators/mips/index.ts';
import { Mips } from '../../../translators/mips/state.ts';
import { generate } from '../../oracle/mips/generate.ts';
import { CODE, DATA, DATA_BYTES, type Record, runInQemu } from '../../oracle/mips/record.ts';
import { makeMachine } from '../../support/machine.ts';

const END = CODE - 0x1000;
const BREAK = 0x0000000d;
/** Cause and flag bits of FCSR are not kept. */
const FCSR_KEPT = ~0x0003f07c;

const words = (list: ArrayLike<number>, little: boolean): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * list.length));
  for (let i = 0; i < list.length; i++) view.setUint32(4 * i, list[i], little);
  return new Uint8Array(view.buffer);
};

const SIGNALS: { readonly [kind: string]: number } = { illegal: 4, breakpoint: 5, exception: 5, 'memory-fault': 11 };

function runHere(isa: typeof mips, records: readonly Record[]): Record[] {
  const little = isa.endian === 'little';
  const machine = makeMachine(isa, { top: 0x20010000 });
  machine.put(END, words([BREAK], little));
  const code = new Uint32Array(records.length * 16);
  records.forEach((record, k) => {
    code.set(record.code, k * 16);
  });
  machine.put(CODE, words(code, little));
  machine.put(DATA, new Uint8Array(DATA_BYTES));
  return records.map((record, k) => {
    for (let i = 1; i < 32; i++) machine.setWord(Mips.GPR + 4 * i, i === 26 ? END : record.gpr[i]);
    for (let i = 0; i < 32; i++) machine.setWord(Mips.FPR + 4 * i, record.fpr[i]);
    machine.setWord(Mips.HI, record.hi);
    machine.setWord(Mips.LO, record.lo);
    machine.setWord(Mips.FCSR, record.fcsr);
    machine.setWord(Mips.LLBIT, 0);
    machine.memory.poke(DATA, record.data);
    machine.pc = CODE + 64 * k;
    const exit = machine.run(1000);
    const overflow = exit.kind === 'exception' && exit.number === 12;
    return {
      text: record.text,
      code: record.code,
      gpr: Uint32Array.from({ length: 32 }, (_, i) => (i === 0 ? 0 : machine.word(Mips.GPR + 4 * i))),
      fpr: Uint32Array.from({ length: 32 }, (_, i) => machine.word(Mips.FPR + 4 * i)),
      data: machine.bytes(DATA, DATA_BYTES),
      hi: machine.word(Mips.HI),
      lo: machine.word(Mips.LO),
      fcsr: machine.word(Mips.FCSR),
      signal: exit.kind === 'breakpoint' && exit.pc === END ? 0 : overflow ? 8 : (SIGNALS[exit.kind] ?? -1),
    };
  });
}

const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');

/** What differs, in words, or nothing. */
function difference(before: Record, here: Record, there: Record): string | undefined {
  const found: string[] = [];
  const compare = (name: string, was: number, x: number, y: number): void => {
    if (x !== y) found.push(`${name}: was ${hex(was)}, here ${hex(x)}, qemu ${hex(y)}`);
  };
  compare('signal', 0, here.signal, there.signal);
  for (let i = 1; i < 32; i++) if (i !== 26 && i !== 27) compare(`$${i}`, before.gpr[i], here.gpr[i], there.gpr[i]);
  for (let i = 0; i < 32; i++) compare(`$f${i}`, before.fpr[i], here.fpr[i], there.fpr[i]);
  compare('hi', before.hi, here.hi, there.hi);
  compare('lo', before.lo, here.lo, there.lo);
  compare('fcsr', before.fcsr, (here.fcsr & FCSR_KEPT) >>> 0, (there.fcsr & FCSR_KEPT) >>> 0);
  if (here.data.some((byte, i) => byte !== there.data[i]))
    found.push(
      `memory: ${Buffer.from(before.data).toString('hex')}\n  here ${Buffer.from(here.data).toString('hex')}\n  qemu ${Buffer.from(there.data).toString('hex')}`,
    );
  return found.length === 0 ? undefined : `${before.text} [${before.code.slice(0, -2).map(hex).join(' ')}]\n  ${found.join('\n  ')}`;
}

describe.each([mips, mipsel])('$name agrees with qemu-user', (isa) => {
  test('every instruction form, with edge values', { timeout: 60_000 }, ({ skip }) => {
    const records = generate(Number(process.env.MIPS_ORACLE_CASES ?? 24), 20240);
    const there = runInQemu(isa.name as 'mips' | 'mipsel', records);
    if (typeof there === 'string') return skip(`not run: ${there}`);
    const here = runHere(isa, records);
    const differences = records.map((record, k) => difference(record, here[k], there[k])).filter((d) => d !== undefined);
    expect(differences.slice(0, 20)).toEqual([]);
  });
});
