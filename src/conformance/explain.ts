import { disassembleRange } from '../disassemble.ts';
import { Code } from '../isa/code.ts';
import { ISAS } from '../isas.ts';
import { endText, fieldText } from './compare.ts';
import type { Failure } from './run.ts';
import { SUBJECTS } from './subjects.ts';
import type { Suite } from './vectors.ts';

/** The state before, the code, and what was expected and what came out in this place. */
export function explain(suite: Suite, place: string, failure: Failure): string {
  const { form, index, vector, outcome, differences } = failure;
  const { fields } = SUBJECTS[suite.isa];
  const bytes = Array.from(vector.code, (n) => n.toString(16).padStart(2, '0')).join(' ');
  const text = disassembleRange(ISAS[suite.isa], Code.of(vector.code, vector.pc), vector.pc, vector.pc + vector.code.length);
  const integer = fields.filter((f) => f.float === undefined);
  const float = fields.filter((f) => f.float !== undefined && differences.some((line) => /^(st|xmm|\$f|[fm]x?csr|fsw)/.test(line)));
  const shown = (list: typeof fields): string => list.map((f) => `${f.name}=${fieldText(vector.before, f)}`).join(' ');
  let at = 0;
  const memory = suite.windows.map(({ address, length }) => {
    at += length;
    return `  [${address.toString(16)}] ${Array.from(vector.memory.subarray(at - length, at), (n) => n.toString(16).padStart(2, '0')).join('')}`;
  });
  return [
    `${suite.name} ${place}: ${form.text} (${form.encoding}), vector ${index}`,
    `  code:   ${bytes}   ${text.map((i) => i.text).join('; ')}`,
    `  before: ${shown(integer)}`,
    ...float.map((f) => `          ${f.name}=${fieldText(vector.before, f)}`),
    ...memory,
    `  expected ${endText(vector.end, vector.endPc, suite.isa)}, got ${endText(outcome.end, outcome.pc, suite.isa)}; differences (expected | got):`,
    ...differences.map((line) => `    ${line}`),
  ].join('\n');
}
