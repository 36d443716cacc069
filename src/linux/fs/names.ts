/**
 * File names are bytes to Linux and strings here. Bytes that are not UTF-8 become the lone surrogates U+DC80…U+DCFF, so
 * every name survives the way there and back.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const ESCAPED = /[\udc80-\udcff]/u;

/** Bytes in the UTF-8 sequence at `at`, 0 if there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      if (strict.decode(bytes.subarray(at, at + length)).length > 0) return length;
    } catch {}
  }
  return 0;
}

export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const length = sequenceLength(bytes, at);
      if (length === 0) text += String.fromCharCode(0xdc00 + bytes[at++]);
      else {
        text += strict.decode(bytes.subarray(at, at + length));
        at += length;
      }
    }
    return text;
  }
}

/** Whether the name holds bytes that are not UTF-8. */
export function isEscaped(name: string): boolean {
  return ESCAPED.test(name);
}

export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  if (!isEscaped(name)) return encoder.encode(name);
  const out: number[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) out.push(code & 0xff);
    else out.push(...encoder.encode(character));
  }
  return Uint8Array.from(out);
}

/** Order of names in directory listings: by bytes, as `sort` in the C locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
