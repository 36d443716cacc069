import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { FileStatus } from '../../../src/linux/abi.ts';
import type { FileAbi, FileSystemStatus } from '../../../src/linux/calls/file-abi.ts';
import { makeGuest } from './guest.ts';

/** Whose headers say what is right, and what runs the program that prints them. */
const TARGETS = [
  { abi: 'i386', compiler: 'i686-linux-gnu-gcc', run: [] },
  { abi: 'mips', compiler: 'mips-linux-gnu-gcc', run: ['qemu-mips'] },
  { abi: 'mipsel', compiler: 'mipsel-linux-gnu-gcc', run: ['qemu-mipsel'] },
] as const;

const TIME = ['st_atime', 'st_atime_nsec', 'st_mtime', 'st_mtime_nsec', 'st_ctime', 'st_ctime_nsec'];
const STAT = ['st_dev', 'st_ino', 'st_mode', 'st_nlink', 'st_uid', 'st_gid', 'st_rdev', 'st_size', 'st_blksize', 'st_blocks', ...TIME];
const STATFS = ['f_type', 'f_bsize', 'f_frsize', 'f_blocks', 'f_bfree', 'f_bavail', 'f_files', 'f_ffree', 'f_namelen', 'f_flags'];
const STRUCTS: Record<string, readonly string[]> = { stat: STAT, stat64: STAT, statfs: STATFS, statfs64: STATFS };

const probe = makeGuest().p.abi;
const OPEN = Object.keys(probe.open);
const IOCTL = [...probe.ioctl.values()];
const FCNTL = [...probe.fcntl.values()];

/** Prints "struct size", "struct.field offset size" and "constant value" lines, from the kernel's own headers. */
const SOURCE = `
#include <stdio.h>
#include <stddef.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/ioctls.h>
#include <asm/termios.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>
/* its name in the C library */
#define O_ASYNC FASYNC
int main(void) {
${Object.entries(STRUCTS)
  .flatMap(([name, fields]) => [
    `printf("${name} %zu\\n", sizeof(struct ${name}));`,
    ...fields.map(
      (field) => `printf("${name}.${field} %zu %zu\\n", offsetof(struct ${name}, ${field}), sizeof(((struct ${name} *)0)->${field}));`,
    ),
  ])
  .join('\n')}
${[...OPEN, ...IOCTL, ...FCNTL].map((name) => `printf("${name} %u\\n", (unsigned)${name});`).join('\n')}
printf("termios %zu\\n", sizeof(struct termios));
printf("termios.c_cc %zu %zu\\n", offsetof(struct termios, c_cc), sizeof(((struct termios *)0)->c_cc));
printf("termios2.c_ispeed %zu 4\\n", offsetof(struct termios2, c_ispeed));
printf("epoll_event.data %zu 8\\n", offsetof(struct epoll_event, data));
printf("lflag %u\\n", ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
printf("iflag %u\\n", ICRNL | IXON | IUTF8);
printf("oflag %u\\n", OPOST | ONLCR);
printf("cflag %u\\n", B38400 | CS8 | CREAD);
printf("VEOF %u\\nVMIN %u\\nVTIME %u\\nVSUSP %u\\nVWERASE %u\\nVEOL %u\\n", VEOF, VMIN, VTIME, VSUSP, VWERASE, VEOL);
return 0;
}`;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wasmvisor-layout-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

/** Compiles and runs the probe: a name leads to its numbers. */
function measure(compiler: string, run: readonly string[]): Map<string, number[]> {
  const source = path.join(folder, 'probe.c');
  const program = path.join(folder, compiler);
  fs.writeFileSync(source, SOURCE);
  execFileSync(compiler, ['-static', '-o', program, source]);
  const [command, ...rest] = [...run, program];
  const lines = execFileSync(command, rest, { encoding: 'utf8' }).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name, ...numbers] = line.split(' ');
      return [name, numbers.map(Number)];
    }),
  );
}

const status: FileStatus = {
  device: 0x12,
  inode: 0x01234567,
  mode: 0o100644,
  links: 3,
  uid: 1001,
  gid: 1002,
  rdevice: 0x8801,
  size: 0x12345678,
  blockSize: 4096,
  blocks: 0x91a2b3,
  atime: 1_111_111_111_000_000_111n,
  mtime: 1_222_222_222_000_000_222n,
  ctime: 1_333_333_333_000_000_333n,
};
const STATUS: Record<string, number> = {
  st_dev: status.device,
  st_ino: status.inode,
  st_mode: status.mode,
  st_nlink: status.links,
  st_uid: status.uid,
  st_gid: status.gid,
  st_rdev: status.rdevice,
  st_size: status.size,
  st_blksize: status.blockSize,
  st_blocks: status.blocks,
  st_atime: 1_111_111_111,
  st_atime_nsec: 111,
  st_mtime: 1_222_222_222,
  st_mtime_nsec: 222,
  st_ctime: 1_333_333_333,
  st_ctime_nsec: 333,
};
const system: FileSystemStatus = {
  magic: 0xef53,
  blockSize: 4096,
  blocks: 1000001n,
  free: 500002n,
  available: 400003n,
  files: 300004n,
  freeFiles: 200005n,
  device: 0x12,
  readOnly: true,
};
const SYSTEM: Record<string, number> = {
  f_type: 0xef53,
  f_bsize: 4096,
  f_frsize: 4096,
  f_blocks: 1000001,
  f_bfree: 500002,
  f_bavail: 400003,
  f_files: 300004,
  f_ffree: 200005,
  f_namelen: 255,
  f_flags: 0x21,
};

