import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** What the runtime is compiled from: assembly/, and the files of translators that it shares. */
function sources(): string[] {
  const assembly = readdirSync(join(ROOT, 'assembly'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('assembly', name));
  const shared = readdirSync(join(ROOT, 'translators')).flatMap((isa) =>
    ['state.ts', 'system/state.ts', 'features.ts', 'segments.ts', 'sse-code.ts', 'exception-code.ts', 'float-code.ts'].map((name) =>
      join('translators', isa, name),
    ),
  );
  return [...assembly, ...shared, 'asconfig.json'].map((name) => join(ROOT, name)).filter((path) => existsSync(path));
}

const compiled = new Map<string, WebAssembly.Module>();

/** The runtime as it is in the tree now; compiled first where the built one is older. */
function moduleOf(name: string, entry: string, target: string): WebAssembly.Module {
  const known = compiled.get(name);
  if (known) return known;
  const path = join(ROOT, 'build', `${name}.wasm`);
  const built = existsSync(path) ? statSync(path).mtimeMs : 0;
  if (sources().some((source) => statSync(source).mtimeMs > built)) {
    mkdirSync(dirname(path), { recursive: true });
    // several test workers may be here at once: each makes its own file, the last one stays
    const own = `build/${name}.${process.pid}.wasm`;
    const args = [join(ROOT, 'node_modules/assemblyscript/bin/asc.js'), entry, '--config', 'asconfig.json', '--target', target, '-o', own];
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    renameSync(join(ROOT, own), path);
  }
  const module = new WebAssembly.Module(readFileSync(path) as Uint8Array<ArrayBuffer>);
  compiled.set(name, module);
  return module;
}

export const runtimeModule = (): WebAssembly.Module => moduleOf('runtime', 'assembly/index.ts', 'user');
/** That of the memory model paged. */
export const systemModule = (): WebAssembly.Module => moduleOf('system', 'assembly/system-index.ts', 'system');
