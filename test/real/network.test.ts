import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { CLI, inTree, native, runsNatively, wasmvisor } from './execute.ts';
import { type Arch, guestRoot } from './guests.ts';

/** Servers and clients of one system, at ports that none is given by chance; all architectures print the same, so the processor says what. */
const SCRIPT = `b=$0; first=$((10000 + $$ % 7000)); second=$((first + 7001)); third=$((first + 14002)); url=http://127.0.0.1:$first
$b httpd -f -p 127.0.0.1:$first -h . & h=$!; for i in $($b seq 100); do $b wget -q -O - $url/words.txt && break; $b usleep 200000; done
for f in table.txt sub/inner.txt long.txt; do $b wget -q -O - $url/$f | $b sha256sum; done
$b wget -q -O - $url/none; echo $?; kill $h; wait $h; echo $?
$b nc -l -p $second -e $b rev & n=$!; for i in $($b seq 100); do echo reverse | $b nc 127.0.0.1 $second && break; $b usleep 200000; done; wait $n; echo $?
$b nc 127.0.0.1 $third < words.txt; echo $?`;

const processor = guestRoot('i386');
const reference = 'root' in processor && runsNatively('i386', processor.root) ? processor.root : undefined;

for (const arch of ['mipsel', 'i386'] satisfies Arch[]) {
  const guest = guestRoot(arch);
  const missing = 'missing' in guest ? guest.missing : reference === undefined ? 'no processor for i386' : undefined;
  if (missing) console.warn(`the network of Debian's busybox for ${arch} is not tested: ${missing}`);
  const root = 'root' in guest ? guest.root : '';
  describe.skipIf(missing !== undefined)(`Debian's busybox for ${arch}`, () => {
    test('serves and asks over the loopback as on Linux', { timeout: 300_000 }, async () => {
      const args = (path: string): string[] => ['sh', '-c', SCRIPT, path];
      const { stdout, status } = await inTree((cwd) => native(reference!, '/bin/busybox', args(join(reference!, 'bin/busybox')), cwd));
      expect(stdout).toMatch(/elderberry[\s\S]*esrever/);
      const ours = await inTree((cwd) => wasmvisor('tiered', root, '/bin/busybox', args('/bin/busybox'), cwd));
      expect(ours.stdout).toBe(stdout);
      expect(ours.status).toBe(status);
    });
  });
}

const mipsel = guestRoot('mipsel');
const missing = 'missing' in mipsel ? mipsel.missing : undefined;
const busybox = 'root' in mipsel ? join(mipsel.root, 'bin/busybox') : '';
/** For each step, on a host that is very busy. */
const PATIENCE_MS = 60_000;
const run = (...args: string[]) => spawn(process.execPath, [CLI, 'run', '--timeout', '280', ...args], { stdio: 'pipe' });

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

describe.skipIf(missing !== undefined)('the network of the host', () => {
  test('reaches a server in the guest at a published port', { timeout: 300_000 }, async () => {
    await inTree(async (cwd) => {
      const options = ['--mount', `${cwd}:/tree`, '--net', 'user', '--publish', '0:80'];
      const child = run(...options, busybox, 'httpd', '-f', '-p', '80', '-h', '/tree');
      let told = '';
      child.stderr.setEncoding('utf8').on('data', (text) => {
        told += text;
      });
      const ended = once(child, 'exit');
      /** What `act` gives; `until`: once it does not throw. */
      const inTime = async <T>(what: string, act: () => Promise<T>, until = true): Promise<T> => {
        try {
          return await Promise.race([
            vi.waitFor(act, { timeout: PATIENCE_MS, interval: until ? 100 : 2 * PATIENCE_MS }),
            ended.then(([code, signal]) => {
              throw new Error(`it ended with ${code ?? signal}`);
            }),
          ]);
        } catch (error) {
          throw new Error(`${what}: ${error}; the server said ${JSON.stringify(told)}`, { cause: error });
        }
      };
      try {
        const at = await inTime('the port', async () => /published at (\S+)\n/.exec(told)![1]);
        // it may not listen yet
        expect(await inTime('a file', async () => (await fetch(`http://${at}/words.txt`)).text())).toContain('elderberry');
        expect(await inTime('no file', async () => (await fetch(`http://${at}/none`)).status, false)).toBe(404);
        // one that waits in accept ends by a signal
        child.kill('SIGTERM');
        expect(await Promise.race([ended, setTimeout(PATIENCE_MS, 'does not end', { ref: false })])).toEqual([143, null]);
      } finally {
        child.kill('SIGKILL');
      }
    });
  });

  test('is reached where it is allowed, and nowhere else', { timeout: 300_000 }, async () => {
    const body = 'from the host\n'.repeat(100_000);
    const server = createServer((_request, response) => void response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const wget = async (...options: string[]) => {
      const child = run(...options, busybox, 'wget', '-q', '-O', '-', `http://10.0.2.2:${port}/`);
      const [stdout, stderr, [code]] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'exit')]);
      return { stdout, stderr, code };
    };
    try {
      const allowed = await wget('--net', 'user', '--allow', `tcp:127.0.0.1:${port}`);
      expect(allowed).toEqual({ stdout: body, stderr: '', code: 0 });
      const refused = await wget('--net', 'user', '--allow', 'tcp:127.0.0.1:1');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`--allow tcp:127.0.0.1:${port} would allow it`);
      expect(refused.stderr).toContain('Connection refused');
      const none = await wget();
      expect(none.stderr).toContain('there is no network (--net user');
      expect(none.stderr).toContain('Network is unreachable');
    } finally {
      server.close();
    }
  });
});
