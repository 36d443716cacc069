// Runs public test suites; --help says how. Needs the build (npm run build), Debian's cross compilers and apt-get.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(resolve(here, '../..'), 'build/suites');
await build({
  entryPoints: [join(here, 'main.ts'), join(here, 'guest.ts')],
  outdir,
  outExtension: { '.js': '.mjs' },
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
const { main } = await import(pathToFileURL(join(outdir, 'main.mjs')).href);
try {
  process.exitCode = await main(process.argv.slice(2), join(outdir, 'guest.mjs'));
} catch (error) {
  console.error(`suites: ${error.message}`);
  process.exitCode = 2;
}
