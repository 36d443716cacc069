import { describe, expect, test } from 'vitest';
import { Type } from '../../src/ir/ops.ts';
import { type Isa, isConditional } from '../../src/isa/isa.ts';
import * as mips from '../../translators/mips/index.ts';
import * as x86 from '../../translators/x86/index.ts';
import { runtimeModule } from '../support/runtime.ts';

const isIsa = (value: unknown): value is Isa => typeof value === 'object' && value !== null && 'helpers' in value && 'lift' in value;
const isas = [...Object.values(mips), ...Object.values(x86)].filter(isIsa);
const exported = new Set(WebAssembly.Module.exports(runtimeModule()).map((e) => e.name));

test('there are instruction sets', () => {
  expect(isas.map((isa) => isa.name).sort()).toEqual(['mips', 'mipsel', 'x86']);
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
    expect([Type.None, Type.I32, Type.I64]).toContain(helper.result);
  });
});
