import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Arch, guestRoot, once, ROOT, unpackPackages, whyMissing } from './guests.ts';

/** Debian's kernel packages that machines boot. */
const FLAVOURS: Readonly<Record<string, Arch>> = { '4kc-malta': 'mipsel', '686': 'i386', '686-pae': 'i386' };

/** A kernel image of Debian 12 and the folder of its modules, or why there is none. Downloaded once and kept in .guests/. */
export function debianKernel(
  flavour: keyof typeof FLAVOURS,
): { readonly kernel: Uint8Array; readonly modules: string } | { readonly missing: string } {
  const arch = FLAVOURS[flavour];
  const folder = join(ROOT, '.guests/kernels');
  const path = join(folder, `vmlinuz-${flavour}`);
  const modules = join(folder, `modules-${flavour}`);
  if (!existsSync(path) || !existsSync(modules)) {
    // it makes the architecture known to apt
    const guest = guestRoot(arch);
    if ('missing' in guest) return guest;
    const work = join(folder, `work-${flavour}`);
    try {
      once(path, `${path}.lock`, () => {
        const depends = execFileSync('apt-cache', ['depends', `linux-image-${flavour}:${arch}`], { encoding: 'utf8' });
        const name = new RegExp(`linux-image-[0-9.]+-[0-9]+-${flavour}\\b`).exec(depends)?.[0];
        if (!name) throw new Error(`linux-image-${flavour} depends on no kernel`);
        const root = unpackPackages(work, [`${name}:${arch}`]);
        const image = readdirSync(join(root, 'boot')).find((file) => file.startsWith('vmlinuz'));
        if (!image) throw new Error(`${name} has no kernel image`);
        rmSync(modules, { recursive: true, force: true });
        renameSync(join(root, 'lib/modules'), modules);
        renameSync(join(root, 'boot', image), path);
        rmSync(work, { recursive: true, force: true });
      });
    } catch (error) {
      return whyMissing(`Debian's kernel ${flavour}`, error);
    }
  }
  return { kernel: new Uint8Array(readFileSync(path)), modules };
}
