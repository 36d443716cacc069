import { MIPS_END, MipsImage, MipsImageMode } from '../../../src/conformance/mips.ts';
import { EndKind, PAGE, type RecordedSuite, type RecordedVector } from '../../../src/conformance/vectors.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { generateFloat, isFloatRow } from './float.ts';
import { generate } from './generate.ts';
import { runOnMalta } from './malta.ts';
import { type Departure, departure, NONE, plainly, undefinedText } from './manual.ts';
import { CODE, CODE_WORDS, DATA, DATA_BYTES, FPUS, type Fpu, type Record, runInQemu } from './record.ts';
import { generateUnaligned, UNALIGNED_ROWS } from './unaligned.ts';

const BREAK = 0x0000000d;
const PC_MASK = 0xffffffff;
/** The runner's registers: $k0 holds the address to return to, $k1 its record. */
const K0 = MipsImage.GPR + 4 * 26;
const IGNORED: RecordedSuite['ignored'] = [[K0, K0 + 8, 0xff]];
/** The runner puts each code at an address of its own; as many as one page holds. */
const BATCH = PAGE / (4 * CODE_WORDS);
/** States that one code is run on, where its form allows it: it is translated once for all of them. */
const PER_CODE = 8;
const SIGBUS = 10;
const SIGNALS_WITH_ADDRESS = new Set([7, SIGBUS, 11]);

/** Whether a row reads or writes FPU state. */
const usesFpu = (row: MipsRow): boolean => row.group.startsWith('floating-point') || /^(bc1|mov[ft] )/.test(row.text);

/** Why a form has no vectors. */
function skippedFor({ text }: MipsRow): string {
  if (text.startsWith('syscall')) return 'enters the kernel, and what the kernel answers would be compared';
  return 'a special case of another form, which has the vectors';
}

function bytesOf(words: ArrayLike<number>, little: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i], little);
  return new Uint8Array(view.buffer);
}

const modeOf = (fpu: Fpu): number => (fpu.wide ? MipsImageMode.FR : 0) | (fpu.nan2008 ? MipsImageMode.NAN2008 : 0);

function imageOf(record: Record, fpu: Fpu): Uint8Array {
  const { gpr, hi, lo, fcsr, fpr } = record;
  const mode = modeOf(fpu) | (record.aligned ? MipsImageMode.ALIGNED : 0);
  const image = bytesOf([...gpr, hi, lo, fcsr, mode, record.userLocal ?? 0, ...fpr], true);
  image.set(bytesOf([MIPS_END], true), K0);
  return image;
}

/** What QEMU made of the records, by the pages of codes that they lie in. */
function outcomesOf(isa: 'mips' | 'mipsel', records: readonly Record[], fpu: Fpu): Record[] | string {
  const outcomes: Record[] = [];
  for (let first = 0; first < records.length; ) {
    const page = Math.floor(records[first].slot! / BATCH);
    let last = first;
    while (last < records.length && Math.floor(records[last].slot! / BATCH) === page) last++;
    const batch = records.slice(first, last).map((record) => ({ ...record, slot: record.slot! % BATCH }));
    const ran = runInQemu(isa, batch, fpu);
    if (typeof ran === 'string') return ran;
    outcomes.push(...ran);
    first = last;
  }
  return outcomes;
}

interface Recorded {
  readonly before: Record;
  readonly after: Record;
  readonly fpu: Fpu;
  readonly row: MipsRow;
  readonly departure: Departure;
}

export interface MipsRecordOptions {
  readonly seed: number;
  /** Vectors of each form. */
  readonly count: number;
  readonly oracle: RecordedSuite['oracle'];
}

