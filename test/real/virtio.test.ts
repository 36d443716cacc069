import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { memoryDisk } from '../../src/devices/virtio/block.ts';
import { Hub } from '../../src/devices/virtio/net.ts';
import { MemoryFileSystem } from '../../src/linux/fs/memory-fs.ts';
import { isDirectory } from '../../src/linux/fs/vfs.ts';
import { createMachine, type Machine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { guestRoot } from './guests.ts';
import { initramfs } from './initramfs.ts';
import { debianKernel } from './kernels.ts';
import { initOf, modulesOf } from './shell.ts';

const SYSTEM = systemModule();
const guest = guestRoot('mipsel');
const kernel = 'missing' in guest ? guest : debianKernel('4kc-malta');
if ('missing' in kernel) console.warn(`virtio is not tried with Debian's drivers: ${kernel.missing}`);

const LIMIT_MS = 600_000;
/** In an order in which they load. */
const MODULES = [
  'virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk',
  'netfs fscache 9pnet 9pnet_virtio 9p failover net_failover virtio_net',
]
  .join(' ')
  .split(' ');
const APPLETS = 'sh mount insmod cat md5sum dd sync ip ping poweroff echo mkdir ls sleep'.split(' ');

const INIT = `${initOf(MODULES)}ip addr add 10.0.0.$(cat /number)/24 dev eth0
ip link set eth0 up
`;
const FIRST = `
echo disk $(md5sum < /dev/vda)
echo written by the guest | dd of=/dev/vda bs=512 seek=5 conv=sync,notrunc 2>/dev/null
sync
mount -t 9p -o trans=virtio,version=9p2000.L share /mnt
cat /mnt/to-guest
echo from the guest > /mnt/from-guest
mkdir /mnt/folder
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ping -c 1 -W 3 10.0.0.2 > /dev/null && break; sleep 2; done
ping -c 3 10.0.0.2
poweroff -f
`;
const SECOND = 'exec sleep 100000\n';

function ramDisk(number: number, script: string): Uint8Array {
  return initramfs((guest as { root: string }).root, APPLETS, INIT + script, [
    ...modulesOf((kernel as { modules: string }).modules, MODULES),
    { name: 'mnt/.mounted-here', mode: 0o100644 },
    { name: 'number', mode: 0o100644, content: String(number) },
  ]);
}

describe.skipIf('missing' in kernel)('virtio with Debian’s drivers', () => {
  test('a disk, a shared folder, and a hub between two guests', async () => {
    const hub = new Hub();
    const content = Uint8Array.from({ length: 300_032 }, (_, i) => (i * 2654435761) >>> 24);
    const disk = memoryDisk(content);
    const fileSystem = new MemoryFileSystem();
    const { root } = fileSystem;
    root.create('to-guest', 0o644, { read: true, write: true }).write(new TextEncoder().encode('to the guest\n'), 0);
    const logs = ['', ''];
    const boot = async (index: number, script: string, more: object): Promise<Machine> => {
      const machine = await createMachine({
        machine: 'malta',
        runtime: SYSTEM,
        memory: 64 << 20,
        kernel: (kernel as { kernel: Uint8Array }).kernel,
        initrd: ramDisk(index + 1, script),
        // nor may a busy host look like a processor that is stuck
        commandLine: 'console=ttyS0 nokaslr quiet nosoftlockup rcupdate.rcu_cpu_stall_suppress=1',
        network: [{ port: hub.connect(), mac: Uint8Array.of(2, 0, 0, 0, 0, index + 1) }],
        ...more,
      });
      machine.on('console', (bytes) => {
        logs[index] += Buffer.from(bytes).toString('latin1');
      });
      return machine;
    };
    const first = await boot(0, FIRST, { drives: [{ disk }], shares: [{ tag: 'share', fileSystem }] });
    const second = await boot(1, SECOND, {});
    const other = second.run();
    const timer = setTimeout(() => first.stop(), LIMIT_MS);
    const end = await first.run();
    clearTimeout(timer);
    second.stop();
    await other;
    const [log] = logs;
    if (end?.reason === 'stopped')
      throw new Error(`not done in ${LIMIT_MS / 1000} seconds; they printed last: ${logs.map((text) => text.slice(-1000)).join('\n\n')}`);
    expect(log).not.toMatch(/does not load|Oops|BUG:|Call Trace|panic/);
    const sum = execFileSync('md5sum', { input: content, encoding: 'utf8' }).split(' ')[0];
    expect(log).toContain(`disk ${sum}`);
    expect(Buffer.from(disk.bytes.subarray(5 * 512, 5 * 512 + 20)).toString()).toBe('written by the guest');
    expect(log).toContain('to the guest');
    const written = new Uint8Array(20);
    const file = root.lookup('from-guest')!.open!({ read: true, write: false });
    expect(Buffer.from(written.subarray(0, file.read(written, 0))).toString()).toBe('from the guest\n');
    expect(isDirectory(root.lookup('folder')!)).toBe(true);
    expect(log).toMatch(/3 packets transmitted, 3 packets received/);
    expect(end).toEqual({ reason: 'power-off', code: 0 });
  }, 900_000);
});