for (const { abi, compiler, run } of TARGETS) {
  const missing = [compiler, ...run].filter((tool) => !has(tool));
  describe.skipIf(missing.length > 0)(`${abi}, as its headers have it${missing.length > 0 ? ` (no ${missing.join(', ')})` : ''}`, () => {
    const numbers = missing.length > 0 ? new Map<string, number[]>() : measure(compiler, run);
    const files: FileAbi = makeGuest(abi).p.abi;

    it('numbers of open flags, ioctl and fcntl', () => {
      const named = (map: ReadonlyMap<number, string>) => Object.fromEntries([...map].map(([number, name]) => [name, number]));
      const ours = { ...files.open, ...named(files.ioctl), ...named(files.fcntl) };
      expect(ours).toEqual(Object.fromEntries(Object.keys(ours).map((name) => [name, numbers.get(name)![0]])));
    });

    it('terminal settings and epoll events', () => {
      const { termios } = files;
      expect([termios.size]).toEqual(numbers.get('termios'));
      expect(numbers.get('termios.c_cc')![0]).toBe(17);
      expect(termios.characters.length).toBeLessThanOrEqual(numbers.get('termios.c_cc')![1]);
      expect(termios.speeds).toBe(numbers.get('termios2.c_ispeed')![0]);
      expect(files.epollData).toBe(numbers.get('epoll_event.data')![0]);
      expect(termios.flags).toEqual(['iflag', 'oflag', 'cflag', 'lflag'].map((name) => numbers.get(name)![0]));
      const character = (name: string) => termios.characters[numbers.get(name)![0]];
      expect(['VEOF', 'VMIN', 'VTIME', 'VSUSP', 'VWERASE', 'VEOL'].map(character)).toEqual([4, 1, 0, 0x1a, 0x17, 0]);
    });

    const writers = {
      stat: [STATUS, (g: ReturnType<typeof makeGuest>, at: number) => files.writeStat(g.p, at, status)],
      stat64: [STATUS, (g: ReturnType<typeof makeGuest>, at: number) => files.writeStat64(g.p, at, status)],
      statfs: [SYSTEM, (g: ReturnType<typeof makeGuest>, at: number) => files.writeStatfs(g.p, at, system)],
      statfs64: [SYSTEM, (g: ReturnType<typeof makeGuest>, at: number) => files.writeStatfs64(g.p, at, system)],
    } as const;
    for (const [name, [expected, write]] of Object.entries(writers)) {
      it(`struct ${name}`, () => {
        const g = makeGuest(abi);
        const at = g.alloc(256);
        const bytes = g.memory.view(at, 256, 'write').fill(0xaa);
        write(g, at);
        const [size] = numbers.get(name)!;
        // all of it is written, and nothing after it
        expect(bytes.lastIndexOf(0xaa, size - 1)).toBe(-1);
        expect([...bytes.subarray(size)].every((byte) => byte === 0xaa)).toBe(true);
        const found = Object.fromEntries(
          STRUCTS[name].map((field) => {
            const [offset, length] = numbers.get(`${name}.${field}`)!;
            const read = {
              2: () => g.memory.u16(at + offset),
              4: () => g.memory.u32(at + offset),
              8: () => Number(g.memory.u64(at + offset)),
            };
            return [field, read[length as 2 | 4 | 8]()];
          }),
        );
        expect(found).toEqual(expected);
      });
    }
  });
}

describe('values that do not fit', () => {
  it('are EOVERFLOW in the small structures', () => {
    for (const abi of ['i386', 'mips'] as const) {
      const g = makeGuest(abi);
      const at = g.alloc(256);
      expect(() => g.p.abi.writeStat(g.p, at, { ...status, size: 2 ** 31 })).toThrow('errno 75');
      expect(() => g.p.abi.writeStat(g.p, at, { ...status, inode: 2 ** 32 })).toThrow('errno 75');
      expect(() => g.p.abi.writeStatfs(g.p, at, { ...system, blocks: 2n ** 32n })).toThrow('errno 75');
      g.p.abi.writeStat64(g.p, at, { ...status, size: 2 ** 40, atime: -1n });
      expect(g.memory.u64(at + (abi === 'i386' ? 44 : 56))).toBe(2n ** 40n);
      // one nanosecond before 1970
      expect([g.memory.i32(at + 64), g.memory.u32(at + 68)]).toEqual([-1, 999_999_999]);
    }
  });

  it('struct statx', () => {
    const g = makeGuest('mips');
    g.put('/f', 'abc');
    const at = g.alloc(256);
    expect(g.call('statx', -100, '/f', 0, 0xfff, at)).toBe(0);
    expect(g.memory.u32(at)).toBe(0xfff);
    expect(g.memory.u16(at + 28)).toBe(0o100644);
    expect(g.memory.u64(at + 40)).toBe(3n);
    expect(Number(g.memory.u64(at + 112))).toBeGreaterThan(1_600_000_000);
    expect(g.call('statx', -100, '/f', 0x10000, 0xfff, at)).toBe('EINVAL');
  });
});
