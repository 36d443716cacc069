// Prints the C header of the para-virtual interface, made of assembly/shared/hypercall.ts; `--write` puts it into corpus/kernels.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const HEADER = join(root, 'corpus/kernels/wasmvisor.h');
const PREFIXES = { HypercallAbi: 'WV_', Hypercall: 'WV_CALL_', HypercallError: 'WV_ERROR_' };

const CALLS = `
#if defined(__i386__)
static inline int wv_call(unsigned number, unsigned a, unsigned b, unsigned c, unsigned d) {
  int result;
  __asm__ volatile("vmcall" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}
#elif defined(__mips__)
static inline int wv_call(unsigned number, unsigned a, unsigned b, unsigned c, unsigned d) {
  register unsigned v0 __asm__("$2") = number;
  register unsigned a0 __asm__("$4") = a;
  register unsigned a1 __asm__("$5") = b;
  register unsigned a2 __asm__("$6") = c;
  register unsigned a3 __asm__("$7") = d;
  /* hypcall */
  __asm__ volatile(".word 0x42000028" : "+r"(v0) : "r"(a0), "r"(a1), "r"(a2), "r"(a3) : "memory");
  return (int)v0;
}
#endif
`;

export function header() {
  const text = readFileSync(join(root, 'assembly/shared/hypercall.ts'), 'utf8');
  const lines = [
    '/* Made by src/build/hypercall-header.mjs of assembly/shared/hypercall.ts, which says what each call does. */',
    '#pragma once',
    '',
  ];
  for (const [, name, body] of text.matchAll(/export const enum (\w+) \{([\s\S]*?)\n\}/g)) {
    for (const [, comment, id, value] of body.matchAll(/(?:\/\*\*([\s\S]*?)\*\/\s*)?(\w+) = (-?\w+),/g)) {
      const note = comment ? ` /* ${comment.replace(/\s+/g, ' ').trim().replaceAll('→', '->').replaceAll('…', '...')} */` : '';
      lines.push(`#define ${PREFIXES[name]}${id} ${value.startsWith('-') ? `(${value})` : value}${note}`);
    }
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n${CALLS}`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes('--write')) writeFileSync(HEADER, header());
  else process.stdout.write(header());
}
