import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { call, exit, FOREVER, IGNORE_SIGINT, ILLEGAL, makeElf, NULL_STORE, RECURSE, SPEAK } from './elf.ts';
import { attend, CLI, CORPUS, makeFolder, PATIENCE_MS, start, wasmvisor } from './support.ts';

const { folder, put } = makeFolder();
const TIMEOUT = 300_000;
const EXECUTORS = ['--interpret', '--translate', '--strict'];
const program = (name: string, code: readonly number[]): string => put(name, makeElf(code));

/** write(1, text, …) and exit(0): the text lies behind 34 bytes of code. */
const writer = (text: string): Uint8Array => {
  const code = [...call(4, 1, 0x400000 + 84 + 34, text.length), ...exit(0)];
  return makeElf([...code, ...new TextEncoder().encode(text)]);
};

describe.each(EXECUTORS)('run %s', (executor) => {
  test.each(['mips', 'mipsel', 'x86'])(
    'prints what the guest prints (%s)',
    async (isa) => {
      expect(await wasmvisor('run', executor, join(CORPUS, isa, 'sha256'), '2')).toEqual({
        code: 0,
        stdout: 'sha256 2: d5da5817aefaedf1f4311e4347d01db7a24eef0b2967c369d3940606315bbf71 d5da5817\n',
        stderr: '',
      });
    },
    TIMEOUT,
  );

  test(
    'exits as the guest does',
    async () => expect(await wasmvisor('run', executor, program('seven', exit(7)))).toMatchObject({ code: 7, stderr: '' }),
    TIMEOUT,
  );

  test.each([
    ['an illegal instruction', ILLEGAL, 132, /SIGILL[\s\S]*ud2/i],
    ['a null pointer', NULL_STORE, 139, /SIGSEGV/],
    ['a wild jump', [0xe9, 0, 0, 0, 0x20], 139, /SIGSEGV/],
    ['endless recursion', RECURSE, 139, /SIGSEGV/],
    ['a division by zero', [0x31, 0xc9, 0xf7, 0xf1], 136, /SIGFPE[\s\S]*div/],
  ] as const)(
    '%s ends it as Linux would, with the place',
    async (name, code, status, message) => {
      const done = await wasmvisor('run', executor, program(name.replaceAll(' ', '-'), [...code]));
      expect(done).toMatchObject({ code: status, stdout: '' });
      expect(done.stderr).toMatch(message);
      expect(done.stderr).toMatch(/0x[0-9a-f]{8}/);
    },
    TIMEOUT,
  );

  test(
    '--timeout ends an endless loop with 124',
    async () => {
      const done = await wasmvisor('run', executor, '--timeout', '0.5', program('forever', FOREVER));
      expect(done).toEqual({ code: 124, stdout: '', stderr: 'wasmvisor: stopped after 0.5 seconds\n' });
    },
    TIMEOUT,
  );

  test(
    'SIGINT ends an endless loop with 130',
    async () => {
      const { child, done, says } = start('run', executor, program('speaks-forever', [...SPEAK, ...FOREVER]));
      await says('stdout');
      child.kill('SIGINT');
      expect(await done).toMatchObject({ code: 130 });
    },
    TIMEOUT,
  );
});

