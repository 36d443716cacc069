import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  arithmetic,
  comparisons,
  type Float80,
  type Instruction,
  moves,
  randomControl,
  randomFloat80,
  randomWords,
  transcendental,
  unary,
  withMemory,
} from './float80-cases.ts';
import { source } from './float80-constants.ts';
import { buildNative, IMAGE, IN, OUT } from './float80-native.ts';
import { buildRuntime, describeImage, describeState, GUEST_INDEX, loadImage, type Runtime } from './float80-runtime.ts';

// By hand: FLOAT80_SEED=<number>, FLOAT80_CASES=<cases of each instruction>.
const seed = Number(process.env.FLOAT80_SEED ?? 1);
const perInstruction = Number(process.env.FLOAT80_CASES ?? 1500);

const native = buildNative();
const reason = 'reason' in native ? native.reason : '';
let runtime: Runtime;
beforeAll(async () => {
  runtime = await buildRuntime();
}, 300_000);

/** Memory operands of a format: its zeros, denormals, infinities and NaNs are frequent. */
function randomOperand(random: () => number, format: Instruction['operand'], to: DataView): void {
  const pick = <T>(list: readonly T[]): T => list[random() % list.length];
  const words = [random(), random()];
  if (format === 'f32') {
    const exponent = pick([0, 1, 0x7f, 0xfe, 0xff, words[1] & 0xff]);
    const fraction = pick([0, 1, 0x400000, 0x7fffff, words[0] & 0x7fffff, words[0] & 0x7fffff]);
    to.setUint32(0, ((words[1] & 0x80000000) | (exponent << 23) | fraction) >>> 0, true);
  } else if (format === 'f64') {
    const exponent = pick([0, 1, 0x3ff, 0x7fe, 0x7ff, words[1] & 0x7ff]);
    const fraction = pick([0, 0x80000, 0xfffff, words[0] & 0xfffff]);
    to.setUint32(0, pick([0, 1, 0xffffffff, random()]), true);
    to.setUint32(4, ((words[1] & 0x80000000) | (exponent << 20) | fraction) >>> 0, true);
  } else if (format === 'bcd') {
    for (let i = 0; i < 9; i++) to.setUint8(i, (random() % 10) | ((random() % 10) << 4));
    to.setUint8(9, random() & 0x80);
  } else {
    const [sig, se] = randomFloat80(random);
    to.setBigUint64(0, pick([sig, BigInt.asUintN(64, BigInt(words[0] | 0))]), true);
    to.setUint16(8, se, true);
  }
}

interface Options {
  readonly control: (random: () => number) => number;
  readonly operand: (random: () => number, instruction: Instruction, i: number, previous: Float80 | undefined) => Float80;
  /** Some registers empty, conditions set, any TOP. */
  readonly anyStack: boolean;
}

/** Records for float80-native.c. */
function makeInput(instructions: readonly Instruction[], options: Options): Buffer {
  const input = Buffer.alloc(instructions.length * IN.size);
  const random = randomWords(seed);
  instructions.forEach((instruction, n) => {
    const record = new DataView(input.buffer, input.byteOffset + n * IN.size, IN.size);
    input.set([...instruction.code, 0xc3], n * IN.size + IN.code);
    randomOperand(random, instruction.operand, new DataView(record.buffer, record.byteOffset + IN.memory, 16));
    const top = options.anyStack ? random() & 7 : 0;
    const anyTags = options.anyStack && random() % 8 === 0;
    let tags = 0;
    for (let r = 0; r < 8; r++) if (anyTags ? random() & 1 : ((r - top) & 7) >= 3) tags |= 3 << (r * 2);
    record.setUint16(IN.image + IMAGE.control, options.control(random), true);
    record.setUint16(IN.image + IMAGE.status, (options.anyStack ? random() & 0x4700 : 0) | (top << 11), true);
    record.setUint16(IN.image + IMAGE.tags, tags, true);
    let previous: Float80 | undefined;
    for (let i = 0; i < 8; i++) {
      const value = options.operand(random, instruction, i, previous);
      previous = value;
      record.setBigUint64(IN.image + IMAGE.registers + i * 10, value[0], true);
      record.setUint16(IN.image + IMAGE.registers + i * 10 + 8, value[1], true);
    }
    // bit 1 of EFLAGS is always set
    record.setUint32(IN.flags, 0x202, true);
  });
  return input;
}

/** Runs all on both; `compare` returns what is wrong with a pair of outcomes. */
function differences(instructions: readonly Instruction[], options: Options, compare: (cpu: string, own: string) => string): string[] {
  if ('reason' in native) throw new Error(native.reason);
  const input = makeInput(instructions, options);
  const output = native.run(input);
  expect(output.length).toBe(instructions.length * OUT.size);
  const found: string[] = [];
  instructions.forEach((instruction, n) => {
    const image = new DataView(input.buffer, input.byteOffset + n * IN.size + IN.image, IMAGE.size);
    const memory = input.subarray(n * IN.size + IN.memory, n * IN.size + IN.memory + 16);
    const own = new Uint8Array(runtime.memory.buffer, GUEST_INDEX, 16);
    own.set(memory);
    loadImage(runtime.state, image);
    instruction.call(runtime);
    const after = output.subarray(n * OUT.size + OUT.memory, n * OUT.size + OUT.memory + 16);
    const cpuText = describeImage(new DataView(output.buffer, output.byteOffset + n * OUT.size + OUT.image, IMAGE.size));
    const ownText = describeState(runtime.state);
    let wrong = Buffer.compare(after, own) === 0 ? compare(cpuText, ownText) : 'memory';
    if (wrong) {
      wrong = `${instruction.text}: ${wrong}\n  before    ${describeImage(image)} ${memory.toString('hex')}`;
      found.push(`${wrong}\n  processor ${cpuText} ${after.toString('hex')}\n  own       ${ownText} ${Buffer.from(own).toString('hex')}`);
    }
  });
  return found;
}

