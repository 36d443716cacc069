import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { noDownloads, once, ROOT, unpackPackages, whyMissing } from './guests.ts';

/** The folder of SeaBIOS's images as Debian has them, kept in .guests/. */
export function seabios(): { readonly folder: string } | { readonly missing: string } {
  const work = join(ROOT, '.guests/seabios');
  const folder = join(work, 'root/usr/share/seabios');
  const image = join(folder, 'bios.bin');
  if (!existsSync(image)) {
    const missing = noDownloads();
    if (missing) return { missing };
    try {
      once(image, `${work}.lock`, () => {
        unpackPackages(`${work}.new`, ['seabios']);
        rmSync(work, { recursive: true, force: true });
        renameSync(`${work}.new`, work);
      });
    } catch (error) {
      return whyMissing("Debian's SeaBIOS", error);
    }
  }
  return { folder };
}