describe('run', () => {
  test(
    'a second SIGINT ends a guest that ignores the first',
    async () => {
      const { child, done, says } = start('run', program('stubborn', [...IGNORE_SIGINT, ...SPEAK, ...FOREVER]));
      await says('stdout');
      child.kill('SIGINT');
      await new Promise((wait) => setTimeout(wait, 200));
      expect(child.exitCode).toBeNull();
      // two that come before it looks are one
      const again = setInterval(() => child.kill('SIGINT'), 200);
      const { code } = await done;
      clearInterval(again);
      expect(code).toBe(130);
    },
    TIMEOUT,
  );

  test(
    'a stack counts as memory as far as it is used',
    async () => {
      const done = await wasmvisor('run', '--memory', '2m', program('deep', RECURSE));
      expect(done).toMatchObject({ code: 139, stdout: '' });
      expect(done.stderr).toMatch(/the stack grew to 0x[0-9a-f]{8}, beyond the memory limit/);
    },
    TIMEOUT,
  );

  test(
    'options after the program belong to it, before or after --',
    async () => {
      const hello = join(CORPUS, 'x86/hello');
      for (const args of [
        ['run', hello, '2', '--stats', '--help'],
        ['run', '--', hello, '2', '--stats'],
        ['run', '--interpret', '--', hello, '2'],
      ]) {
        expect(await wasmvisor(...args)).toEqual({
          code: 0,
          stdout: 'hello 2: Hello from a guest! Hello from a guest! 68656c6c\n',
          stderr: '',
        });
      }
    },
    TIMEOUT,
  );

  test(
    '--root makes the path one in the guest',
    async () => {
      mkdirSync(join(folder, 'root/bin'), { recursive: true });
      put('root/bin/say', writer('said\n'));
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '/bin/say')).toEqual({ code: 0, stdout: 'said\n', stderr: '' });
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '--cwd', '/bin', 'say')).toEqual({
        code: 0,
        stdout: 'said\n',
        stderr: '',
      });
      put('root/bin/script', '#! /bin/say what\n');
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '/bin/script', 'x')).toEqual({ code: 0, stdout: 'said\n', stderr: '' });
      put('root/bin/orphan', '#!/bin/gone\n');
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '/bin/orphan')).toEqual({
        code: 127,
        stdout: '',
        stderr: 'wasmvisor: /bin/gone: no such file in the guest\n',
      });
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '/bin/absent')).toEqual({
        code: 127,
        stdout: '',
        stderr: 'wasmvisor: /bin/absent: no such file in the guest\n',
      });
      expect(await wasmvisor('run', '--root', join(folder, 'root'), '/bin')).toMatchObject({
        code: 126,
        stderr: 'wasmvisor: /bin: is a directory\n',
      });
    },
    TIMEOUT,
  );

  test(
    'without --root a program finds itself',
    async () => {
      // open("/proc/self/exe") is 3, with which it exits: mov ebx,eax; mov eax,1; int 0x80
      const open = call(5, 0, 0, 0);
      const end = [0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80];
      const at = 0x400000 + 84 + open.length + end.length;
      const code = [...call(5, at, 0, 0), ...end, ...new TextEncoder().encode('/proc/self/exe\0')];
      expect(await wasmvisor('run', program('self', code))).toMatchObject({ code: 3 });
    },
    TIMEOUT,
  );

  test(
    '--mount shows a folder',
    async () => {
      mkdirSync(join(folder, 'mounted'), { recursive: true });
      mkdirSync(join(folder, 'empty'), { recursive: true });
      put('mounted/say', writer('mounted\n'));
      const args = ['run', '--root', join(folder, 'empty'), '--mount', `${join(folder, 'mounted')}:/m:ro`, '/m/say'];
      expect(await wasmvisor(...args)).toEqual({ code: 0, stdout: 'mounted\n', stderr: '' });
    },
    TIMEOUT,
  );

  test(
    '--stats tells on stderr what the engine did',
    async () => {
      const done = await wasmvisor('run', '--translate', '--stats', join(CORPUS, 'mipsel/fib'), '15');
      expect(done).toMatchObject({ code: 0, stdout: 'fib 15: 00000262\n' });
      for (const word of ['guest instructions', 'regions', 'compilation', 'exits', 'syscall', 'exit_group 1'])
        expect(done.stderr).toContain(word);
    },
    TIMEOUT,
  );

  test.each([
    [['run'], 2, /missing required argument/],
    [['run', '--interpret', '--translate', 'x'], 2, /exclude each other/],
    [['run', '--timeout', 'soon', 'x'], 2, /timeout/],
    [['run', '--memory', '12q', 'x'], 2, /memory/],
    [['run', '--nonsense', 'x'], 2, /unknown option '--nonsense'/],
    [['run', '--root', '/absent-folder', 'x'], 2, /--root \/absent-folder: no such file or folder/],
    [['run', '--root', join(CORPUS, 'README.md'), 'x'], 2, /--root .*: not a folder/],
    [['run', '--mount', 'x', 'y'], 2, /--mount x: not of the form/],
    [['run', '--cwd', 'rel', 'y'], 2, /not an absolute path/],
    [['run', '--env', '', join(CORPUS, 'mipsel/fib')], 2, /--env '': a variable has a name/],
    [['run', '--env', '=x', join(CORPUS, 'mipsel/fib')], 2, /--env '=x'/],
    [['nonsense'], 2, /unknown command 'nonsense'/],
    [['run', '/absent-program'], 127, /\/absent-program: no such file/],
    [['run', '--cache-dir', '/etc/passwd', 'x'], 2, /--cache-dir .*it is no folder/],
    [['run', '--cache-dir', '/etc/passwd/x', 'x'], 2, /--cache-dir .*ENOTDIR/],
    [['run', '/'], 126, /is a directory/],
    [['run', join(CORPUS, 'README.md')], 126, /not an ELF file/],
    [['run', process.execPath], 126, /not for MIPS or x86|not 32-bit/],
  ] as const)(
    '%j exits with %i in one line',
    async (args, code, message) => {
      const done = await wasmvisor(...args);
      expect(done).toMatchObject({ code, stdout: '' });
      expect(done.stderr).toMatch(message);
      expect(done.stderr).toMatch(/^wasmvisor: [^\n]+\n$/);
    },
    TIMEOUT,
  );

  test(
    'truncated programs are refused in one line',
    async () => {
      const whole = makeElf(exit(0));
      for (const length of [0, 4, 30, 52, 83, whole.length - 1]) {
        const done = await wasmvisor('run', put(`cut-${length}`, whole.subarray(0, length)));
        expect(done).toMatchObject({ code: 126, stdout: '' });
        expect(done.stderr).toMatch(/^wasmvisor: [^\n]+\n$/);
      }
    },
    TIMEOUT,
  );
});

