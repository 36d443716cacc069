import fs from 'node:fs';
import { dirname } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { type NatRule, parseNatRule } from '../devices/net/rules.ts';
import { CliError, ExitCode } from './errors.ts';

/** Of an option that may be given several times. */
export const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];

/** A number of bytes with k, m or g, up to `most`, which `bound` says. */
export function bytes(text: string, most = Number.POSITIVE_INFINITY, bound = ''): number {
  const match = /^(\d+)([kmg]?)$/i.exec(text);
  const size = match ? Number(match[1]) * { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 }[match[2].toLowerCase() as '' | 'k' | 'm' | 'g'] : 0;
  if (size < 1 || size > most) throw new InvalidArgumentError(`A number of bytes${bound}, with k, m or g.`);
  return size;
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 1e9) throw new InvalidArgumentError('A positive number of seconds.');
  return value;
}

/** A folder that may not be there yet. */
export function folderToBe(folder: string): string {
  try {
    if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) throw new Error('it is no folder');
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be used: ${(error as Error).message}.`);
  }
  return folder;
}

/** A file to be written at the end: that it cannot be is told at the start. */
export function writableFile(file: string): string {
  const place = fs.existsSync(file) ? file : dirname(file);
  try {
    fs.accessSync(place, fs.constants.W_OK);
    if (place === file && fs.statSync(file).isDirectory()) throw new Error('it is a folder');
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be written: ${(error as Error).message}.`);
  }
  return file;
}

export type X87Choice = '64' | '80';
export const x87Option = (): Option =>
  new Option('--x87 <bits>', '64: x87 in double precision, fast but inexact').choices(['64', '80']).default('80');
export const x87Bits = ({ x87 }: { readonly x87: X87Choice }): 64 | 80 => (x87 === '64' ? 64 : 80);

/** What `make` makes of an option's value. That the value is to blame (a host's error, RangeError) becomes one line, which begins with `said`. */
export function madeOf<T>(said: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof Error && 'syscall' in error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(`${said} ${code === 'ENOENT' ? 'no such file or folder' : message}`, ExitCode.Usage);
  }
}

/** What --allow says. */
export const allowed = (texts: readonly string[]): NatRule[] => texts.map((text) => madeOf('--allow', () => parseNatRule(text)));