/** Asks qemu-user for the outcome of vectors of each form of a part; a string says why that is not possible here. */
export function recordMipsSuite(isa: 'mips' | 'mipsel', part: 'integer' | 'fpu', options: MipsRecordOptions): RecordedSuite | string {
  const { seed, count } = options;
  const rows = ROWS.filter((row) => usesFpu(row) === (part === 'fpu'));
  const byText = new Map(rows.map((row) => [row.text, row]));
  const pool = { states: part === 'fpu' ? 40 : 200, perCode: PER_CODE, batch: BATCH };
  const recorded: Recorded[] = [];
  const omitted = new Map<MipsRow, Map<string, number>>();
  for (const fpu of part === 'fpu' ? FPUS : FPUS.slice(0, 1)) {
    const each = part === 'fpu' ? PER_CODE * Math.ceil(count / FPUS.length / PER_CODE) : count;
    const chosen = (row: MipsRow): boolean => byText.get(row.text) === row && !isFloatRow(row);
    // what is omitted needs others in its place
    const float = part === 'fpu' ? generateFloat(each + PER_CODE, 0, seed, fpu, pool) : [];
    for (const records of [generate(each, seed, fpu.wide, chosen, pool), float]) {
      const outcomes = outcomesOf(isa, records, fpu);
      if (typeof outcomes === 'string') return outcomes;
      const plain = records === float ? outcomesOf(isa, records.map(plainly), fpu) : outcomes;
      if (typeof plain === 'string') return plain;
      const taken = new Map<MipsRow, number>();
      records.forEach((before, n) => {
        const row = byText.get(before.text)!;
        const left = departure(before, outcomes[n], plain[n], row, fpu);
        if (left.omit !== undefined) {
          const reasons = omitted.get(row) ?? new Map<string, number>();
          omitted.set(row, reasons.set(left.omit, (reasons.get(left.omit) ?? 0) + 1));
          return;
        }
        if ((taken.get(row) ?? 0) >= each) return;
        taken.set(row, (taken.get(row) ?? 0) + 1);
        recorded.push({ before, after: outcomes[n], fpu, row, departure: left });
      });
    }
  }

  return suiteOf(isa, part, rows, recorded, omitted, { ...options, states: pool.states });
}

function suiteOf(
  isa: 'mips' | 'mipsel',
  part: string,
  rows: readonly MipsRow[],
  recorded: readonly Recorded[],
  omitted: ReadonlyMap<MipsRow, ReadonlyMap<string, number>>,
  { seed, oracle, states }: MipsRecordOptions & { readonly states: number },
): RecordedSuite {
  const little = isa === 'mipsel';
  const templates: Uint8Array[] = [];
  const vectorOf = makeVector(little, templates, states);
  const vectors = new Map<MipsRow, RecordedVector[]>();
  for (const one of recorded) {
    const list = vectors.get(one.row) ?? [];
    vectors.set(one.row, list);
    list.push(vectorOf(one));
  }
  return {
    name: `${isa}-${part}`,
    isa,
    oracle,
    seed,
    imageBytes: MipsImage.BYTES,
    ignored: IGNORED,
    pages: [
      { address: DATA, permission: 'rw' },
      { address: CODE, permission: 'rx' },
      { address: MIPS_END, permission: 'rx' },
    ],
    pageBytes: [new Uint8Array(PAGE), new Uint8Array(PAGE), bytesOf(new Array(PAGE / 4).fill(BREAK), little)],
    windows: [{ address: DATA, length: DATA_BYTES }],
    filler: [0, 0, 0, 0],
    comparesPc: true,
    templates,
    forms: rows.map((row) => {
      const own = vectors.get(row) ?? [];
      const left = undefinedText(row);
      const reasons = [...(omitted.get(row) ?? [])].map(([reason, n]) => ({ reason, count: n }));
      return {
        group: row.group,
        encoding: row.pattern,
        text: row.text,
        vectors: own,
        ...(own.length === 0 && { skipped: skippedFor(row) }),
        ...(left !== undefined && { undefined: left }),
        ...(reasons.length > 0 && { omitted: reasons }),
      };
    }),
  };
}

/**
 * Accesses that are not aligned, as Debian's kernel for Malta has them under qemu-system-mipsel: made good, and after sysmips(MIPS_FIXADE, 0)
 * refused. A string says why that is not possible here.
 */
