import { MIPS_END, MipsImage } from '../../../src/conformance/mips.ts';
import { EndKind, PAGE, type RecordedSuite, type RecordedVector } from '../../../src/conformance/vectors.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { generate } from './generate.ts';
import { CODE, CODE_WORDS, DATA, DATA_BYTES, FPUS, type Record, runInQemu, wordIndex } from './record.ts';

const BREAK = 0x0000000d;
/** The runner's registers: $k0 holds the address to return to, $k1 its record. */
const K0 = MipsImage.GPR + 4 * 26;
const IGNORED: RecordedSuite['ignored'] = [[K0, K0 + 8, 0xff]];
/** The runner puts each record's code at an address of its own; as many as one page holds. */
const BATCH = PAGE / (4 * CODE_WORDS);
const TEMPLATES = 200;

/** Whether a row reads or writes FPU state. */
const usesFpu = (row: MipsRow): boolean => row.group.startsWith('floating-point') || /^(bc1|mov[ft] )/.test(row.text);

const NOT_COVERED = 'enters the kernel, or tells of the machine itself';

function bytesOf(words: ArrayLike<number>, little: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i], little);
  return new Uint8Array(view.buffer);
}

function imageOf(record: Record): Uint8Array {
  const fpr = Array.from({ length: 32 }, (_, register) => record.fpr[wordIndex(register, false)]);
  const image = bytesOf([...record.gpr, record.hi, record.lo, record.fcsr, ...fpr], true);
  image.set(bytesOf([MIPS_END], true), K0);
  return image;
}

/** Asks qemu-user for the outcome of vectors of each integer form; a string says why that is not possible here. */
export function recordMipsSuite(
  isa: 'mips' | 'mipsel',
  options: { readonly seed: number; readonly count: number; readonly oracle: RecordedSuite['oracle'] },
): RecordedSuite | string {
  const little = isa === 'mipsel';
  const records = generate(options.count, options.seed, false, (row) => !usesFpu(row), { states: TEMPLATES, batch: BATCH });
  const outcomes: Record[] = [];
  for (let first = 0; first < records.length; first += BATCH) {
    const ran = runInQemu(isa, records.slice(first, first + BATCH), FPUS[0]);
    if (typeof ran === 'string') return ran;
    outcomes.push(...ran);
  }
  // records start from so many states in turn, and change little of them
  const templates = records.slice(0, TEMPLATES).map((record) => Uint8Array.from([...imageOf(record), ...record.data]));
  const distance = (a: Uint8Array, b: Uint8Array): number => a.reduce((n, byte, i) => n + Number(byte !== b[i]), 0);
  const vectorOf = (before: Record, after: Record, index: number): RecordedVector => {
    const stopped = after.signal === 0;
    const state = Uint8Array.from([...imageOf(before), ...before.data]);
    let template = 0;
    let best = Number.POSITIVE_INFINITY;
    templates.forEach((bytes, n) => {
      const far = distance(bytes, state);
      if (far < best) [best, template] = [far, n];
    });
    const ignored = new Uint8Array(MipsImage.BYTES);
    for (const [from, to, bits] of IGNORED) ignored.fill(bits, from, to);
    return {
      template,
      pc: CODE + 4 * CODE_WORDS * (index % BATCH),
      code: bytesOf(before.code, little),
      before: imageOf(before),
      memory: before.data,
      end: { kind: stopped ? EndKind.Stopped : EndKind.Fault, number: after.signal, address: 0 },
      endPc: 0,
      after: imageOf(after),
      changes: new Map(Array.from(after.data, (byte, i) => [DATA + i, byte] as const).filter(([, byte], i) => byte !== before.data[i])),
      ignored,
      ignoredMemory: [0, 0],
      anyAddress: false,
    };
  };
  const vectors = new Map<string, RecordedVector[]>();
  records.forEach((record, n) => {
    const list = vectors.get(record.text) ?? [];
    list.push(vectorOf(record, outcomes[n], n));
    vectors.set(record.text, list);
  });
  return {
    name: `${isa}-integer`,
    isa,
    oracle: options.oracle,
    seed: options.seed,
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
    comparesPc: false,
    templates,
    forms: ROWS.filter((row) => !usesFpu(row)).map((row) => {
      const own = vectors.get(row.text) ?? [];
      const form = { group: row.group, encoding: row.pattern, text: row.text, vectors: own };
      return own.length > 0 ? form : { ...form, skipped: NOT_COVERED };
    }),
  };
}
