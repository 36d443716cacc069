import { describe, expect, test } from 'vitest';
import { Type } from '../../src/ir/ops.ts';
import { type Isa, isConditional } from '../../src/isa/isa.ts';
import * as mips from '../../translators/mips/index.ts';
import * as x86 from '../../translators/x86/index.ts';
import { runtimeModule, systemModule } from '../support/runtime.ts';

const isIsa = (value: unknown): value is Isa => typeof value === 'object' && value !== null && 'helpers' in value && 'lift' in value;
const isas = [...Object.values(mips), ...Object.values(x86)].filter(isIsa);
/** Privileged instructions' helpers are only in a machine's runtime, which has all the others, too. */
const exported = new Set(WebAssembly.Module.exports(systemModule()).map((e) => e.name));
const userExports = WebAssembly.Module.exports(runtimeModule()).filter(({ kind }) => kind === 'function');

/** Helpers that no code calls, only what is around the vCPU. */
const FROM_OUTSIDE = new Set(['mips_timer_next']);

test('there are instruction sets', () => {
  // x86 twice: with the x87's 80 bits, and with 64
  expect(isas.map((isa) => isa.name).sort()).toEqual(['mips', 'mipsel', 'x86', 'x86']);
});

test('a machine has what a program has', () => {
  for (const { name } of userExports) expect(exported).toContain(name);
});

describe.for(isas)('$name', (isa) => {
  test.for(isa.helpers.map((h) => [h.name, h] as const))('the runtime exports %s, with a signature that helpers may have', ([
    name,
    helper,
  ]) => {
    expect(exported).toContain(name);
    const [first, ...rest] = helper.params;
    expect(helper.params.length).toBeLessThanOrEqual(3);
    expect([undefined, Type.I32, Type.I64]).toContain(first);
    if (isConditional(helper)) expect(helper).toMatchObject({ params: [Type.I32, Type.V128, Type.V128], result: Type.I32 });
    else expect(rest.every((p) => p === Type.I32)).toBe(true);
    if (!FROM_OUTSIDE.has(name)) expect([Type.None, Type.I32, Type.I64]).toContain(helper.result);
  });
});
