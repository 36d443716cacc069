import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const RUNTIME = join(ROOT, 'build/runtime.wasm');

/** What the runtime is compiled from: assembly/, and the files of translators that it shares. */
function sources(): string[] {
  const assembly = readdirSync(join(ROOT, 'assembly'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('assembly', name));
  const shared = readdirSync(join(ROOT, 'translators')).flatMap((isa) =>
    ['state.ts', 'features.ts', 'segments.ts', 'sse-code.ts'].map((name) => join('translators', isa, name)),
  );
  return [...assembly, ...shared, 'asconfig.json'].map((name) => join(ROOT, name)).filter((path) => existsSync(path));
}

let compiled: WebAssembly.Module | undefined;

/** The runtime as it is in the tree now; compiled first where the built one is older. */
export function runtimeModule(): WebAssembly.Module {
  if (compiled) return compiled;
  const built = existsSync(RUNTIME) ? statSync(RUNTIME).mtimeMs : 0;
  if (sources().some((path) => statSync(path).mtimeMs > built)) {
    mkdirSync(dirname(RUNTIME), { recursive: true });
    // several test workers may be here at once: each makes its own file, the last one stays
    const own = `build/runtime.${process.pid}.wasm`;
    execFileSync(process.execPath, [join(ROOT, 'node_modules/assemblyscript/bin/asc.js'), '--config', 'asconfig.json', '-o', own], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    renameSync(join(ROOT, own), RUNTIME);
  }
  compiled = new WebAssembly.Module(readFileSync(RUNTIME) as Uint8Array<ArrayBuffer>);
  return compiled;
}
