import { describe, expect, test } from 'vitest';
import { COMMANDS, type CommandLine, PATHS, title } from './commands.ts';
import { executorsOf, haveQemu, inTree, native, qemu, runsNatively, wasmvisor } from './execute.ts';
import { type Arch, guestRoot } from './guests.ts';

/** qemu-user says so on stderr when a guest dies by a signal; the guest itself does not. */
const withoutQemu = (stderr: string): string => stderr.replace(/^qemu: uncaught target signal.*\n/gm, '');

/** The first command of each program, and of each applet of busybox. */
const FIRST = [
  ...new Map(COMMANDS.toReversed().map((command) => [command.program === 'busybox' ? command.args[0] : command.program, command])).values(),
];
/** Every other applet takes its turn on each architecture. */
const takesTurn = (command: CommandLine, arch: Arch): boolean =>
  FIRST.includes(command) && (command.program !== 'busybox' || (FIRST.indexOf(command) % 2 === 0) === (arch === 'i386'));

for (const arch of ['mipsel', 'i386'] satisfies Arch[]) {
  const guest = guestRoot(arch);
  const missing = 'missing' in guest ? guest.missing : haveQemu(arch) ? undefined : `qemu-${arch} is not installed`;
  if (missing) console.warn(`Debian's programs for ${arch} are not tested: ${missing}`);
  const root = 'root' in guest ? guest.root : '';

  const onProcessor = root !== '' && runsNatively(arch, root);

  describe.skipIf(missing !== undefined)(`Debian's programs for ${arch} do what they do under qemu-${arch}`, () => {
    for (const command of COMMANDS) {
      test.concurrent(title(command), async () => {
        const path = PATHS[command.program];
        const expected = await inTree((cwd) => qemu(arch, root, path, command.args, cwd, command.stdin));
        if (onProcessor) {
          const there = await inTree((cwd) => native(root, path, command.args, cwd, command.stdin));
          expect({ on: 'processor', ...there }).toEqual({ on: 'processor', ...expected, stderr: withoutQemu(expected.stderr) });
        }
        for (const executor of executorsOf(takesTurn(command, arch))) {
          const actual = await inTree((cwd) => wasmvisor(executor, root, path, command.args, cwd, command.stdin));
          expect({ executor, ...actual }).toEqual({ executor, ...expected, stderr: withoutQemu(expected.stderr) });
        }
      }, 600_000);
    }
  });
}
