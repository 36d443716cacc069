import { Command, Option } from 'commander';
import type { Translation } from '../translate.ts';
import { CliError, ExitCode } from './errors.ts';
import { type X87Choice, x87Bits, x87Option } from './options.ts';

type Stage = 'all' | 'asm' | 'ir' | 'wat';

interface InspectOptions {
  readonly stage: Stage;
  readonly bytes?: string;
  readonly strict?: boolean;
  readonly x87: X87Choice;
  readonly width?: string;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show one guest function at every stage: guest assembly, IR and WebAssembly text side by side')
    .argument('<elf>', 'MIPS or x86 executable or shared library')
    .argument('<where>', 'address (0x… or decimal) or symbol')
    .addOption(new Option('--stage <stage>', 'only this stage').choices(['all', 'asm', 'ir', 'wat']).default('all'))
    .option('--bytes <n>', 'guest code to look at, instead of up to the end of the function')
    .option('--strict', 'translate for checked memory')
    .addOption(x87Option())
    .option('--width <columns>', 'width of the output (default: the terminal’s, or 160)')
    .action(inspect);
}

/** Without a symbol that says where the function ends. */
const MOST_BYTES = 4096;

async function inspect(path: string, where: string, options: InspectOptions): Promise<void> {
  const [{ openExecutable, rangeOf }, { translate }] = await Promise.all([import('./elf-code.ts'), import('../translate.ts')]);
  const executable = openExecutable(path);
  const range = rangeOf(executable, where);
  const count = options.bytes === undefined ? Math.min(range.end - range.start, MOST_BYTES) : Number(options.bytes);
  if (!Number.isInteger(count) || count < 1) throw new CliError(`--bytes ${options.bytes}: not a number of bytes`, ExitCode.Usage);
  const width = Number(options.width ?? process.stdout.columns ?? 160);
  if (!Number.isInteger(width) || width < 60) throw new CliError(`--width ${options.width}: not a number of at least 60`, ExitCode.Usage);
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = executable.code.u8(range.start + i);
  const translation = await translate(bytes, {
    isa: executable.isa.name as 'mips' | 'mipsel' | 'x86',
    pc: range.start,
    checked: options.strict ?? false,
    x87: x87Bits(options),
  });
  process.stdout.write(`${render(translation, options.stage, width)}\n`);
}

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

function render(translation: Translation, stage: Stage, width: number): string {
  const assembly = new Map(translation.disassembly.map((d) => [d.pc, `${hex(d.pc)}  ${d.text}`]));
  if (stage === 'asm') return [...assembly.values()].join('\n');
  if (stage === 'ir') return translation.ir.trimEnd();
  if (stage === 'wat') return translation.wat.trimEnd();

  // each instruction stands beside the first op of its meaning; WAT runs down its own column
  const ir = translation.ir.trimEnd().split('\n');
  const wat = translation.wat.trimEnd().split('\n');
  const left: string[] = [];
  const middle: string[] = [];
  let waiting: string | undefined;
  const put = (line: string): void => {
    left.push(waiting ?? '');
    middle.push(line);
    waiting = undefined;
  };
  for (const line of ir) {
    const begins = /^\s*; (0x[0-9a-f]+)/.exec(line);
    if (!begins) put(line);
    else {
      if (waiting !== undefined) put('');
      waiting = assembly.get(Number(begins[1])) ?? begins[1];
    }
  }
  if (waiting !== undefined) put('');
  const leftWidth = Math.min(Math.max(...left.map((l) => l.length), 'guest'.length), Math.floor(width * 0.3));
  const middleWidth = Math.min(Math.max(...middle.map((l) => l.length), 'IR'.length), Math.floor(width * 0.35));
  const watWidth = width - leftWidth - middleWidth - 6;
  const cell = (text: string, columns: number): string => (text.length > columns ? `${text.slice(0, columns - 1)}…` : text.padEnd(columns));
  const row = (a: string, b: string, c: string): string =>
    `${cell(a, leftWidth)} │ ${cell(b, middleWidth)} │ ${cell(c, watWidth)}`.trimEnd();
  const out = [row('guest', 'IR', 'WebAssembly'), `${'─'.repeat(leftWidth)}─┼─${'─'.repeat(middleWidth)}─┼─${'─'.repeat(watWidth)}`];
  for (let i = 0; i < Math.max(left.length, wat.length); i++) out.push(row(left[i] ?? '', middle[i] ?? '', wat[i] ?? ''));
  return out.join('\n');
}
