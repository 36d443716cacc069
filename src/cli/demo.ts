import { Command } from 'commander';
import { CliError, ExitCode } from './errors.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description('run embedded guests of both ISAs, interpreted and translated, side by side')
    .argument('[programs...]', 'names, as in corpus/programs/source', ['hello', 'fib', 'sieve', 'sha256'])
    .action(demo);
}

async function demo(names: readonly string[]): Promise<void> {
  const [{ readFileSync }, { default: Table }, { default: colors }, { corpusPath, corpusPrograms }, { runQuietly }] = await Promise.all([
    import('node:fs'),
    import('cli-table3'),
    import('picocolors'),
    import('./corpus.ts'),
    import('./quiet.ts'),
  ]);
  const unknown = names.find((name) => !corpusPrograms().some((p) => p.name === name));
  if (unknown !== undefined) throw new CliError(`no corpus program ${unknown}`, ExitCode.Usage);
  const table = new Table({
    head: ['guest', 'M insns', 'blocks', 'regions', 'Wasm KB', 'interpreter', 'translator', 'speed-up'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const isa of ['mipsel', 'x86'] as const) {
    for (const name of names) {
      const program = corpusPrograms().find((p) => p.isa === isa && p.name === name);
      if (!program) continue;
      const elf = new Uint8Array(readFileSync(corpusPath(program)));
      const interpreted = await runQuietly(elf, [name], 'interpret');
      const translated = await runQuietly(elf, [name], 'translate');
      process.stdout.write(`${colors.dim(`${program.file}:`)} ${translated.stdout}`);
      if (interpreted.stdout !== translated.stdout)
        process.stdout.write(`${colors.red('  interpreted, it printed:')} ${interpreted.stdout}`);
      // it loads what the others find loaded
      if (name === 'hello') continue;
      const { stats } = translated;
      const speed = ({ ms }: { ms: number }): string =>
        `${ms.toFixed(0)} ms ${(stats.instructions / ms / 1000).toFixed(0).padStart(5)} MIPS`;
      table.push([
        program.file,
        (stats.instructions / 1e6).toFixed(1),
        stats.blocks,
        stats.regions,
        (stats.wasmBytes / 1024).toFixed(1),
        speed(interpreted),
        speed(translated),
        `${(interpreted.ms / translated.ms).toFixed(1)}×`,
      ]);
    }
  }
  process.stdout.write(`\n${table}\nMIPS: millions of guest instructions a second, compilation included.\n`);
}
