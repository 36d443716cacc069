// Templates that the package comes with (see assembly/shared/template.ts), of instructions that are common.
import { TemplateImage } from '../backend/interpret/template-image.ts';
import { TEMPLATES_SECTION } from '../backend/interpret/templates.ts';
import { TemplateMaker } from '../ir/template.ts';
import { Code } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { ISAS, type IsaName } from '../isas.ts';

const PC = 0x1000;
/** In place of a byte that is open. */
const ANY = '11';
/** So that what is too short is found to be so. */
const AFTER = new Uint8Array(16);

/** A list's instruction in the ISA's byte order: lists are of little-endian code, and of words where there is another order. */
const inOrder = ({ endian }: Isa, bytes: readonly string[]): string[] =>
  endian === 'little' ? [...bytes] : bytes.map((_, i) => bytes[(i & ~3) + 3 - (i & 3)]);

/** `list`: `mode n` in hexadecimal, then the instructions of that mode, one a line, `..` for a byte that is open. */
function imageOf(isa: Isa, list: string): TemplateImage {
  const maker = new TemplateMaker(isa);
  const image = new TemplateImage(isa.templates!.first);
  let mode = 0;
  for (const line of list.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('mode ')) {
      mode = Number.parseInt(line.split(' ')[1], 16);
      continue;
    }
    const digits = inOrder(isa, line.replaceAll('..', ANY).match(/../g) ?? []);
    const bytes = Uint8Array.from(digits, (byte) => Number.parseInt(byte, 16));
    const made = maker.make(Code.of(Uint8Array.of(...bytes, ...AFTER), PC), PC, mode);
    if (!made || made.length !== bytes.length) throw new Error(`${line} is not an instruction`);
    if (!image.add(image.root(mode), made, (at) => bytes[at])) throw new Error(`${line} has no place among the templates`);
  }
  return image;
}

function unsigned(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...unsigned(n >>> 7)];
}
/** A WebAssembly module with one more custom section. */
export function withTemplates(module: Uint8Array, isa: IsaName, list: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(TEMPLATES_SECTION + isa);
  const content = imageOf(ISAS[isa], list).save();
  const head = [...unsigned(name.length), ...name];
  const start = [0, ...unsigned(head.length + content.length), ...head];
  const out = new Uint8Array(module.length + start.length + content.length);
  out.set(module);
  out.set(start, module.length);
  out.set(content, module.length + start.length);
  return out;
}
