import { readFileSync } from 'node:fs';

/** One line of LLVM's tests: what the bytes are. */
export interface Line {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly expected: string;
}

const bytesOf = (list: string, separator: RegExp): Uint8Array => Uint8Array.from(list.split(separator).map(Number));

/** Assembler tests: `CHECK: text`, then `encoding: [0x..,…]`, in the same line or the next one. `undecided`: those with a fixup. */
export function assembled(path: string, file: string): { readonly lines: Line[]; readonly fixups: number } {
  const lines: Line[] = [];
  let fixups = 0;
  let expected = '';
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const check = /CHECK(?:-NEXT)?:\s*(.*)/.exec(line);
    if (!check) continue;
    const encoding = /^(.*?)(?:#\s*)?encoding: \[([^\]]*)\]/.exec(check[1]);
    if (!encoding) {
      expected = check[1].trim();
      continue;
    }
    const text = encoding[1].trim() || expected;
    expected = '';
    if (/[^0-9a-fx,]/.test(encoding[2])) fixups++;
    else if (text) lines.push({ file, bytes: bytesOf(encoding[2], /,/), expected: text });
  }
  return { lines, fixups };
}

/** What is expected of an encoding that is none. */
export const INVALID = 'invalid';

/** Disassembler tests: `0x.. 0x.. … # CHECK: text`; or a warning that the encoding is invalid, and what comes first so that there is a valid one. */
export function disassembled(path: string, file: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const found = /^((?:0x[0-9a-f]{2}\s*)+)(?:#.*?CHECK:\s*(.*?)\s*)?$/.exec(line);
      if (!found) return [];
      const [, bytes, expected = 'nop'] = found;
      return [
        { file, bytes: bytesOf(bytes.trim(), /\s+/), expected: expected.endsWith('invalid instruction encoding') ? INVALID : expected },
      ];
    });
}
