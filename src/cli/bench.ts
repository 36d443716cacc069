import { Command } from 'commander';
import { CliError, ExitCode } from './errors.ts';
import { writableFile } from './options.ts';

interface BenchOptions {
  readonly isa?: string;
  readonly rounds: string;
  readonly json?: string;
  readonly short?: boolean;
  readonly tiered?: boolean;
}

export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'time the corpus programs in the interpreter and translated, against qemu-user, the processor and clang’s WebAssembly where they are to be had',
    )
    .argument('[programs...]', 'names, as in corpus/programs/source; all without')
    .option('--isa <list>', 'of these ISAs only: mips, mipsel, x86 (comma-separated)')
    .option('--rounds <n>', 'times that each is run, interleaved; the median counts', '3')
    .option('--json <file>', 'write all samples and medians there', writableFile)
    .option('--short', 'short runs, to see that it works')
    .option('--tiered', 'time the default mode, too: interpreter first, then translation')
    .action(bench);
}

async function bench(names: readonly string[], options: BenchOptions): Promise<void> {
  const rounds = Number(options.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new CliError(`--rounds ${options.rounds}: not a positive number`, ExitCode.Usage);
  const isas = (options.isa ?? 'mips,mipsel,x86').split(',');
  const { corpusPrograms } = await import('./corpus.ts');
  const all = corpusPrograms();
  for (const isa of isas)
    if (!all.some((p) => p.isa === isa)) throw new CliError(`--isa ${isa}: choose from mips, mipsel, x86`, ExitCode.Usage);
  for (const name of names) if (!all.some((p) => p.name === name)) throw new CliError(`no corpus program ${name}`, ExitCode.Usage);
  const chosen = all.filter((p) => isas.includes(p.isa) && (names.length > 0 ? names.includes(p.name) : p.name !== 'hello'));
  const { measure, report, summary } = await import('./measure.ts');
  const results = [];
  for (const program of chosen) {
    const result = await measure(program, { rounds, short: options.short ?? false, tiered: options.tiered ?? false });
    process.stderr.write(
      `${program.file}: ${Object.entries(result.median)
        .map(([k, ms]) => `${k} ${ms.toFixed(1)} ms`)
        .join(', ')}\n`,
    );
    results.push(result);
  }
  process.stdout.write(`${report(results)}\n`);
  if (options.json) {
    const { writeFileSync } = await import('node:fs');
    writeFileSync(options.json, `${JSON.stringify(summary(results), null, 2)}\n`);
  }
}
