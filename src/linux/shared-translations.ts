import type { KeptBytes } from '../cache/parts.ts';
import { decodeTranslations, encodeTranslations, type TranslationStore, type Translations } from '../cache/persistence.ts';

/** Translations by program, for all processes of a run and, with a store, for later runs. */
export class SharedTranslations {
  private readonly programs = new Map<string, Translations | undefined>();
  private readonly changed = new Set<string>();
  private readonly sources: KeptBytes[] = [];

  constructor(private readonly store: TranslationStore | undefined) {}

  known(key: string): Translations | undefined {
    return this.programs.get(key);
  }

  async load(key: string): Promise<Translations | undefined> {
    if (this.programs.has(key)) return this.programs.get(key);
    const bytes = await this.store?.load(key).catch(() => undefined);
    if (bytes && 'read' in bytes) this.sources.push(bytes);
    const found = bytes && decodeTranslations(bytes);
    // another process may have been faster
    if (!this.programs.has(key)) this.programs.set(key, found);
    return this.programs.get(key);
  }

  keep(key: string, translations: Translations): void {
    this.programs.set(key, translations);
    this.changed.add(key);
  }

  /** For later runs. */
  async save(): Promise<void> {
    for (const key of this.changed) await this.store?.save(key, encodeTranslations(this.programs.get(key)!)).catch(() => undefined);
  }
  /** None of them will be asked for any more. */
  close(): void {
    for (const source of this.sources) source.close?.();
  }
}
