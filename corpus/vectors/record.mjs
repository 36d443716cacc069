// Records the vectors anew: x86 from the processor that this runs on, MIPS from qemu-user. Writes <suite>.bin and manifest.json.
// node corpus/vectors/record.mjs [--suite x86-integer,…] [--seed n] [--count n] [--out folder]
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const outfile = join(root, 'build/record-vectors.mjs');
await build({
  entryPoints: [join(root, 'test/oracle/record.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  logLevel: 'warning',
  plugins: [
    {
      // each file still finds what lies beside it
      name: 'import-meta-url',
      setup(b) {
        b.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
          contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
          loader: 'ts',
        }));
      },
    },
  ],
});
const { record } = await import(`${pathToFileURL(outfile).href}?${Date.now()}`);
process.exitCode = record(process.argv.slice(2), dirname(fileURLToPath(import.meta.url)));