export function recordUnaligned(options: MipsRecordOptions): RecordedSuite | string {
  const { seed, count, oracle } = options;
  const states = 40;
  const [fpu] = FPUS;
  const records = generateUnaligned(count + PER_CODE, seed, PER_CODE, states);
  const outcomes = runOnMalta(records);
  if (typeof outcomes === 'string') return outcomes;
  const byText = new Map(UNALIGNED_ROWS.map((row) => [row.text, row]));
  const recorded: Recorded[] = [];
  const taken = new Map<MipsRow, number>();
  for (const [n, record] of records.entries()) {
    const row = byText.get(record.text)!;
    const number = taken.get(row) ?? 0;
    // one of four is refused
    const aligned = number % 4 === 3;
    const after = aligned ? outcomes.refused[n] : outcomes.fixed[n];
    if (!after || number >= count) continue;
    taken.set(row, number + 1);
    // Linux shows the branch before a delay slot, an exit the instruction in it
    const inSlot = after.signal === SIGBUS && record.delayed ? 4 : 0;
    const pc = after.pc! + inSlot - 4 * CODE_WORDS * (record.slot! - (record.slot! % BATCH));
    recorded.push({ before: { ...record, aligned }, after: { ...after, pc }, fpu, row, departure: NONE });
  }
  const details = { ...oracle.details, kernel: `Linux ${outcomes.kernel}` };
  return suiteOf('mipsel', 'unaligned', UNALIGNED_ROWS, recorded, new Map(), { ...options, oracle: { ...oracle, details }, states });
}

/** Makes vectors; the first states become templates, so many. */
function makeVector(little: boolean, templates: Uint8Array[], states: number): (recorded: Recorded) => RecordedVector {
  const distance = (a: Uint8Array, b: Uint8Array, limit: number): number => {
    let n = 0;
    for (let i = 0; i < a.length && n < limit; i++) if (a[i] !== b[i]) n++;
    return n;
  };
  /** A state that is nothing like the templates becomes one itself. */
  const templateFor = (state: Uint8Array): number => {
    let [best, template] = [Number.POSITIVE_INFINITY, -1];
    for (const [n, bytes] of templates.entries()) {
      const far = distance(bytes, state, best);
      if (far < best) [best, template] = [far, n];
    }
    if (best > state.length / 3 && templates.length < 4 * states) return templates.push(state) - 1;
    return template;
  };
  return ({ before, after, fpu, departure: left }) => {
    const stopped = after.signal === 0;
    const state = Uint8Array.from([...imageOf(before, fpu), ...before.data]);
    const ignored = new Uint8Array(MipsImage.BYTES);
    for (const [from, to, bits] of IGNORED) ignored.fill(bits, from, to);
    ignored.set(bytesOf([left.fcsr], true), MipsImage.FCSR);
    if (left.gpr !== undefined) ignored.fill(0xff, MipsImage.GPR + 4 * left.gpr, MipsImage.GPR + 4 * left.gpr + 4);
    for (const w of left.fpr) ignored.fill(0xff, MipsImage.FPR + 4 * w, MipsImage.FPR + 4 * w + 4);
    return {
      template: templateFor(state),
      pc: CODE + 4 * CODE_WORDS * (before.slot! % BATCH),
      code: bytesOf(before.code, little),
      before: imageOf(before, fpu),
      memory: before.data,
      end: {
        kind: stopped ? EndKind.Stopped : EndKind.Fault,
        number: after.signal,
        address: SIGNALS_WITH_ADDRESS.has(after.signal) ? after.address! : 0,
      },
      endPc: (stopped ? MIPS_END : after.pc!) & PC_MASK,
      after: imageOf({ ...after, userLocal: before.userLocal ?? 0, aligned: before.aligned ?? false }, fpu),
      changes: new Map(Array.from(after.data, (byte, i) => [DATA + i, byte] as const).filter(([, byte], i) => byte !== before.data[i])),
      ignored,
      ignoredMemory: [0, 0],
      // an exit for an address error has no address
      anyAddress: after.signal === SIGBUS,
    };
  };
}
