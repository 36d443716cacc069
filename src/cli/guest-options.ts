import { type Command, Option } from 'commander';
import { bytes, collect, folderToBe, seconds, type X87Choice, x87Option } from './options.ts';

export interface RunOptions {
  readonly root?: string;
  readonly mount: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly argv0?: string;
  readonly interpret?: boolean;
  readonly translate?: boolean;
  readonly strict?: boolean;
  readonly net?: 'user';
  readonly allow: readonly string[];
  readonly publish: readonly string[];
  readonly x87: X87Choice;
  readonly memory?: number;
  readonly timeout?: number;
  readonly strace?: boolean;
  readonly stats?: boolean;
  readonly cache: boolean;
  readonly cacheDir?: string;
  /** Of `run`. */
  readonly save?: string;
  readonly restore?: string;
}

/** What says which program to run, and how. */
export function guestOptions(command: Command): Command {
  return command
    .usage('[options] [--] <elf> [args...]')
    .argument('<elf>', 'executable: a host path, or with --root a path in the guest')
    .argument('[args...]', 'the program’s arguments; options after <elf> are its own')
    .passThroughOptions()
    .option('--root <folder>', 'what the guest sees as /; without it, a file system in memory with the program only')
    .option('--mount <host:guest[:ro]>', 'show a host file or folder to the guest (repeatable)', collect, [])
    .option('--env <name[=value]>', 'set a variable; without a value, the host’s (repeatable)', collect, [])
    .option('--cwd <folder>', 'working directory in the guest (default: /)')
    .option('--argv0 <name>', 'name that the program is called by')
    .addOption(new Option('--net <kind>', 'a network that has the host’s sockets behind it').choices(['user']))
    .option(
      '--allow <tcp|udp:host:port>',
      'what the program may reach over --net user; it finds this host at 10.0.2.2 (repeatable)',
      collect,
      [],
    )
    .option(
      '--publish <[address:]port:port>',
      'a port of this host (at 127.0.0.1 by default) that leads to one of the program’s (repeatable)',
      collect,
      [],
    )
    .option('--interpret', 'never translate')
    .option('--translate', 'always translate')
    .option('--strict', 'check page permissions at each access, from the start')
    .addOption(x87Option())
    .option('--memory <bytes>', 'what the guest may map, e.g. 256m (default: 1g)', (text) => bytes(text, 2 ** 32, ' up to 4G'))
    .option('--timeout <seconds>', 'kill it after so long; the exit code is then 124', seconds)
    .option('--cache-dir <folder>', 'keep translations for the next run there (default: in the user’s cache folder)', folderToBe)
    .option('--no-cache', 'keep no translations')
    .option('--strace', 'tell each system call on stderr, as strace does: thread, call, result')
    .option('--stats', 'afterwards, tell on stderr what the engine did');
}
