// Which part of the tree may import which. Exits with 1 and a line for each import that goes the wrong way.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Earlier parts know nothing of later ones; parts of the same rank nothing of each other. */
const RANKS = {
  'src/isa': 0,
  'src/ir': 1,
  'src/backend': 2,
  'src/cache': 3,
  'src/snapshot': 3,
  'src/vcpu': 4,
  'src/isas.ts': 4,
  'src/linux': 5,
  'src/disassemble.ts': 5,
  'src/translate.ts': 6,
  'src/conformance': 6,
  'src/devices': 6,
  'src/vmm': 7,
  'src/lockstep': 7,
  'src/index.ts': 8,
  'src/host': 9,
  'src/cli': 10,
};
/** A Linux ABI belongs to an instruction set, and lays out its registers (signal frames, system calls); so do test vectors. */
const ABIS = { 'src/linux/i386/': 'x86', 'src/linux/mips/': 'mips', 'src/conformance/x86': 'x86', 'src/conformance/mips': 'mips' };
const ABI_FILES = ['index.ts', 'state.ts', 'abi.ts', 'segments.ts'];
/** The names of ops and types, in which an `Isa` describes its registers and helpers, too. */
const VOCABULARY = 'src/ir/ops.ts';
const NODE = ['src/cli', 'src/host', 'src/build'];

/** The part of the tree that a file belongs to: a folder of src/, a file right in src/, or a top-level folder. */
export function partOf(file) {
  const [top, second] = file.split('/');
  return top === 'src' ? `src/${second}` : top;
}

/** `{ specifier, type }` of each import and re-export in TypeScript text; `type` if the whole statement is type-only. */
export function importsOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found = [];
  for (const m of code.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm))
    found.push({ specifier: m[2], type: Boolean(m[1]) });
  for (const m of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) found.push({ specifier: m[1], type: false });
  return found;
}

/** Why `file` may not import `specifier`, or undefined. Paths are relative to the root, with slashes. */
export function complaint(file, specifier, type) {
  const part = partOf(file);
  if (!specifier.startsWith('.')) {
    if (specifier.startsWith('node:') && !NODE.includes(part)) return 'only src/cli, src/host and src/build may use Node';
    if (specifier === 'binaryen' && !file.startsWith('src/backend/wasm/')) return 'only src/backend/wasm may use binaryen';
    if (part === 'translators') return 'translators use no package';
    if (part === 'assembly' && !specifier.startsWith('assemblyscript')) return 'assembly/ uses no package';
    return undefined;
  }
  const target = posix.join(posix.dirname(file), specifier);
  const to = partOf(target);
  if (part === to) {
    const guest = (path) => path.split('/')[1];
    if (part === 'translators' && target.split('/').length > 2 && file.split('/').length > 2 && guest(file) !== guest(target))
      return 'a translator knows no other';
    return undefined;
  }
  if (target.startsWith('assembly/'))
    return target.startsWith('assembly/shared/') ? undefined : 'outside assembly/ only assembly/shared is read';
  if (part === 'assembly') {
    const [, isa] = file.split('/');
    return target.startsWith(`translators/${isa}/`)
      ? undefined
      : 'assembly/ reads only assembly/shared and, for a guest, the numbers of its translator';
  }
  if (part === 'translators')
    return to === 'src/isa' || to === 'src/ir' ? undefined : 'translators know only src/isa, src/ir and assembly/shared';
  if (to === 'translators') {
    const isRegistry = file === 'src/isas.ts';
    const isAbi = Object.entries(ABIS).some(
      ([abi, isa]) => file.startsWith(abi) && ABI_FILES.some((name) => target === `translators/${isa}/${name}`),
    );
    return isRegistry || isAbi ? undefined : 'only src/isas.ts knows the translators';
  }
  if (part === 'src/build') return undefined;
  if (!(part in RANKS)) return `${part} has no rank in src/build/check-imports.mjs`;
  if (!(to in RANKS)) return `${to} has no rank in src/build/check-imports.mjs`;
  if (type) return to === 'src/cli' || to === 'src/host' ? `${to} is imported by none but src/cli` : undefined;
  return RANKS[to] < RANKS[part] || (part === 'src/isa' && target === VOCABULARY) ? undefined : `${to} comes after ${part} in the flow`;
}

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mjs)$/.test(entry.name)) yield path;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
  let files = 0;
  let wrong = 0;
  for (const top of ['assembly', 'translators', 'src']) {
    for (const path of sources(join(root, top))) {
      files++;
      const file = relative(root, path).replaceAll('\\', '/');
      for (const { specifier, type } of importsOf(readFileSync(path, 'utf8'))) {
        const why = complaint(file, specifier, type);
        if (why) {
          wrong++;
          console.error(`${file}: import of ${specifier}: ${why}`);
        }
      }
    }
  }
  console.log(`import directions: ${files} files, ${wrong} wrong`);
  process.exit(wrong ? 1 : 0);
}
