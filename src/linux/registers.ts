/** Registers as text: `name 0123abcd`, so many a line. */
export function printWords(words: readonly (readonly [name: string, value: number])[], perLine: number): string {
  const width = Math.max(...words.map(([name]) => name.length));
  const cells = words.map(([name, value]) => `${name.padStart(width)} ${(value >>> 0).toString(16).padStart(8, '0')}`);
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += perLine) lines.push(cells.slice(at, at + perLine).join('  '));
  return lines.join('\n');
}
