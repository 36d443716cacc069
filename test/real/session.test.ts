import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judge, recorded } from '../oracle/x86/replay.ts';
import { fillFolder, programRuns, runCases, writeCases, x86Suites } from '../oracle/x86/user-mode.ts';
import { type Arch, guestRoot, have, ROOT } from './guests.ts';
import { debianKernel } from './kernels.ts';
import { PROMPT, type Shell, shellDisk, startShell } from './shell.ts';

// A scripted session with Debian's kernels, through the command. WASMVISOR_SESSIONS=all adds 4kc-malta, all of it for -686-pae, of which CI does a part,
// and -686 with --translate.
interface Session {
  readonly name: string;
  readonly kernel: '686' | '686-pae' | '4kc-malta';
  readonly machine: 'pc' | 'malta';
  readonly arch: Arch;
  readonly options?: readonly string[];
  readonly processor: RegExp;
  /** What else is typed, and what comes. */
  readonly more: readonly (readonly [command: string, prints: RegExp])[];
}
const PC: Omit<Session, 'name' | 'kernel'> = {
  machine: 'pc',
  arch: 'i386',
  processor: /wasmvisor virtual processor/,
  more: [
    ['uname -srm', /^Linux 6\.1\.\S+ i686$/m],
    // it knows its host, and takes the time from it
    ['dmesg | grep Hypervisor', /Hypervisor detected: KVM/],
    ['cd /sys/devices/system/clocksource/clocksource0; cat current*; cd', /^kvm-clock$/m],
  ],
};
const MALTA: Session = {
  name: '4kc-malta',
  kernel: '4kc-malta',
  machine: 'malta',
  arch: 'mipsel',
  processor: /system type\s*: MIPS Malta/,
  more: [['uname -srm', /^Linux 6\.1\.\S+-4kc-malta mips$/m]],
};
const SESSIONS: readonly Session[] = [
  { ...PC, name: '686', kernel: '686' },
  ...(process.env.WASMVISOR_SESSIONS === 'all'
    ? [
        MALTA,
        { ...PC, name: '686-pae', kernel: '686-pae' } as const,
        { ...PC, name: '686, always translated', kernel: '686', options: ['--translate'] } as const,
      ]
    : []),
];

/** In an order in which they load. */
const MODULES = `virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover virtio_net
  crc16 crc32c_generic mbcache jbd2 ext4`.split(/\s+/);
const APPLETS = 'umount cat md5sum sync ip wget ls dmesg grep uname date'.split(' ');
const LIMIT_MS = 300_000;
/** A busy host may look like a processor that is stuck, and what the kernel says of that would come after a prompt. */
const COMMAND_LINE = 'console=ttyS0 quiet nosoftlockup rcupdate.rcu_cpu_stall_suppress=1';
const missing =
  ['mke2fs', 'e2fsck', 'debugfs'].find((tool) => !have(tool)) ?? (existsSync(join(ROOT, 'dist/cli.cjs')) ? undefined : 'dist/cli.cjs');
if (missing) console.warn(`no session with Debian's kernels: ${missing} is not there`);

/** Bytes that nothing makes by chance: a linear congruential generator's. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Of each form's vectors, 200 mostly, one in so many runs in the machine. */
const EVERY = 50;
const USER = '/disk/user';

/** Our programs and vectors do in user mode of the machine what they do on the processor; the outcomes stay in a file of the disk. */
async function userMode({ type }: Shell): Promise<void> {
  for (const { command, prints } of programRuns(USER, 'short')) expect(await type(command), command).toBe(prints);
  expect(await type(runCases(USER))).toBe('0\n');
}

