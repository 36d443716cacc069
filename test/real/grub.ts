import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { noDownloads, once, ROOT, unpackPackages, whyMissing } from './guests.ts';

export interface Grub {
  /** Has boot.img and the modules. */
  readonly folder: string;
  /** grub-mkimage for BIOSes, with these arguments. */
  mkimage(args: readonly string[]): void;
}

/** GRUB as Debian has it, kept in .guests/. */
export function grub(): Grub | { readonly missing: string } {
  const work = join(ROOT, '.guests/grub');
  const root = join(work, 'root');
  const folder = join(root, 'usr/lib/grub/i386-pc');
  const mkimage = (args: readonly string[]): void => {
    const libraries = [join(root, 'lib'), join(root, 'usr/lib')].filter((lib) => existsSync(lib));
    const paths = libraries.flatMap((lib) =>
      readdirSync(lib)
        .filter((name) => name.includes('-linux-'))
        .map((name) => join(lib, name)),
    );
    execFileSync(join(root, 'usr/bin/grub-mkimage'), ['-O', 'i386-pc', '-d', folder, ...args], {
      env: { ...process.env, LD_LIBRARY_PATH: paths.join(':') },
    });
  };
  try {
    if (!existsSync(folder)) {
      const missing = noDownloads();
      if (missing) return { missing };
      once(folder, `${work}.lock`, () => {
        unpackPackages(`${work}.new`, ['grub-pc-bin', 'grub-common', 'libdevmapper1.02.1']);
        rmSync(work, { recursive: true, force: true });
        renameSync(`${work}.new`, work);
      });
    }
    mkimage(['--version']);
  } catch (error) {
    return whyMissing("Debian's GRUB", error);
  }
  return { folder, mkimage };
}
