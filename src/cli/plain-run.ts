import type { RunOptions } from './guest-options.ts';

/** Options whose value nothing is asked of, as in guest-options.ts. */
const ONE = { '--root': 'root', '--cwd': 'cwd', '--argv0': 'argv0' } as const;
const SEVERAL = { '--mount': 'mount', '--env': 'env' } as const;
const FLAGS = {
  '--interpret': { interpret: true },
  '--translate': { translate: true },
  '--strict': { strict: true },
  '--strace': { strace: true },
  '--stats': { stats: true },
  '--no-cache': { cache: false },
} as const;

const hasKey = <T extends object>(object: T, key: PropertyKey): key is keyof T => Object.hasOwn(object, key);

export interface PlainRun {
  readonly path: string;
  readonly args: readonly string[];
  readonly options: RunOptions;
}

/**
 * What a command line of `run` says, without the package that parses all of them, which takes a tenth of a short program's time; undefined
 * if there is more to it.
 */
export function plainRun(words: readonly string[]): PlainRun | undefined {
  let options: RunOptions = { mount: [], env: [], allow: [], publish: [], x87: '80', cache: true };
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    const start = word === '--' ? at + 1 : at;
    if (start > at || !word.startsWith('-')) {
      const path = words[start];
      return path === undefined ? undefined : { path, args: words.slice(start + 1), options };
    }
    if (hasKey(FLAGS, word)) {
      options = { ...options, ...FLAGS[word] };
      continue;
    }
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? words[++at] : word.slice(equals + 1);
    if (value === undefined) return undefined;
    if (hasKey(ONE, flag)) options = { ...options, [ONE[flag]]: value };
    else if (hasKey(SEVERAL, flag)) options = { ...options, [SEVERAL[flag]]: [...options[SEVERAL[flag]], value] };
    else return undefined;
  }
  return undefined;
}
