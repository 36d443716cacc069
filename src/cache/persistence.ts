import { decodeBlocks, encodeBlocks, type SavedBlocks } from './saved-blocks.ts';
import { decodeModules, encodeModules, type SavedModule } from './saved-modules.ts';

/** Where translations are kept from run to run: a folder, IndexedDB, a Map. What it gives is checked; it may be anything. */
export interface TranslationStore {
  load(key: string): Promise<Uint8Array | undefined>;
  save(key: string, data: Uint8Array): Promise<void>;
}

declare const BUILD_DIGEST: string | undefined;
/** Tells builds of the translator apart: what one made is nothing to another. */
export const TRANSLATOR = typeof BUILD_DIGEST === 'string' ? BUILD_DIGEST : 'source';

/** What one run of a program leaves to the next. */
export interface Translations {
  readonly modules: readonly SavedModule[];
  readonly blocks: SavedBlocks | undefined;
}

export function encodeTranslations({ modules, blocks }: Translations): Uint8Array {
  const parts = [blocks ? encodeBlocks(blocks) : new Uint8Array(0), encodeModules(modules)];
  const out = new Uint8Array(4 + parts[0].length + parts[1].length);
  new DataView(out.buffer).setUint32(0, parts[0].length, true);
  out.set(parts[0], 4);
  out.set(parts[1], 4 + parts[0].length);
  return out;
}

/** Nothing of what is damaged. */
export function decodeTranslations(data: Uint8Array): Translations {
  if (data.length < 4) return { modules: [], blocks: undefined };
  const end = 4 + new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  return { modules: decodeModules(data.subarray(end)), blocks: decodeBlocks(data.subarray(4, end)) };
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
