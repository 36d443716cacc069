/** Results of suites that others wrote, as their runners leave them in JSON files. */

export interface PublicFailure {
  readonly name: string;
  /** Where it fails: executors, qemu, the processor. */
  readonly where?: readonly string[];
  readonly cause?: string;
}

/** One suite, in whatever places it ran. */
export interface PublicSuite {
  readonly title: string;
  readonly isa: string;
  /** Whose it is, and which version. */
  readonly source: string;
  /** By place: interpret, translate, qemu, … */
  readonly places: Readonly<Record<string, { readonly passed: number; readonly failed: number }>>;
  readonly skipped: readonly { readonly reason: string; readonly count: number }[];
  /** Cases that the run left out. */
  readonly left: number;
  readonly failures: readonly PublicFailure[];
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
const count = (value: Json | undefined): number => {
  if (value === undefined) return 0;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw new TypeError(`${JSON.stringify(value)} is no count`);
  return value;
};
const text = (value: Json | undefined): string => {
  if (typeof value !== 'string') throw new TypeError(`${JSON.stringify(value)} is no text`);
  return value;
};

function skippedOf(value: Json | undefined): PublicSuite['skipped'] {
  if (isArray(value))
    return value.map((entry) => {
      if (!isObject(entry)) throw new TypeError('an entry of "skipped" has no reason');
      return { reason: text(entry.reason), count: count(entry.count) };
    });
  return isObject(value) ? Object.entries(value).map(([reason, n]) => ({ reason, count: count(n) })) : [];
}

function failureOf(value: Json): PublicFailure {
  if (!isObject(value)) return { name: text(value) };
  const where = isArray(value.places) ? value.places.map(text) : undefined;
  return {
    name: text(value.check ?? value.name),
    ...(where && { where }),
    ...(typeof value.cause === 'string' && { cause: value.cause }),
  };
}

function suiteOf(value: Json): PublicSuite {
  if (!isObject(value)) throw new TypeError('a suite is no object');
  const places = isObject(value.places)
    ? Object.entries(value.places).map(([place, counts]) => [place, counts] as const)
    : [[typeof value.executor === 'string' ? value.executor : 'all', value] as const];
  return {
    title: text(value.title ?? value.suite),
    isa: text(value.arch ?? value.isa),
    source: text(value.source ?? value.tool),
    places: Object.fromEntries(
      places.map(([place, counts]) => {
        if (!isObject(counts)) throw new TypeError(`${place} has no counts`);
        return [place, { passed: count(counts.passed), failed: count(counts.failed) }];
      }),
    ),
    skipped: skippedOf(value.skipped),
    left: count(value.left),
    failures: isArray(value.failures) ? value.failures.map(failureOf) : [],
  };
}

/**
 * The suites in a file: `{ suites: […] }`, a list, or one suite. Each has a title, an ISA, a source, counts (`passed`, `failed`, by
 * place or for one executor), skipped cases with reasons, and failures. Throws SyntaxError or TypeError.
 */
export function parsePublicSuites(json: string): PublicSuite[] {
  const value = JSON.parse(json) as Json;
  const list = isObject(value) && isArray(value.suites) ? value.suites : isArray(value) ? value : [value];
  const suites = list.map(suiteOf);
  // the same suite on several executors is one row
  const merged = new Map<string, PublicSuite>();
  for (const suite of suites) {
    const key = `${suite.title} ${suite.isa} ${suite.source}`;
    const other = merged.get(key);
    merged.set(
      key,
      other ? { ...other, places: { ...other.places, ...suite.places }, failures: [...other.failures, ...suite.failures] } : suite,
    );
  }
  return [...merged.values()];
}
