import { Command, Option } from 'commander';
import { CliError, ExitCode } from './errors.ts';

interface DisasmOptions {
  readonly symbol?: string;
  readonly start?: string;
  readonly stop?: string;
  readonly bits: '16' | '32';
}

export function disasmCommand(): Command {
  return new Command('disasm')
    .description('disassemble the code of an ELF file')
    .argument('<elf>', 'MIPS or x86 executable or shared library')
    .option('--symbol <name>', 'only this function')
    .option('--start <address>', 'from this address on (0x… or decimal)')
    .option('--stop <address>', 'up to this address')
    .addOption(new Option('--bits <16|32>', 'x86: what its code segment gives, 16 for real mode').choices(['16', '32']).default('32'))
    .action(disasm);
}

async function disasm(path: string, options: DisasmOptions): Promise<void> {
  const [{ openExecutable, parseAddress, rangeOf }, { codeSections }] = await Promise.all([
    import('./elf-code.ts'),
    import('../linux/elf-symbols.ts'),
  ]);
  const executable = openExecutable(path);
  const { elf, isa, code, symbols } = executable;
  const address = (name: '--start' | '--stop', text: string | undefined): number | undefined => {
    const value = text === undefined ? undefined : parseAddress(text);
    if (text !== undefined && value === undefined) throw new CliError(`${name} ${text}: not a 32-bit address`, ExitCode.Usage);
    return value;
  };
  const start = address('--start', options.start);
  const stop = address('--stop', options.stop);
  const EXECUTE = 4;
  const segments = elf.segments.filter((s) => s.permission & EXECUTE).map((s) => ({ start: s.address, end: s.address + s.fileSize }));
  // a segment begins with the file's headers; who gives an address wants to see what is there
  const inSegments = codeSections(elf).filter((section) => segments.some(({ start, end }) => section.start >= start && section.end <= end));
  const whole = inSegments.length > 0 && start === undefined && stop === undefined ? inSegments : segments;
  const ranges = options.symbol ? [rangeOf(executable, options.symbol)] : whole;

  const names = new Map<number, string>();
  for (const s of symbols) if (!names.has(s.address)) names.set(s.address, s.name);
  const mode = options.bits === '16' ? isa.mode16 : undefined;
  const lines: string[] = [];
  for (const range of ranges) {
    let pc = Math.max(range.start, start ?? 0);
    const end = Math.min(range.end, stop ?? 2 ** 32);
    while (pc < end) {
      const name = names.get(pc);
      if (name) lines.push('', `${hex8(pc)} <${name}>:`);
      const { text, length } = isa.disassemble(code, pc, mode);
      const bytes: string[] = [];
      for (let i = 0; i < length && pc + i < end; i++)
        bytes.push(
          code
            .u8(pc + i)
            .toString(16)
            .padStart(2, '0'),
        );
      if (isa.name === 'mipsel') bytes.reverse();
      const encoding = isa.name === 'x86' ? bytes.join(' ').padEnd(23) : bytes.join('').padEnd(8);
      lines.push(`${hex8(pc)}  ${encoding}  ${text}`);
      pc += length;
    }
  }
  if (lines.length === 0) throw new CliError('no code in that range', ExitCode.Usage);
  process.stdout.write(`${(lines[0] === '' ? lines.slice(1) : lines).join('\n')}\n`);
}

const hex8 = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