const repeat = (instructions: readonly Instruction[]): Instruction[] =>
  Array.from({ length: instructions.length * perInstruction }, (_, n) => instructions[n % instructions.length]);
const report = (found: readonly string[]): string =>
  found.length ? `${found.length} differ, seed ${seed}\n${found.slice(0, 5).join('\n')}` : '';

describe.skipIf(reason !== '')(`x87 arithmetic against the processor${reason && `: ${reason}`}`, () => {
  const exact: Options = {
    control: randomControl,
    operand: (random, _instruction, i, previous) =>
      randomFloat80(random, i > 0 && random() % 3 ? previous?.[1] : [0x3fff, 0x4010, 64][random() % 3]),
    anyStack: true,
  };
  const groups = { arithmetic, withMemory, comparisons, unary, moves };
  for (const [name, instructions] of Object.entries(groups)) {
    it(`${name}: every bit, flag and condition code`, () => {
      const found = differences(repeat(instructions), exact, (cpu, own) => (cpu === own ? '' : 'state'));
      expect(report(found)).toBe('');
    }, 300_000);
  }

  it('transcendental instructions: within one unit of the last place, all flags but C1', () => {
    const options: Options = {
      control: (random) => (random() & 1 ? 0x37f : randomControl(random) | 0x3f),
      operand: (random, instruction, i) => {
        const [sig, se] = randomFloat80(random);
        if (random() % 4 === 0) return [sig, se];
        const small = instruction.text === 'F2XM1' || instruction.text === 'FYL2XP1';
        const exponent = 0x3fff + (small ? -2 - (random() % 12) : (random() % 12) - 6);
        return [sig | (1n << 63n), (instruction.text === 'FYL2X' && i === 0 ? 0 : se & 0x8000) | exponent];
      },
      anyStack: true,
    };
    expect(report(differences(repeat(transcendental), options, within))).toBe('');
  }, 300_000);
});

/** Compares two descriptions of a state: registers may differ by one unit of the last place, C1 is not compared. */
function within(cpu: string, own: string): string {
  const parts = (text: string): string[] =>
    text
      .replace(/,?C1\b/, '')
      .replace('[,', '[')
      .split(' ');
  const theirs = parts(cpu);
  const ours = parts(own);
  if (theirs.slice(0, 3).join() !== ours.slice(0, 3).join()) return 'words';
  for (let i = 3; i < theirs.length; i++) {
    if (theirs[i] === ours[i]) continue;
    if (theirs[i] === '-' || ours[i] === '-') return `st${i - 3} is empty`;
    const difference = ordinal(theirs[i]) - ordinal(ours[i]);
    if (difference < -1n || difference > 1n) return `st${i - 3} differs by ${difference}`;
  }
  return '';
}
/** Neighbouring numbers have neighbouring ordinals. */
function ordinal(register: string): bigint {
  const [se, sig] = register.split(':').map((part) => BigInt(`0x${part}`));
  const magnitude = ((se & 0x7fffn) << 63n) + (sig & ((1n << 63n) - 1n));
  return se >> 15n ? -magnitude : magnitude;
}

describe('constants of the transcendental instructions', () => {
  it('are what their series give', () => {
    expect(readFileSync('assembly/x86/float80-constants.ts', 'utf8')).toBe(source());
  });
});

describe('transcendental results', () => {
  /** Runs one instruction on ST(0) and ST(1), all exceptions masked, and gives ST(0). */
  const run = (instruction: string, st0: Float80, st1: Float80 = [0n, 0]): string => {
    const image = new DataView(new ArrayBuffer(IMAGE.size));
    image.setUint16(IMAGE.control, 0x37f, true);
    image.setUint16(IMAGE.tags, 0xfff0, true);
    for (const [i, [sig, se]] of [st0, st1].entries()) {
      image.setBigUint64(IMAGE.registers + i * 10, sig, true);
      image.setUint16(IMAGE.registers + i * 10 + 8, se, true);
    }
    loadImage(runtime.state, image);
    transcendental.find((i) => i.text === instruction)!.call(runtime);
    return describeState(runtime.state).split(' ')[3];
  };
  const ONE: Float80 = [1n << 63n, 0x3fff];
  const HALF: Float80 = [1n << 63n, 0x3ffe];
  const TEN: Float80 = [0xa000000000000000n, 0x4002];

  it('are the correctly rounded ones where these are known', () => {
    expect(run('FPATAN', ONE, ONE)).toBe('3ffe:c90fdaa22168c235'); // π/4
    expect(run('FYL2X', TEN, ONE)).toBe('4000:d49a784bcd1b8afe'); // log2 10
    expect(run('FYL2XP1', ONE, HALF)).toBe('3ffe:8000000000000000'); // 1/2 · log2 2
    expect(run('F2XM1', HALF)).toBe('3ffd:d413cccfe7799211'); // √2 − 1
    expect(run('F2XM1', ONE)).toBe('3fff:8000000000000000');
  });
});
