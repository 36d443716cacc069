import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(new URL('.', import.meta.url)), '../..');
/** What tests download; git ignores it. */
export const GUESTS = join(ROOT, '.guests');