describe.skipIf(missing)('a session with Debian’s kernel', () => {
  const big = noise(20 << 20);
  const sample = [...recorded(x86Suites(), EVERY)];
  let folder: string;
  let server: Server;
  let lacking: string | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wasmvisor-session-'));
    mkdirSync(join(folder, 'content'));
    writeFileSync(join(folder, 'content/big'), big);
    mkdirSync(join(folder, 'content/user'));
    lacking = fillFolder(join(folder, 'content/user'));
    if (lacking) console.warn(`user mode is not tried in the machine: ${lacking}`);
    else writeCases(join(folder, 'content/user'), sample);
    server = createServer((_request, response) => void response.end('hello from the host\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(SESSIONS)('$name: files, network, a snapshot that another process goes on from', async (session) => {
    const guest = guestRoot(session.arch);
    const debian = 'missing' in guest ? guest : debianKernel(session.kernel);
    if ('missing' in guest || 'missing' in debian) {
      console.warn(`${session.kernel} is not booted: ${'missing' in debian ? debian.missing : ''}`);
      return;
    }
    const file = (name: string): string => join(folder, `${session.name}.${name}`);
    writeFileSync(file('kernel'), debian.kernel);
    writeFileSync(
      file('initrd'),
      shellDisk(guest.root, debian.modules, MODULES, APPLETS, [{ name: 'disk/.mounted-here', mode: 0o100644 }]),
    );
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', join(folder, 'content'), file('image'), '64M'], { stdio: 'pipe' });
    const { port } = server.address() as AddressInfo;
    const machine = ['--machine', session.machine, '--drive', file('image'), '--net', 'user', '--allow', `tcp:127.0.0.1:${port}`];
    const start = (...more: string[]): Shell => startShell([...machine, ...(session.options ?? []), ...more], LIMIT_MS);
    const inUserMode = session.machine === 'pc' && lacking === undefined;

    const first = start('--kernel', file('kernel'), '--initrd', file('initrd'), '--append', COMMAND_LINE, '--save', file('snapshot'));
    try {
      expect((await first.console.until(PROMPT)).text).not.toContain('does not load');
      expect(await first.type('cat /proc/cpuinfo')).toMatch(session.processor);
      for (const [command, prints] of session.more) expect(await first.type(command)).toMatch(prints);
      const before = Date.now() / 1000;
      const date = Number(await first.type('date +%s'));
      expect(date).toBeGreaterThan(before - 5);
      expect(date).toBeLessThan(Date.now() / 1000 + 5);
      expect(await first.type('mount -t ext4 /dev/vda /disk && md5sum /disk/big')).toBe(
        `${createHash('md5').update(big).digest('hex')}  /disk/big\n`,
      );
      expect(await first.type('i=41; echo $((i+1)) > /disk/note; sync')).toBe('');
      await first.type('ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up');
      expect(await first.type(`wget -q -O - http://10.0.2.2:${port}/`)).toBe('hello from the host\n');
      expect(await first.type('wget -q -O - http://10.0.2.2:1/')).toContain('refused');
      first.console.signal('SIGUSR2');
      expect(await first.console.ended(), first.console.printed()).toBe(0);
    } finally {
      await first.console.close();
    }
    copyFileSync(file('image'), file('image-then'));

    const second = start('--restore', file('snapshot'));
    try {
      expect(await second.type('echo $i $(cat /disk/note)')).toBe('41 42\n');
      expect(await second.type('umount /disk && mount -t ext4 /dev/vda /disk && cat /disk/note')).toBe('42\n');
      expect(await second.type(`wget -q -O - http://10.0.2.2:${port}/`)).toBe('hello from the host\n');
      if (inUserMode) await userMode(second);
      expect(await second.type('echo more > /disk/more; sync; umount /disk')).toBe('');
      expect(await second.type('dmesg | grep -ciE "oops|fs error"')).toBe('0\n');
      second.console.send('poweroff -f\n');
      expect(await second.console.ended(), second.console.printed()).toBe(0);
    } finally {
      await second.console.close();
    }
    const check = spawnSync('e2fsck', ['-f', '-n', file('image')], { encoding: 'utf8' });
    expect(check.status, check.stdout).toBe(0);
    expect(execFileSync('debugfs', ['-R', 'cat more', file('image')], { encoding: 'utf8', stdio: 'pipe' })).toBe('more\n');
    if (inUserMode) {
      const outcomes = execFileSync('debugfs', ['-R', 'cat user/outcomes', file('image')], { stdio: 'pipe', maxBuffer: 1 << 28 });
      const { failures } = judge(sample, outcomes, 'in the machine');
      expect(failures.join('\n')).toBe('');
    }

    // rolled back: the state of then, with the disk of then
    copyFileSync(file('image-then'), file('image'));
    const third = start('--restore', file('snapshot'));
    try {
      expect(await third.type('ls -1 /disk; echo $i')).toBe('big\nlost+found\nnote\nuser\n41\n');
      third.console.send('poweroff -f\n');
      expect(await third.console.ended(), third.console.printed()).toBe(0);
    } finally {
      await third.console.close();
    }
  }, 900_000);

  test('686-pae: tables of 64-bit entries, a disk written and read', async () => {
    const guest = guestRoot('i386');
    const debian = 'missing' in guest ? guest : debianKernel('686-pae');
    if ('missing' in guest || 'missing' in debian) {
      console.warn(`686-pae is not booted: ${'missing' in debian ? debian.missing : ''}`);
      return;
    }
    const file = (name: string): string => join(folder, `short.${name}`);
    writeFileSync(file('kernel'), debian.kernel);
    const modules = MODULES.filter((name) => !name.includes('net') && !name.includes('failover'));
    writeFileSync(
      file('initrd'),
      shellDisk(guest.root, debian.modules, modules, APPLETS, [{ name: 'disk/.mounted-here', mode: 0o100644 }]),
    );
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', join(folder, 'content'), file('image'), '64M'], { stdio: 'pipe' });
    const shell = startShell(
      ['--kernel', file('kernel'), '--initrd', file('initrd'), '--append', COMMAND_LINE, '--drive', file('image')],
      LIMIT_MS,
    );
    try {
      expect((await shell.console.until(PROMPT)).text).not.toContain('does not load');
      expect(await shell.type('uname -r')).toMatch(/^6\.1\.\S+-686-pae$/m);
      expect(await shell.type('grep -c "^flags.* pae " /proc/cpuinfo')).toBe('1\n');
      expect(await shell.type('mount -t ext4 /dev/vda /disk && md5sum /disk/big')).toBe(
        `${createHash('md5').update(big).digest('hex')}  /disk/big\n`,
      );
      expect(await shell.type('echo more > /disk/more; umount /disk; dmesg | grep -ciE "oops|fs error"')).toBe('0\n');
      shell.console.send('poweroff -f\n');
      expect(await shell.console.ended(), shell.console.printed()).toBe(0);
    } finally {
      await shell.console.close();
    }
    const check = spawnSync('e2fsck', ['-f', '-n', file('image')], { encoding: 'utf8' });
    expect(check.status, check.stdout).toBe(0);
    expect(execFileSync('debugfs', ['-R', 'cat more', file('image')], { encoding: 'utf8', stdio: 'pipe' })).toBe('more\n');
  }, 900_000);
});
