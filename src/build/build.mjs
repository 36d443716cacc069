// Makes build/runtime.wasm (asc) and dist/: ESM bundles split so that the Wasm back end loads only when it is needed,
// type declarations, and the licences of what was bundled. `--no-types` leaves the declarations out.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { splitBinaryen } from './binaryen.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
process.chdir(root);

const builtins = createRequire(import.meta.url);
const bin = (name) => join(root, 'node_modules/.bin', name);
const step = async (name, work) => {
  const start = performance.now();
  await work();
  console.log(`${name}: ${Math.round(performance.now() - start)} ms`);
};

/** The runtimes of user mode and of system mode: entry file and asc target. */
const RUNTIMES = { 'runtime.wasm': ['index.ts', 'user'], 'system.wasm': ['system-index.ts', 'system'] };
mkdirSync('build', { recursive: true });
for (const [name, [entry, target]] of Object.entries(RUNTIMES))
  await step(name, () => {
    if (isNewer(`build/${name}`, ['assembly', 'translators', 'asconfig.json'])) return;
    execFileSync(bin('asc'), [`assembly/${entry}`, '--config', 'asconfig.json', '--target', target], { stdio: 'inherit' });
  });

/** Whether `file` exists and is newer than everything in these files and folders. */
function isNewer(file, inputs) {
  if (!existsSync(file)) return false;
  const time = statSync(file).mtimeMs;
  const older = (path) => {
    const stats = statSync(path);
    return stats.isDirectory() ? readdirSync(path).every((name) => older(join(path, name))) : stats.mtimeMs < time;
  };
  return inputs.every(older);
}

/** Of all that a translation follows from. */
const buildDigest = ((hash) => {
  const add = (path) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else hash.update(path).update(readFileSync(path));
  };
  for (const path of ['assembly', 'src', 'translators', 'package-lock.json']) add(path);
  return hash.digest('hex').slice(0, 16);
})(createHash('sha256'));

/** All files lie side by side in dist/, so that each finds runtime.wasm beside itself. */
const common = {
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

/**
 * What needs binaryen or wabt, which are asynchronous modules, and what few runs need: the command, which is not one and is small, takes it from
 * the library.
 */
const LATE = { 'translate.ts': 'translate', 'backend/wasm/compile.ts': 'compile', 'vmm/boot/xz.ts': 'xz' };
const fromLibrary = {
  name: 'from-library',
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, kind, resolveDir }) => {
      const name = kind === 'dynamic-import' && LATE[relative('src', join(resolveDir, path))];
      return name ? { path: `./${name}.js`, external: true } : undefined;
    });
  },
};

/** Where these packages are imported from: their parts in dist/. */
const PLACES = { binaryen: './binaryen.js', wabt: './wabt.js' };
const place = {
  name: 'place',
  setup: (build) => build.onResolve({ filter: /^(binaryen|wabt)$/ }, ({ path }) => ({ path: PLACES[path], external: true })),
};

/** wabt is CommonJS and asks for files where there is a Node; browsers and bundlers find none of Node's modules to load. */
const askedWhereThere = {
  name: 'asked-where-there',
  setup(build) {
    build.onResolve({ filter: /^(fs|path|crypto)$/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = globalThis.process?.getBuiltinModule?.('node:${path}');`,
    }));
  },
};

/** Where a package asks Node for what every host has. */
const webStreams = {
  name: 'web-streams',
  setup(build) {
    build.onResolve({ filter: /^stream\/web$/ }, ({ path }) => ({ path, namespace: 'global' }));
    build.onLoad({ filter: /./, namespace: 'global' }, () => ({ contents: 'export const { ReadableStream } = globalThis;' }));
  },
};

/** Node's modules that are there in any case, as modules of constants: else each importer has an object of its own with a getter for all that they export. */
const DIRECT = /^node:(fs|path|vm)$/;
const direct = {
  name: 'direct',
  setup(build) {
    build.onResolve({ filter: DIRECT }, ({ path, kind }) => (kind === 'import-statement' ? { path, namespace: 'direct' } : undefined));
    build.onLoad({ filter: /./, namespace: 'direct' }, ({ path }) => {
      const constants = Object.keys(builtins(path)).map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`);
      return { contents: `const all = require('${path}');\nexport default all;\n${constants.join('\n')}` };
    });
  },
};

