import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { noDownloads, ROOT, unpackPackages, whyMissing } from './guests.ts';

/** The folder of SeaBIOS's images as Debian has them, kept in .guests/. */
export function seabios(): { readonly folder: string } | { readonly missing: string } {
  const work = join(ROOT, '.guests/seabios');
  const folder = join(work, 'root/usr/share/seabios');
  if (!existsSync(join(folder, 'bios.bin'))) {
    const missing = noDownloads();
    if (missing) return { missing };
    try {
      unpackPackages(work, ['seabios']);
    } catch (error) {
      return whyMissing("Debian's SeaBIOS", error);
    }
  }
  return { folder };
}
