/** The part of DejaGnu’s test comments that says whether and how a test is built and run. */
import type { Arch } from './suite.ts';

const TRIPLETS: Readonly<Record<Arch, string>> = {
  i386: 'i686-pc-linux-gnu',
  mips: 'mips-unknown-linux-gnu',
  mipsel: 'mipsel-unknown-linux-gnu',
};

/** Effective targets that hold for Debian’s cross compilers with glibc, static, run by a person at a shell. */
const COMMON = [
  ...['int32plus', 'int32', 'size32plus', 'size20plus', 'ptr32plus', 'ilp32', 'longlong64', 'double64', 'double64plus', 'stdint_types'],
  ...['label_values', 'trampolines', 'alloca', 'indirect_jumps', 'nonlocal_goto', 'untyped_assembly', 'return_address'],
  ...[
    'fileio',
    'mmap',
    'sysconf',
    'signal',
    'c99_runtime',
    'fenv',
    'fenv_exceptions',
    'unwrapped',
    'fpic',
    'pthread',
    'tls',
    'tls_runtime',
  ],
  ...['nonpic', 'run_expensive_tests', 'hard_float', 'large_double', 'inf', 'lto', 'pie'],
];
const OF_ARCH: Readonly<Record<Arch, readonly string[]>> = {
  i386: [
    ...['ia32', 'sse', 'sse2', 'sse3', 'ssse3', 'sse_runtime', 'sse2_runtime', 'mmx', 'large_long_double', '__float128', 'float128'],
    ...['float128_runtime', 'dfp', 'dfprt', 'ms_hook_prologue', 'fstack_protector_enabled', 'vect_int'],
  ],
  mips: [],
  mipsel: [],
};

/** Undefined: Debian’s toolchain has it, but we do not say. */
function effective(arch: Arch, name: string): boolean {
  return COMMON.includes(name) || OF_ARCH[arch].includes(name);
}

/** Words, quoted strings and nested braces of a Tcl list. */
type Tcl = string | readonly Tcl[];

function parse(text: string): readonly Tcl[] {
  let at = 0;
  const list = (): Tcl[] => {
    const items: Tcl[] = [];
    while (at < text.length) {
      const c = text[at];
      if (/\s/.test(c)) at++;
      else if (c === '{') {
        at++;
        items.push(list());
      } else if (c === '}') {
        at++;
        return items;
      } else if (c === '"') {
        const end = text.indexOf('"', at + 1);
        items.push(text.slice(at + 1, end < 0 ? text.length : end));
        at = end < 0 ? text.length : end + 1;
      } else {
        const word = /^[^\s{}"]+/.exec(text.slice(at))![0];
        items.push(word);
        at += word.length;
      }
    }
    return items;
  };
  return list();
}

const glob = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^$()|\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );

/** A selector: an effective target, triplets any of which matches, or !, && and || of them. */
function selects(selector: Tcl, arch: Arch, options: string): boolean {
  if (typeof selector === 'string') {
    if (selector.includes('*') || /-.*-/.test(selector)) return glob(selector).test(TRIPLETS[arch]);
    if (selector === 'any-opts') return true;
    return effective(arch, selector);
  }
  const items = selector[0] === 'target' ? selector.slice(1) : selector;
  const operator = items.indexOf('||');
  if (operator > 0) return selects(items.slice(0, operator), arch, options) || selects(items.slice(operator + 1), arch, options);
  const and = items.indexOf('&&');
  if (and > 0) return selects(items.slice(0, and), arch, options) && selects(items.slice(and + 1), arch, options);
  if (items[0] === '!') return !selects(items.slice(1), arch, options);
  return items.some((item) => selects(item, arch, options));
}

export interface Directives {
  /** Why it is not for this target. */
  readonly skip?: string;
  readonly runs: boolean;
  readonly flags: readonly string[];
  readonly moreSources: readonly string[];
  /** Effective targets that were asked for. */
  readonly required: readonly string[];
}

const EXPECTED = 'expected to fail by its authors';
const isFailure = (item: Tcl): item is readonly Tcl[] => typeof item !== 'string' && item[0] === 'xfail';
const fails = (item: Tcl, arch: Arch): boolean => isFailure(item) && selects(item.slice(1), arch, '');

