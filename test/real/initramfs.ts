import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, makeCpio } from '../support/cpio.ts';

/** The initial RAM disk of a guest: busybox under these names, what else is given, and a script that starts as /init. */
export function initramfs(root: string, applets: readonly string[], init: string, more: readonly CpioEntry[] = []): Uint8Array {
  const given = more.flatMap(({ name }) => parents(name));
  const folders = new Set(['bin', 'dev', 'proc', 'sys', ...given]);
  return makeCpio([
    ...[...folders].map((name) => ({ name, mode: 0o40755 })),
    { name: 'dev/console', mode: 0o20600, device: [5, 1] },
    executable('bin/busybox', join(root, 'bin/busybox')),
    ...applets.map((name) => ({ name: `bin/${name}`, mode: 0o120777, content: 'busybox' })),
    ...more,
    { name: 'init', mode: 0o100755, content: init },
  ]);
}

/** A host file as an executable of the guest's. */
export const executable = (name: string, path: string): CpioEntry => ({
  name,
  mode: 0o100755,
  content: new Uint8Array(readFileSync(path)),
});

function parents(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
