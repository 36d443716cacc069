// Runs TypeScript of test/ by hand: bundles it into build/, and imports what came out.
import { readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Bundles a file, given relative to the project's root; the caller removes the file. */
export async function bundle(entry) {
  const outfile = join(root, `build/${basename(entry, '.ts')}.${process.pid}.mjs`);
  await build({
    entryPoints: [resolve(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['binaryen', 'esbuild'],
    logLevel: 'warning',
    plugins: [
      {
        // each file still finds what lies beside it
        name: 'import-meta',
        setup(b) {
          b.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
            contents: readFileSync(path, 'utf8')
              .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
              .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  return outfile;
}

/** What a file exports. */
export async function bundled(entry) {
  const outfile = await bundle(entry);
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile, { force: true });
  }
}
