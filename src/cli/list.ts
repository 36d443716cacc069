import { Command, Option } from 'commander';

interface ListOptions {
  readonly isa?: string;
  readonly json?: boolean;
}

export function listCommand(): Command {
  const list = new Command('list').description('print what is implemented');
  list
    .command('instructions')
    .description('instructions: encoding and assembly text, as the tables that implement them say; then those that are not implemented')
    .addOption(new Option('--isa <isa>', 'only of this ISA').choices(['mips', 'x86']))
    .option('--json', 'as JSON')
    .action(instructions);
  list
    .command('syscalls')
    .description('system calls of each Linux ABI; what is missing in a partial one is noted')
    .addOption(new Option('--isa <isa>', 'only of this ISA').choices(['mips', 'x86']))
    .option('--json', 'as JSON')
    .action(syscalls);
  list
    .command('sensitive')
    .description('privileged and sensitive instructions of whole machines: class, and how each is handled')
    .option('--json', 'as JSON')
    .action(sensitive);
  return list;
}

async function sensitive(options: ListOptions): Promise<void> {
  const { listSensitive } = await import('../index.ts');
  print(listSensitive(), options, (r) => `${r.isa.padEnd(5)} ${r.text.padEnd(20)} ${r.class.padEnd(20)} ${r.handling}`);
}

async function instructions(options: ListOptions): Promise<void> {
  const { listInstructions, listMissingInstructions } = await import('../index.ts');
  const wanted = (row: { readonly isa: string }): boolean => !options.isa || row.isa === options.isa;
  const rows = listInstructions().filter(wanted);
  const missing = listMissingInstructions().filter(wanted);
  if (options.json) {
    print(
      [...rows.map((row) => ({ ...row, implemented: true })), ...missing.map((row) => ({ ...row, implemented: false }))],
      options,
      () => '',
    );
    return;
  }
  print(rows, options, (r) => `${r.isa.padEnd(5)} ${r.encoding.padEnd(40)} ${r.text}`);
  process.stdout.write('\nnot implemented:\n');
  print(missing, options, (r) => `${r.isa.padEnd(5)} ${r.encoding.padEnd(40)} ${r.text.padEnd(20)} ${r.reason}`);
}

async function syscalls(options: ListOptions): Promise<void> {
  const { listSyscalls } = await import('../index.ts');
  const abi = options.isa === 'x86' ? 'i386' : options.isa;
  // both byte orders of MIPS have the same calls
  const rows = listSyscalls().filter((row) => row.abi !== 'mipsel' && (!abi || row.abi === abi));
  print(rows, options, (r) =>
    `${r.abi.padEnd(5)} ${String(r.number).padStart(4)} ${r.name.padEnd(28)}${r.note ? ` partial: ${r.note}` : ''}`.trimEnd(),
  );
}

function print<T>(rows: readonly T[], options: ListOptions, line: (row: T) => string): void {
  process.stdout.write(options.json ? `${JSON.stringify(rows, null, 2)}\n` : `${rows.map(line).join('\n')}\n${rows.length} in all\n`);
}
