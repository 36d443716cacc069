import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, exit, makeElf } from './elf.ts';
import { CORPUS, makeFolder, wasmvisor } from './support.ts';

const { put } = makeFolder();
const TIMEOUT = 300_000;

test.each(['mips', 'mipsel', 'x86'])(
  'run --strace tells each call and its result (%s)',
  async (isa) => {
    const { code, stdout, stderr } = await wasmvisor('run', '--strace', join(CORPUS, isa, 'hello'));
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'hello 1: Hello from a guest! 68656c6c\n' });
    expect(stderr.split('\n')).toEqual([
      '100 write(1, "hello", 5) = 5',
      '100 write(1, " ", 1) = 1',
      '100 write(1, "1", 1) = 1',
      '100 write(1, ": ", 2) = 2',
      '100 write(1, "Hello from a guest! ", 20) = 20',
      '100 write(1, "68656c6c", 8) = 8',
      '100 write(1, "\\n", 1) = 1',
      '100 exit_group(0) = ?',
      '',
    ]);
  },
  TIMEOUT,
);

test(
  'run --strace shows strings, bytes, signals, errors and what cannot be read',
  async () => {
    const name = 'no "such" file\n';
    const vector = [0x400054 + 256, 0x400054 + 256, 0];
    const code = [
      // open, execve, write of the string with its zero and more, write from nowhere, rt_sigaction, pread64, kill, a number without a call
      ...call(5, vector[0], 0x8000, 0o644),
      ...call(11, vector[0], 0x400054 + 384, 0),
      ...call(4, 9, vector[0], 100),
      ...call(4, 9, 0xfffff000, 100),
      ...call(174, 9, 0, 0),
      ...call(180, -1, 0, 5),
      ...call(37, 999, 10),
      ...call(9999, 7),
      ...exit(3),
    ];
    const bytes = new Uint8Array(400);
    bytes.set(code);
    bytes.set(new TextEncoder().encode(name), 256);
    new Uint32Array(bytes.buffer).set(vector, 384 / 4);
    const { code: status, stderr } = await wasmvisor('run', '--strace', put('calls', makeElf(bytes)));
    expect(status).toBe(3);
    expect(stderr.split('\n')).toEqual([
      String.raw`100 open("no \"such\" file\n", 0x8000, 0644) = -1 ENOENT`,
      String.raw`100 execve("no \"such\" file\n", ["no \"such\" file\n", "no \"such\" file\n"], NULL) = -1 ENOENT`,
      String.raw`100 write(9, "no \"such\" file\n\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"..., 100) = -1 EBADF`,
      '100 write(9, 0xfffff000, 100) = -1 EBADF',
      '100 rt_sigaction(SIGKILL, NULL, NULL, 0) = -1 EINVAL',
      '100 pread64(-1, NULL, 5, 0) = -1 EBADF',
      '100 kill(999, SIGUSR1) = -1 ESRCH',
      'wasmvisor: system call number 9999 is not implemented',
      '100 9999(0x7, 0xa, 0x5) = -1 ENOSYS',
      '100 exit(3) = ?',
      '',
    ]);
  },
  TIMEOUT,
);
