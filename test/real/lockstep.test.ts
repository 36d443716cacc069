import { describe, expect, test } from 'vitest';
import { ENV, execute, inTree } from './execute.ts';
import { type Arch, guestRoot, ROOT } from './guests.ts';

const LUA = 'local t = {} for i = 1, 100 do t[i] = math.sin(i) * i end table.sort(t) print(t[1], #t, 2^53 // 3)';

for (const arch of ['mipsel', 'i386'] satisfies Arch[]) {
  const guest = guestRoot(arch);
  const root = 'root' in guest ? guest.root : '';
  if ('missing' in guest) console.warn(`Debian's programs for ${arch} do not run in lockstep: ${guest.missing}`);

  describe.skipIf('missing' in guest)(`Debian's programs for ${arch}: no difference between the executors`, () => {
    test.each([
      ['busybox, all translated', [], ['/bin/busybox', 'sort', '-n', '/here/numbers.txt'], /^-3\n0\n5\n/],
      ['busybox, translated when hot', ['--tiered'], ['/bin/busybox', 'sha256sum', '/here/long.txt'], /^[0-9a-f]{64} /],
      ['lua', ['--tiered'], ['/usr/bin/lua5.4', '-e', LUA], /^-[\d.]+\t100\t3\.002/],
    ] as const)(
      '%s',
      async (_, options, command, output) => {
        const { stdout, stderr, status } = await inTree((cwd) =>
          execute({
            command: process.execPath,
            args: [`${ROOT}/dist/cli.cjs`, 'lockstep', ...options, '--root', root, '--mount', `${cwd}:/here:ro`, ...command],
            cwd,
            env: ENV,
          }),
        );
        expect(stderr).toMatch(/^wasmvisor: no difference in \d+ instructions, compared \d+ times\n$/);
        expect(stdout).toMatch(output);
        expect(status).toBe(0);
      },
      300_000,
    );
  });
}
