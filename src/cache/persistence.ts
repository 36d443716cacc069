import { type KeptBytes, type Parts, partsIn, partsOf } from './parts.ts';
import { decodePage, type SavedBlocks } from './saved-blocks.ts';
import { decodeModule, type SavedModule } from './saved-modules.ts';

/** Where translations are kept from run to run: a folder, IndexedDB, a Map. What it gives is checked; it may be anything. */
export interface TranslationStore {
  load(key: string): Promise<Uint8Array | KeptBytes | undefined>;
  save(key: string, data: Uint8Array): Promise<void>;
}

declare const BUILD_DIGEST: string | undefined;
/** Tells builds of the translator apart: what one made is nothing to another. */
export const TRANSLATOR = typeof BUILD_DIGEST === 'string' ? BUILD_DIGEST : 'source';

/** What one run of a program leaves to the next. */
export interface Translations {
  /** By the entries of its current regions. */
  readonly modules: Parts<SavedModule>;
  readonly blocks: SavedBlocks | undefined;
}

export const NO_TRANSLATIONS: Translations = { modules: partsOf<SavedModule>([]), blocks: undefined };

/** Bytes of modules, and of pages of blocks, that are kept for one program. */
const MOST_MODULES = 8 << 20;
const MOST_BLOCKS = 40 << 20;

/**
 * First come words: how many bytes there are before the parts, constants, pages, modules, their entries, and bytes of the options' text. Then
 * the constants; where each page's part ends, and each module's; the pages' pcs and then the modules' entries, with the number of the
 * part; the text; and the parts.
 */
const HEADER = 6;

interface Encoded {
  readonly bytes: Uint8Array;
  readonly pcs: readonly number[];
}

/** As many as there may be. A pc leads to the first that has it. */
function encoded<T>(parts: Parts<T>, most: number): Encoded[] {
  const out: Encoded[] = [];
  const seen = new Set<number>();
  let size = 0;
  for (const [all, part] of parts.all()) {
    const pcs = all.filter((pc) => !seen.has(pc));
    const bytes = pcs.length > 0 ? part.bytes() : undefined;
    if (!bytes) continue;
    size += bytes.length;
    if (size > most) break;
    out.push({ bytes, pcs });
    for (const pc of pcs) seen.add(pc);
  }
  return out;
}

export function encodeTranslations({ modules, blocks }: Translations): Uint8Array {
  const lists = [blocks ? encoded(blocks.pages, MOST_BLOCKS) : [], encoded(modules, MOST_MODULES)];
  const [pages, regions] = lists.map((list) => list.flatMap(({ pcs }, n) => pcs.map((pc) => [pc, n])).sort((a, b) => a[0] - b[0]));
  const text = new TextEncoder().encode(blocks?.options ?? '');
  const constants = blocks?.constants ?? [];
  const tables = [...pages, ...regions].flat();
  const parts = lists.flat();
  const body = 4 * (HEADER + constants.length + parts.length + tables.length) + Math.ceil(text.length / 4) * 4;
  const out = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes.length, body));
  const words = new Uint32Array(out.buffer, 0, body / 4);
  words.set([body, constants.length, lists[0].length, lists[1].length, regions.length, text.length]);
  words.set(constants, HEADER);
  let at = body;
  for (const [n, { bytes }] of parts.entries()) {
    out.set(bytes, at);
    at += bytes.length;
    words[HEADER + constants.length + n] = at;
  }
  words.set(tables, HEADER + constants.length + parts.length);
  out.set(text, 4 * (HEADER + constants.length + parts.length + tables.length));
  return out;
}

/** What is all here. */
const here = (data: Uint8Array): KeptBytes => ({
  length: data.length,
  // a Buffer's own slice is no copy
  read: (start, end) => new Uint8Array(data.subarray(start, end)),
});

/** Nothing of what is damaged; parts that are, show when they are asked for. */
export function decodeTranslations(data: Uint8Array | KeptBytes): Translations {
  const source = 'read' in data ? data : here(data);
  const start = source.length < 4 * HEADER ? undefined : source.read(0, 4 * HEADER);
  const body = start && new Uint32Array(start.buffer, start.byteOffset, HEADER)[0];
  if (body === undefined || body < 4 * HEADER || body % 4 !== 0 || body > source.length) return NO_TRANSLATIONS;
  const head = source.read(0, body);
  if (!head) return NO_TRANSLATIONS;
  const words = new Uint32Array(head.buffer, head.byteOffset, body / 4);
  const [, constants, pages, modules, entries, text] = words;
  const textWords = Math.ceil(text / 4);
  if (HEADER + constants + 3 * pages + modules + 2 * entries + textWords !== words.length) return NO_TRANSLATIONS;
  let at = HEADER;
  const take = (count: number): Uint32Array => {
    at += count;
    return words.subarray(at - count, at);
  };
  const pool = new Int32Array(take(constants));
  const [pageEnds, moduleEnds, pageTable, moduleTable] = [take(pages), take(modules), take(2 * pages), take(2 * entries)];
  const middle = pageEnds.at(-1) ?? body;
  if ((moduleEnds.at(-1) ?? middle) !== source.length) return NO_TRANSLATIONS;
  const foundPages = partsIn(source, body, pageEnds, pageTable, decodePage);
  const foundModules = partsIn(source, middle, moduleEnds, moduleTable, decodeModule);
  if (!foundPages || !foundModules) return NO_TRANSLATIONS;
  const options = new TextDecoder().decode(head.subarray(body - 4 * textWords, body - 4 * textWords + text));
  // of another build nothing can be used, and modules that wait in vain would make code wait that is hot
  if (pages > 0 && !options.startsWith(`${TRANSLATOR} `)) return NO_TRANSLATIONS;
  return { modules: foundModules, blocks: pages === 0 ? undefined : { options, constants: pool, pages: foundPages } };
}

/** Names a program in a store. Two that have the same name only push each other out: code is compared byte for byte. */
export function storeKey(elf: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = elf.length;
  // the start has the build ID, if there is one
  const step = Math.max(1, elf.length >>> 8);
  for (let i = 0; i < elf.length; i += i < 768 ? 1 : step) {
    a = Math.imul(a ^ elf[i], 0x01000193);
    b = Math.imul(b + elf[i], 0x5bd1e995) ^ (b >>> 13);
  }
  return `${(a >>> 0).toString(16).padStart(8, '0')}${(b >>> 0).toString(16).padStart(8, '0')}`;
}
