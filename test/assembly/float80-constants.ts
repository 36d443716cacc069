/**
 * Derives the tables of assembly/x86/float80-constants.ts: every entry is a real number in units of 2^-128 (or as its
 * table says), rounded to nearest, from power series in 320-bit fixed point.
 */
const BITS = 320n;
const ONE = 1n << BITS;
const mul = (a: bigint, b: bigint): bigint => (a * b) >> BITS;
const ratio = (n: number | bigint, d: number | bigint): bigint => (BigInt(n) << BITS) / BigInt(d);

/** Σ x^(2k+1) / (2k+1), with alternating signs (atan) or not (atanh); |x| ≤ 1/2. */
function arc(x: bigint, alternating: boolean): bigint {
  const square = mul(x, x);
  let power = x;
  let sum = 0n;
  for (let k = 0n; power !== 0n && power !== -1n; k++) {
    const term = power / (2n * k + 1n);
    sum += alternating && k % 2n === 1n ? -term : term;
    power = mul(power, square);
  }
  return sum;
}
const atan = (n: number, d: number): bigint => {
  // atan n/d = π/4 − atan (d − n)/(d + n)
  if (2 * n > d) return pi / 4n - (n === d ? 0n : atan(d - n, d + n));
  return arc(ratio(n, d), true);
};
const log = (n: number, d: number): bigint => 2n * arc(ratio(n - d, n + d), false);
function exp(x: bigint): bigint {
  let term = ONE;
  let sum = 0n;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    sum += term;
    term = mul(term, x) / k;
  }
  return sum;
}
/** Machin's formula. */
const pi = 4n * (4n * arc(ratio(1, 5), true) - arc(ratio(1, 239), true));
const ln2 = log(3, 2) - log(3, 4);

const scaled = (x: bigint, bits: number): bigint => ((x >> (BITS - BigInt(bits) - 1n)) + 1n) >> 1n;
const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));
const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);

/** 256 / c for the interval 1 + j/64 … 1 + (j + 1)/64: an approximate reciprocal, exact at both ends of 1 … 2. */
const reciprocals = range(64).map((j) => (j === 0 ? 256 : j === 63 ? 128 : Math.round((256 * 128) / (128 + 2 * j + 1))));

interface Table {
  readonly name: string;
  readonly comment: string;
  readonly wide: boolean;
  readonly values: readonly bigint[];
}
export const tables: readonly Table[] = [
  {
    name: 'SIN',
    comment: '1/3!, 1/5!, 1/7! …',
    wide: true,
    values: range(14, 1).map((k) => scaled(ratio(1, factorial(2 * k + 1)), 128)),
  },
  { name: 'COS', comment: '1/2!, 1/4!, 1/6! …', wide: true, values: range(15, 1).map((k) => scaled(ratio(1, factorial(2 * k)), 128)) },
  { name: 'ODD', comment: '1/3, 1/5, 1/7 …', wide: true, values: range(10, 1).map((k) => scaled(ratio(1, 2 * k + 1), 128)) },
  { name: 'EXP', comment: '1/2!, 1/3!, 1/4! …', wide: true, values: range(13, 2).map((k) => scaled(ratio(1, factorial(k)), 128)) },
  {
    name: 'ATAN',
    comment: 'atan(k/32), k = 0 … 32, in units of 2^-126',
    wide: true,
    values: range(33).map((k) => scaled(k ? atan(k, 32) : 0n, 126)),
  },
  { name: 'PI', comment: 'π, π/2, in units of 2^-126', wide: true, values: [scaled(pi, 126), scaled(pi / 2n, 126)] },
  {
    name: 'POWER',
    comment: '2^(k/32), k = -32 … 32, in units of 2^-126',
    wide: true,
    values: range(65, -32).map((k) => scaled(exp((ln2 * BigInt(k)) / 32n), 126)),
  },
  { name: 'RECIPROCAL', comment: 'about 256 / (1 + (j + 1/2)/64), j = 0 … 63', wide: false, values: reciprocals.map(BigInt) },
  {
    name: 'LOG',
    comment: '-log2(RECIPROCAL / 256), in units of 2^-112',
    wide: true,
    values: reciprocals.map((c) => scaled(c === 128 ? ONE : (log(256, c) << BITS) / ln2, 112)),
  },
  { name: 'LN2', comment: 'ln 2', wide: true, values: [scaled(ln2, 128)] },
  { name: 'TWO_LOG2_E', comment: '2/ln 2, in units of 2^-126', wide: true, values: [scaled(((2n * ONE) << BITS) / ln2, 126)] },
];

const word = (x: bigint): string => `0x${x.toString(16).padStart(16, '0')}`;
export function source(): string {
  const lines = [
    '/** Tables of the transcendental instructions, two words an entry, high one first; made and checked by test/assembly/float80-constants. */',
  ];
  for (const t of tables) {
    const words = t.values.flatMap((v) => (t.wide ? [word(v >> 64n), word(v & 0xffffffffffffffffn)] : [`${v}`]));
    const perLine = t.wide ? 2 : 16;
    lines.push(
      '',
      `/** ${t.comment} */`,
      '// biome-ignore format: one entry a line',
      `export const ${t.name} = memory.data<${t.wide ? 'u64' : 'u16'}>([`,
    );
    for (let i = 0; i < words.length; i += perLine) lines.push(`  ${words.slice(i, i + perLine).join(', ')},`);
    lines.push(']);');
  }
  return `${lines.join('\n')}\n`;
}
