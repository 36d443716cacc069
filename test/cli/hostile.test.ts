import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, constants, openSync, readFileSync, readSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exit, makeElf } from './elf.ts';
import { attend, CLI, makeFolder, PATIENCE_MS, wasmvisor } from './support.ts';

const { folder, put } = makeFolder();
const TIMEOUT = 300_000;
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const PROGRAMS = {
  // mov ecx, 4096; mov esi, 0x400000; rep lodsb; jmp
  rep: [0xb9, 0, 16, 0, 0, 0xbe, 0, 0, 0x40, 0, 0xf3, 0xac, 0xeb, 0xf2],
  // mov eax, 64 (getppid); int 0x80; jmp
  calls: [0xb8, 64, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7],
  // 3000 times inc eax; jmp
  region: [...new Array<number>(3000).fill(0x40), 0xe9, 0x43, 0xf4, 0xff, 0xff],
  // mov eax, 4 (write); mov ebx, 1; mov ecx, 0x400000; mov edx, 4096; int 0x80; jmp
  writes: [0xb8, 4, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xb9, 0, 0, 0x40, 0, 0xba, 0, 16, 0, 0, 0xcd, 0x80, 0xeb, 0xe8],
};
const program = (name: keyof typeof PROGRAMS): string => put(name, makeElf(PROGRAMS[name]));

/** Starts it, with this descriptor for its output; `end` gives the exit code. */
function begin(stdout: number | 'ignore' | 'pipe', ...args: string[]) {
  const child = spawn(process.execPath, [CLI, 'run', ...args], { stdio: ['ignore', stdout, 'pipe'] });
  const late = attend(child);
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return {
    child,
    end: new Promise<{ code: number | null; stderr: string }>((done) =>
      child.on('close', (code) => done({ code, stderr: stderr + late() })),
    ),
  };
}

/** Seconds of a processor that a process has used (proc(5), stat: utime and stime in hundredths); undefined once it has ended. */
function usedBy(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return fields[0] === 'Z' ? undefined : (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** Reads a byte from a FIFO that the child writes to; throws what the child said, if it has ended. */
async function firstByte(path: string, child: ChildProcess, end: Promise<unknown>): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (; ; await wait(20)) {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      try {
        if (readSync(fd, new Uint8Array(1)) === 1) return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
      if (isOver) throw new Error(`it wrote nothing: ${JSON.stringify(await end)}`);
    }
  } finally {
    closeSync(fd);
  }
}

/** Until the process has used so many seconds, or has ended; gives what it had used last. */
async function whileUsing(pid: number, seconds: number): Promise<number> {
  for (let last = 0; ; await wait(50)) {
    const now = usedBy(pid);
    if (now === undefined || now >= seconds) return now ?? last;
    last = now;
  }
}

describe.each(['--interpret', '--translate', '--strict'])('SIGINT ends, %s', (executor) => {
  test.each(['rep', 'calls', 'region'] as const)('an endless loop of %s', { timeout: TIMEOUT }, async (name) => {
    const { child, end } = begin('ignore', executor, program(name));
    // Node itself takes a fraction of it to start
    const before = await whileUsing(child.pid!, 1.5);
    child.kill('SIGINT');
    const after = await whileUsing(child.pid!, before + 5);
    if (after >= before + 5) child.kill('SIGKILL');
    expect(await end).toEqual({ code: 130, stderr: '' });
  });
});

describe('output that nobody reads', () => {
  const fifo = join(folder, 'output');
  spawnSync('mkfifo', [fifo]);

  test.each([
    ['a pipe', 'SIGINT', 130, []],
    ['a pipe', '--timeout', 124, ['--timeout', '2.5']],
    // Node gives its children sockets
    ['a socket', 'SIGINT', 130, []],
    ['a socket', '--timeout', 124, ['--timeout', '2.5']],
  ] as const)('through %s does not keep it from ending on %s, nor fill memory', { timeout: TIMEOUT }, async (to, how, code, options) => {
    const pipe = to === 'a pipe' ? openSync(fifo, constants.O_RDWR) : 'pipe';
    try {
      const { child, end } = begin(pipe, ...options, program('writes'));
      child.on('exit', () => child.stdout?.resume());
      if (pipe === 'pipe') await once(child.stdout!, 'readable');
      if (how === 'SIGINT') {
        // until it has begun
        if (pipe !== 'pipe') await firstByte(fifo, child, end);
        await wait(2000);
        const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'));
        expect(Number(resident![1])).toBeLessThan(250_000);
        child.kill('SIGINT');
      }
      const start = performance.now();
      const ended = await end;
      expect(ended.code, ended.stderr).toBe(code);
      expect(performance.now() - start).toBeLessThan(60_000);
    } finally {
      if (pipe !== 'pipe') closeSync(pipe);
    }
  });

  test('ends it with SIGPIPE when the reader goes, without a word', { timeout: TIMEOUT }, () => {
    const command = `"${process.execPath}" "${CLI}" run "${program('writes')}" | head -c 10 >/dev/null; exit \${PIPESTATUS[0]}`;
    const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8', timeout: PATIENCE_MS, killSignal: 'SIGKILL' });
    expect({ status, stderr }).toEqual({ status: 141, stderr: '' });
  });
});

describe.each(['run', 'disasm', 'inspect'])('%s', (command) => {
  const huge = put('huge', '');
  truncateSync(huge, 3 * 2 ** 30);
  const hugeElf = put('huge-elf', makeElf(exit(0)));
  truncateSync(hugeElf, 3 * 2 ** 30);
  const fifo = join(folder, 'fifo');
  spawnSync('mkfifo', [fifo]);
  const closed = put('closed', makeElf(exit(0)));
  chmodSync(closed, 0);

  test.each<[string, string, number, RegExp]>([
    ['a device', '/dev/zero', 126, /not a regular file/],
    ['a pipe', fifo, 126, /not a regular file/],
    ['a folder', folder, 126, /is a directory/],
    ['an empty file', put('empty', ''), 126, /it is empty/],
    ['a huge file', huge, 126, /not an ELF file/],
    ['a huge ELF file', hugeElf, 126, /3221225472 bytes, more than 1073741824/],
    ['a script', put('script', '#!/bin/sh\n'), 126, /a script/],
    ['the memory of a process', '/proc/self/mem', 126, /./],
    ['a file that is not there', join(folder, 'absent'), 127, /no such file/],
    ...(process.getuid?.() === 0
      ? []
      : [['a file without permission', closed, 126, /permission denied/] as [string, string, number, RegExp]]),
  ])('refuses %s in one line', { timeout: TIMEOUT }, async (_, path, code, message) => {
    const done = await wasmvisor(command, path, ...(command === 'inspect' ? ['0x400054'] : []));
    expect(done).toMatchObject({ code, stdout: '' });
    expect(done.stderr).toMatch(message);
    expect(done.stderr).toMatch(/^wasmvisor: [^\n]+\n$/);
  });
});
