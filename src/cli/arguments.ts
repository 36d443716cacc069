import { readFileSync } from 'node:fs';
import { decodeName } from '../linux/fs/names.ts';

/** The command line with bytes that are not UTF-8 as names have them, where the host tells them (Linux): Node has U+FFFD for each. */
export function exactArguments(argv: readonly string[]): readonly string[] {
  const given = argv.length - 2;
  try {
    // each argument ends in a zero byte
    const words = readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1).slice(-given);
    return words.length === given ? [...argv.slice(0, 2), ...words.map((word) => decodeName(Buffer.from(word, 'latin1')))] : argv;
  } catch {
    return argv;
  }
}