test(
  'saved on SIGUSR2 while it reads, and restored by another process',
  async () => {
    const text = 0x400000 + 84 + 78;
    const code = [...call(4, 1, text, 4), ...call(3, 0, text, 1), ...call(4, 1, text + 4, 4), ...exit(7)];
    const elf = put('reader', makeElf([...code, ...new TextEncoder().encode('one\ntwo\n')]));
    const file = join(folder, 'state');
    const child = spawn(process.execPath, [CLI, 'run', '--save', file, elf], { stdio: 'pipe' });
    const late = attend(child);
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr: stderr + late() })));
    await Promise.race([ended, new Promise((resolve) => child.stdout.once('data', resolve))]);
    child.kill('SIGUSR2');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    expect(await wasmvisor('run', '--restore', file, elf)).toEqual({ code: 7, stdout: 'two\n', stderr: '' });
    expect(readdirSync(folder).filter((name) => name.startsWith('state'))).toEqual(['state']);

    const refused = async (message: RegExp, code: number, ...args: string[]): Promise<void> =>
      expect(await wasmvisor('run', '--restore', file, ...args)).toMatchObject({
        code,
        stdout: '',
        stderr: expect.stringMatching(message),
      });
    await refused(/of another program/, 126, program('other', exit(0)));
    await refused(/has its arguments already/, 2, elf, 'more');
    const bytes = readFileSync(file);
    bytes[100] ^= 1;
    writeFileSync(file, bytes);
    await refused(/the snapshot is damaged/, 126, elf);
  },
  TIMEOUT,
);

test.skipIf(process.platform !== 'linux')(
  'names and arguments that are not UTF-8 are what they are',
  () => {
    // write(1, argv[1], 2)
    const write = [0x8b, 0x4c, 0x24, 8, 0xba, 2, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xb8, 4, 0, 0, 0, 0xcd, 0x80];
    const elf = program('argument', [...write, ...exit(0)]);
    const name = `${folder}/$'n\\xff'`;
    const command = `cp ${elf} ${name} && '${process.execPath}' '${CLI}' run ${name} $'\\xfea'`;
    expect(spawnSync('bash', ['-c', command], { encoding: 'latin1', timeout: PATIENCE_MS, killSignal: 'SIGKILL' })).toMatchObject({
      stdout: '\xfea',
      stderr: '',
      status: 0,
    });
  },
  TIMEOUT,
);
