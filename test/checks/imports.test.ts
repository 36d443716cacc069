import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
// @ts-expect-error a script without types
import { complaint, importsOf } from '../../src/build/check-imports.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

test('all imports follow the flow', () => {
  const output = execFileSync(process.execPath, [join(ROOT, 'src/build/check-imports.mjs')], { encoding: 'utf8' });
  expect(output).toMatch(/^import directions: \d{2,} files, 0 wrong\n$/);
});

test.each([
  ['src/ir/x.ts', '../backend/runtime.ts', 'src/backend comes after src/ir in the flow'],
  ['src/vcpu/x.ts', '../linux/elf.ts', 'src/linux comes after src/vcpu in the flow'],
  ['src/linux/x.ts', '../vmm/bus.ts', 'src/vmm comes after src/linux in the flow'],
  ['src/linux/x.ts', 'node:fs', 'only src/cli, src/host and src/build may use Node'],
  ['src/vcpu/x.ts', 'binaryen', 'only src/backend/wasm may use binaryen'],
  ['src/linux/x.ts', '../../translators/x86/abi.ts', 'only src/isas.ts knows the translators'],
  ['src/linux/i386/x.ts', '../../../translators/x86/decode.ts', 'only src/isas.ts knows the translators'],
  ['src/linux/i386/x.ts', '../../../translators/mips/state.ts', 'only src/isas.ts knows the translators'],
  ['translators/x86/x.ts', '../mips/state.ts', 'a translator knows no other'],
  ['translators/x86/x.ts', '../../src/linux/elf.ts', 'translators know only src/isa, src/ir and assembly/shared'],
  ['translators/x86/x.ts', 'binaryen', 'only src/backend/wasm may use binaryen'],
  ['assembly/x.ts', '../src/ir/ops', 'assembly/ reads only assembly/shared and, for a guest, the numbers of its translator'],
  ['src/ir/x.ts', '../../assembly/memory.ts', 'outside assembly/ only assembly/shared is read'],
])('%s may not import %s', (file, specifier, why) => {
  expect(complaint(file, specifier, false)).toBe(why);
});

test.each([
  ['src/vcpu/x.ts', '../backend/runtime.ts', false],
  ['src/cache/x.ts', '../vcpu/guest-memory.ts', true],
  ['src/ir/x.ts', '../../assembly/shared/exit.ts', false],
  ['src/isas.ts', '../translators/mips/index.ts', false],
  ['src/cli/x.ts', 'node:fs', false],
  ['src/linux/i386/x.ts', '../../../translators/x86/state.ts', false],
  ['assembly/x86/x.ts', '../../translators/x86/state', false],
])('%s may import %s', (file, specifier, type) => {
  expect(complaint(file, specifier, type)).toBeUndefined();
});

test('imports are found in every form', () => {
  const text = `import a from './a.ts';\nimport type { B } from './b.ts';\nimport {\n  c,\n} from './c.ts';\nexport * from './d.ts';\nimport './e.ts';\nawait import('./f.ts');\n// import './no.ts';\n/* import './no.ts'; */`;
  expect(importsOf(text)).toEqual([
    { specifier: './a.ts', type: false },
    { specifier: './b.ts', type: true },
    { specifier: './c.ts', type: false },
    { specifier: './d.ts', type: false },
    { specifier: './e.ts', type: false },
    { specifier: './f.ts', type: false },
  ]);
});
