import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALPHABET, kernel, out } from '../vmm/kernel.ts';
import { CLI, makeFolder, start, wasmvisor } from './support.ts';

const { folder, put } = makeFolder();
const TIMEOUT = 300_000;
const boot = (image: string, ...options: string[]) => wasmvisor('boot', '--memory', '8M', '--kernel', image, ...options);

describe('boot', () => {
  test(
    'the first serial port is standard output; the exit code is the guest’s',
    async () => {
      const image = put('hi', kernel(...out(0x3f8, 0x48), ...out(0x3f8, 0x69), ...out(0xf4, 3), 0xf4));
      expect(await boot(image)).toEqual({ code: 7, stdout: 'Hi', stderr: '' });
    },
    TIMEOUT,
  );

  test(
    'a reset, a triple fault and a timeout are told',
    async () => {
      expect(await boot(put('reset', kernel(...out(0x64, 0xfe), 0xeb, 0xfe)))).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/reset/),
      });
      expect(await boot(put('fault', kernel(0x0f, 0x01, 0x1d, 0, 0, 0x10, 0, 0xcc)))).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/triple fault/),
      });
      expect(await boot(put('halt', kernel(0xf4)), '--timeout', '0.3', '--stats')).toMatchObject({
        code: 124,
        stderr: expect.stringMatching(/0\.3 seconds[\s\S]*\nsensitive +HLT 1\n/),
      });
    },
    TIMEOUT,
  );

  test(
    'a signal that ends it is told by the exit code',
    async () => {
      const { child, done, says } = start('boot', '--memory', '8M', '--kernel', put('speaks', ALPHABET));
      await says('stdout');
      child.kill('SIGTERM');
      expect(await done).toMatchObject({ code: 128 + 15, stderr: '' });
    },
    TIMEOUT,
  );

  test(
    'it ends though nobody reads what the guest says',
    async () => {
      // mov dx, 0x3f8; mov al, 'x'; here: out dx, al; jmp here
      const image = put('floods', kernel(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, 0xeb, 0xfd));
      const args = [CLI, 'boot', '--memory', '8M', '--kernel', image, '--timeout', '1'];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      expect(await once(child, 'exit')).toEqual([124, null]);
    },
    TIMEOUT,
  );

  test.each([
    [['--kernel', '/nowhere'], 2, /--kernel \/nowhere: no such file/],
    [['--kernel', '/dev/zero'], 2, /--kernel \/dev\/zero: a device, not a file/],
    [[], 2, /nothing to boot: give --kernel/],
    [['--kernel', import.meta.filename], 126, /neither a bzImage nor a multiboot kernel/],
    [['--machine', 'vax'], 2, /vax/],
    [['--memory', 'much'], 2, /number of bytes/],
    [['--kernel', put('k', ALPHABET), '--memory', '1M'], 126, /4 to \d+ MiB/],
    [['--kernel', put('k2', ALPHABET), '--drive', '/nowhere.img'], 2, /--drive \/nowhere.img: no such file/],
    [['--kernel', put('k3', ALPHABET), '--drive', put('odd', new Uint8Array(100))], 2, /not a multiple of 512/],
    [['--kernel', put('k4', ALPHABET), '--share', '/nowhere'], 2, /--share \/nowhere/],
    [['--kernel', put('k5', ALPHABET), '--share', `${import.meta.filename}:ro`], 2, /--share .*boot\.test\.ts: not a folder/],
    [['--kernel', put('k6', ALPHABET), '--firmware', put('f', new Uint8Array(65536))], 2, /--kernel and --firmware exclude each other/],
    [['--restore', put('bad', new Uint8Array(100))], 126, /not a snapshot/],
  ] as const)(
    'clear errors: %j',
    async (args, code, message) =>
      expect(await wasmvisor('boot', ...args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) }),
    TIMEOUT,
  );

  test(
    'saved on SIGUSR2, and restored by another process',
    async () => {
      const file = join(folder, 'state');
      const { child, done, says } = start('boot', '--memory', '8M', '--kernel', put('alphabet', ALPHABET), '--save', file);
      await says('stdout');
      // what cannot be saved goes on
      mkdirSync(file);
      const refused = says('stderr');
      child.kill('SIGUSR2');
      expect(await refused).toMatch(/--save .*state: EISDIR/);
      rmdirSync(file);
      await says('stdout');
      child.kill('SIGUSR2');
      const first = await done;
      expect(existsSync(file)).toBe(true);
      const other = start('boot', '--restore', file);
      await other.says('stdout');
      other.child.kill('SIGTERM');
      const second = await other.done;
      expect(second.code, second.stderr).toBe(128 + 15);
      const next = first.stdout.charCodeAt(first.stdout.length - 1) + 1;
      expect(second.stdout.charCodeAt(0)).toBe(next > 0x5a ? 0x41 : next);
      const bytes = readFileSync(file);
      bytes[100] ^= 1;
      writeFileSync(file, bytes);
      expect(await wasmvisor('boot', '--memory', '8M', '--restore', file)).toMatchObject({
        code: 126,
        stderr: expect.stringMatching(/damaged/),
      });
    },
    TIMEOUT,
  );
});