/** Effective targets that stand for instruction sets which came after SSSE3. */
const LATER = /^(avx|sse4|fma|xop|f16c|aes|vaes|v?pclmul|vpclmulqdq|sha|gfni|adx|rtm|amx|bmi|lzcnt|popcnt|3dnow|movdir|vbmi|cet)/;
export const BEYOND = 'beyond the tier: instruction sets later than SSSE3, or 3DNow!';
const laterSet = (targets: readonly string[]): string | undefined => (targets.some((t) => LATER.test(t)) ? BEYOND : undefined);

const words = (item: Tcl | undefined): string[] =>
  typeof item === 'string' ? item.split(/\s+/).filter(Boolean) : (item ?? []).flatMap((inner) => words(inner));

const WITH_SPACE = /^\s*dg-/;

/** Reads the `{ dg-… }` comments of a source; `base` are the options of this round. */
export function directives(source: string, arch: Arch, base: readonly string[]): Directives {
  let flags: string[] = [];
  const more: string[] = [];
  const moreSources: string[] = [];
  const required: string[] = [];
  let skip: string | undefined;
  let runs = false;
  for (const match of source.matchAll(/\{\s*dg-[a-z-]+/g)) {
    const text = balanced(source, match.index);
    if (!WITH_SPACE.test(text)) continue;
    const [name, ...args] = parse(text) as [string, ...Tcl[]];
    const selected = (item: Tcl | undefined): boolean => item === undefined || selects(item, arch, base.join(' '));
    switch (name) {
      case 'dg-do':
        runs = args[0] === 'run';
        if (!runs || args[1] === undefined) break;
        if (fails(args[1], arch)) skip = EXPECTED;
        else if (!isFailure(args[1]) && !selected(args[1])) skip = laterSet(words(args[1])) ?? 'for other targets';
        break;
      case 'dg-options':
        if (selected(args[1])) flags = words(args[0]);
        break;
      case 'dg-additional-options':
        if (selected(args[1])) more.push(...words(args[0]));
        break;
      case 'dg-additional-sources':
        moreSources.push(...words(args[0]));
        break;
      case 'dg-require-effective-target':
        required.push(...words(args[0]));
        if (selected(args[1]) && !words(args[0]).every((target) => effective(arch, target)))
          skip ??= laterSet(words(args[0])) ?? `needs ${words(args[0]).join(' ')}, which this target lacks`;
        break;
      case 'dg-skip-if': {
        const include = args[2] === undefined || matchesOptions(args[2], [...base, ...flags]);
        const exclude = args[3] !== undefined && words(args[3]).some((o) => o !== '' && matchesOptions([o], [...base, ...flags]));
        if (args[1] !== undefined && selects(args[1], arch, base.join(' ')) && include && !exclude)
          skip ??= `skipped by its authors: ${words(args[0]).join(' ') || 'for this target'}`;
        break;
      }
      case 'dg-xfail-run-if':
        if (args[1] !== undefined && selects(args[1], arch, '')) skip ??= EXPECTED;
        break;
      case 'dg-require-ifunc':
      case 'dg-require-weak':
      case 'dg-require-alias':
      case 'dg-require-fork':
      case 'dg-require-stack-size':
        break;
      default:
    }
  }
  return { ...(skip !== undefined && { skip }), runs, flags: [...flags, ...more], moreSources, required };
}

/** What is between the brace at `start` and the one that closes it, in a comment that may go over several lines. */
function balanced(source: string, start: number): string {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === '{') depth++;
    if (source[at] === '}' && --depth === 0) return source.slice(start + 1, at);
  }
  return '';
}

/** Whether all options of one of the sets are given; `*` is any. */
function matchesOptions(sets: Tcl, options: readonly string[]): boolean {
  const list = typeof sets === 'string' ? [sets] : sets;
  if (list.length === 0) return true;
  return list.some((set) => words(set).every((option) => option === '*' || options.some((given) => glob(option).test(given))));
}
