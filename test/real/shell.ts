import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CpioEntry } from '../support/cpio.ts';
import { type Console, openConsole } from './console.ts';
import { ROOT } from './guests.ts';
import { initramfs } from './initramfs.ts';

const CLI = join(ROOT, 'dist/cli.cjs');
export const PROMPT = 'ready> ';

/** Modules of a kernel's, which lie in `folder`, as files in /m of a RAM disk. */
export function modulesOf(folder: string, names: readonly string[]): CpioEntry[] {
  const files = execFileSync('find', [folder, '-name', '*.ko'], { encoding: 'utf8' }).trim().split('\n');
  return files
    .filter((file) => names.includes(basename(file, '.ko')))
    .map((file) => ({ name: `m/${basename(file)}`, mode: 0o100644, content: new Uint8Array(readFileSync(file)) }));
}

/** The beginning of an /init: file systems, and modules, in an order in which they load. */
export const initOf = (modules: readonly string[]): string => `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in ${modules.join(' ')}; do insmod /m/$m.ko || echo $m does not load; done
`;

/** A RAM disk that ends in a shell, which has these applets besides those that it needs. */
export const shellDisk = (
  root: string,
  kernelModules: string,
  modules: readonly string[],
  applets: readonly string[],
  more: readonly CpioEntry[] = [],
): Uint8Array =>
  initramfs(root, ['sh', 'mount', 'insmod', 'echo', 'poweroff', ...applets], `${initOf(modules)}PS1="${PROMPT}" exec sh\n`, [
    ...modulesOf(kernelModules, modules),
    { name: 'm/.modules', mode: 0o100644 },
    ...more,
  ]);

export interface Shell {
  readonly console: Console;
  /** Types a command; gives what it prints. */
  type(command: string): Promise<string>;
}

/** `wasmvisor boot` with these arguments, whose guest shows PROMPT. */
export function startShell(args: readonly string[], limit: number): Shell {
  const console = openConsole({ command: process.execPath, args: ['--stack-size=3900', CLI, 'boot', ...args] }, limit);
  return {
    console,
    async type(command) {
      console.send(`${command}\n`);
      return (await console.until(PROMPT)).text.slice(command.length + 1);
    },
  };
}