/** Node's modules that take milliseconds to load and that few runs need: loaded when something of them is used. */
const SELDOM = /^(?:node:)?(child_process|crypto|dgram|dns\/promises|fs\/promises|net|readline|stream|tty|v8|worker_threads|zlib)$/;
const seldom = {
  name: 'seldom',
  setup(build) {
    build.onResolve({ filter: SELDOM }, ({ path, namespace }) =>
      namespace === 'seldom' ? { path, external: true } : { path: SELDOM.exec(path)[1], namespace: 'seldom' },
    );
    build.onLoad({ filter: /./, namespace: 'seldom' }, ({ path }) => {
      const getters = Object.keys(builtins(path)).map((name) => `get ${name}() { return require('node:${path}').${name}; },`);
      return { contents: `module.exports = {\n${getters.join('\n')}\n};` };
    });
  },
};

/** What most runs do without of a package. */
const commander = {
  name: 'commander',
  setup(build) {
    build.onResolve({ filter: /^commander$/ }, ({ path, namespace }) =>
      namespace === 'file' ? { path, namespace: 'commander' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'commander' }, ({ path }) => ({
      contents: gettersOf(path, Object.keys(builtins(path))),
      resolveDir: root,
    }));
  },
};

/** What of our own a short program with saved translations has no need of, the same way. */
const LATER = new Set(
  [
    'src/backend/interpret/table.ts',
    'src/host/compiler-thread.ts',
    'src/host/nat-host.ts',
    'src/host/node-disk.ts',
    'src/linux/trace.ts',
  ].map((file) => join(root, file)),
);
const SHARED = join(root, 'assembly/shared/');
const later = {
  name: 'later',
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, kind, namespace, resolveDir }) => {
      const file = resolve(resolveDir, path);
      // constants, which are put in place of their names
      if (file.startsWith(SHARED)) return { path: file, sideEffects: false };
      return kind === 'import-statement' && namespace === 'file' && LATER.has(file) ? { path: file, namespace: 'later' } : undefined;
    });
    build.onLoad({ filter: /./, namespace: 'later' }, async ({ path }) => {
      return { contents: gettersOf(path, await exportsOf(path)), resolveDir: root };
    });
  },
};

/** A module that loads another one when something of it is used. */
function gettersOf(path, names) {
  const getters = names.map((name) => `get ${name}() { return all().${name}; },`);
  return `let made;\nconst all = () => (made ??= require(${JSON.stringify(path)}));\nmodule.exports = {\n${getters.join('\n')}\n};`;
}

/** The names of what a TypeScript file exports. */
async function exportsOf(file) {
  const { metafile } = await build({
    entryPoints: [file],
    format: 'esm',
    metafile: true,
    write: false,
    outdir: 'build',
    logLevel: 'warning',
  });
  return Object.values(metafile.outputs)[0].exports;
}

/** Node's `performance` is among what loads slowly. This has what we use of it. */
const BANNER = `
const __fileUrl = require('node:url').pathToFileURL(__filename).href;
const __performance = {
  now: () => { const [seconds, nanoseconds] = process.hrtime(); return seconds * 1e3 + nanoseconds / 1e6; },
  get timeOrigin() { return performance.timeOrigin + performance.now() - __performance.now(); },
};`;

/** Writes a bundle of the command as code-cache.ts takes it, and gives the file's name. */
function writeCommand({ outputFiles, metafile }) {
  const [{ path, text: bundle }] = outputFiles;
  let text = bundle;
  const dynamic = Object.values(metafile.outputs)[0].imports.filter(({ kind, external }) => external && kind === 'dynamic-import');
  for (const specifier of new Set(dynamic.map((imported) => imported.path)))
    text = text.replaceAll(`import("${specifier}")`, `__import("${specifier}")`);
  text = `(function (exports, require, module, __filename, __dirname, __import) {${text}\n})`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what the command is read as
  if (/[^\x00-\x7f]/.test(text)) throw new Error('the command has characters beyond ASCII');
  const file = `${basename(path, '.cjs')}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.cjs`;
  writeFileSync(join('dist', file), text);
  return file;
}

await step('binaryen', () => {
  mkdirSync('dist', { recursive: true });
  if (!isNewer('dist/binaryen.js', ['src/build/binaryen.mjs', 'package-lock.json'])) splitBinaryen('dist');
});

