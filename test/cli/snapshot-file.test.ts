import fs from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { writeSnapshot } from '../../src/cli/snapshot-file.ts';
import { makeFolder } from './support.ts';

const { folder, put } = makeFolder();
const failing = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

it('a snapshot takes the place of a file, with its permissions, or stays out of it', () => {
  const file = put('state', new Uint8Array([1]));
  fs.chmodSync(file, 0o600);
  const link = join(folder, 'link');
  fs.symlinkSync(file, link);
  const content = (): number => fs.readFileSync(file)[0];
  expect([writeSnapshot(link, new Uint8Array([2])), content(), fs.statSync(file).mode & 0o777]).toEqual([true, 2, 0o600]);
  expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);

  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const write = vi.spyOn(fs, 'writeFileSync').mockImplementationOnce(failing('ENOSPC'));
  expect([writeSnapshot(file, new Uint8Array([3])), content()]).toEqual([false, 2]);
  expect(told).toHaveBeenCalledWith(`wasmvisor: --save ${file}: ENOSPC\r\n`);
  vi.spyOn(fs, 'renameSync').mockImplementationOnce(failing('EBUSY'));
  expect([writeSnapshot(file, new Uint8Array([4])), content()]).toEqual([true, 4]);
  expect(fs.readdirSync(folder).sort()).toEqual(['link', 'state']);
  write.mockRestore();
  told.mockRestore();
});