await step('dist', async () => {
  const library = await build({
    ...common,
    entryPoints: [
      { in: 'src/index.ts', out: 'index' },
      { in: 'src/host/node.ts', out: 'node' },
      { in: 'src/host/compile-worker.ts', out: 'compile-worker' },
      { in: 'src/cli/conformance-worker.ts', out: 'conformance-worker' },
      ...Object.entries(LATE).map(([file, out]) => ({ in: `src/${file}`, out })),
    ],
    define: { BUILD_DIGEST: JSON.stringify(buildDigest) },
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    external: ['node:*'],
    plugins: [place, webStreams],
    chunkNames: 'lib-[hash]',
  });
  const wabt = await build({
    ...common,
    splitting: false,
    stdin: { contents: "export { default } from 'wabt';", resolveDir: root },
    outdir: undefined,
    outfile: 'dist/wabt.js',
    platform: 'neutral',
    mainFields: ['main'],
    target: 'es2022',
    charset: 'utf8',
    define: { __dirname: '"."', __filename: '"./wabt.js"' },
    plugins: [askedWhereThere],
  });
  const node = { ...common, splitting: false, minify: true, platform: 'node', target: 'node20.19' };
  // files whose compiled code src/cli/code-cache.ts keeps from start to start
  const commandOptions = (name) => ({
    ...node,
    entryPoints: [{ in: `src/cli/${name}.ts`, out: name }],
    outExtension: { '.js': '.cjs' },
    write: false,
    format: 'cjs',
    external: [],
    plugins: [fromLibrary, later, commander, direct, seldom],
    define: { 'import.meta.url': '__fileUrl', performance: '__performance', BUILD_DIGEST: JSON.stringify(buildDigest) },
    banner: { js: BANNER },
  });
  const [run, main] = await Promise.all(['main-run', 'main'].map((name) => build(commandOptions(name))));
  const [runFile, mainFile] = [run, main].map(writeCommand);
  const start = await build({
    ...node,
    entryPoints: [{ in: 'src/cli/start.ts', out: 'cli' }],
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    plugins: [direct, seldom],
    define: { RUN_FILE: JSON.stringify(runFile), MAIN_FILE: JSON.stringify(mainFile) },
  });
  // what an earlier build left goes last, so that dist/ works all the time
  const made = new Set([
    'binaryen.js',
    'wabt.js',
    runFile,
    mainFile,
    ...[library, start].flatMap((result) => Object.keys(result.metafile.outputs).map((file) => basename(file))),
  ]);
  for (const file of readdirSync('dist')) if (/\.c?js$/.test(file) && !made.has(file)) rmSync(join('dist', file));
  chmodSync('dist/cli.cjs', 0o755);
  writeFileSync(
    'dist/THIRD-PARTY-LICENSES.txt',
    licences(['node_modules/binaryen/', ...[library, wabt, run, main, start].flatMap((result) => Object.keys(result.metafile.inputs))]),
  );
});

await step('templates', async () => {
  const outfile = 'build/templates.mjs';
  await build({ bundle: true, format: 'esm', platform: 'node', entryPoints: ['src/build/templates.ts'], outfile, logLevel: 'warning' });
  const { withTemplates } = await import(pathToFileURL(outfile).href);
  const lists = { 'runtime.wasm': 'common.txt', 'system.wasm': 'common-system.txt' };
  for (const [name, list] of Object.entries(lists)) {
    let module = readFileSync(`build/${name}`);
    for (const [isa, translator] of [
      ['x86', 'x86'],
      ['mips', 'mips'],
      ['mipsel', 'mips'],
    ])
      module = withTemplates(module, isa, readFileSync(`translators/${translator}/${list}`, 'utf8'));
    writeFileSync(`dist/${name}`, module);
  }
});

if (!process.argv.includes('--no-types'))
  await step('types', () => execFileSync(bin('tsc'), ['-p', 'tsconfig.types.json'], { stdio: 'inherit' }));

/** What a package without a licence file says at the start of its code, and the text of MIT's licence. */
function notices(folder, license) {
  const { main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const banner = /^\/\*!?([\s\S]*?)\*\//.exec(readFileSync(join(folder, main), 'utf8'))?.[1].replace(/^\s*\* ?/gm, '') ?? '';
  const terms = readFileSync('node_modules/esbuild/LICENSE.md', 'utf8');
  if (license !== 'MIT' || !banner.includes('(c)')) throw new Error(`${folder}: whose it is, and what its licence says?`);
  return `${banner.trim()}\n\n${terms.slice(terms.indexOf('Permission is hereby granted'))}`.trim();
}

/** The licence texts of the packages among the bundled files. */
function licences(inputs) {
  const packages = new Set(inputs.flatMap((file) => /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []));
  return [...packages]
    .sort()
    .map((name) => {
      const folder = join('node_modules', name);
      const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = ['LICENSE', 'LICENSE.md', 'license', 'license.md', 'LICENSE.txt', 'LICENSE-MIT.txt']
        .map((f) => join(folder, f))
        .find(existsSync);
      return `${name} ${version} (${license})\n\n${file ? readFileSync(file, 'utf8').trim() : notices(folder, license)}\n`;
    })
    .join(`\n${'-'.repeat(72)}\n\n`);
}
