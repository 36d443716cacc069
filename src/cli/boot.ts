import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { makeNat } from '../devices/net/nat.ts';
import { overlayDisk } from '../devices/virtio/block.ts';
import type { Stdin } from '../linux/fs/stdio.ts';
import type { Machine } from '../vmm/machine.ts';
import type { MachineName } from '../vmm/machines/index.ts';
import type { DriveOptions, NetworkOptions, ShareOptions } from '../vmm/options.ts';
import { makeConsoleOutput } from './console-output.ts';
import { CliError, ExitCode } from './errors.ts';
import { allowed, bytes, collect, folderToBe, madeOf, seconds, writableFile } from './options.ts';
import { writeSnapshot } from './snapshot-file.ts';
import { stackBytes } from './stack.ts';

interface BootOptions {
  readonly machine?: MachineName;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append: string;
  readonly firmware?: string;
  readonly drive: readonly string[];
  readonly share: readonly string[];
  readonly net?: 'user';
  readonly allow: readonly string[];
  readonly memory?: number;
  readonly unpack: boolean;
  readonly interpret?: boolean;
  readonly translate?: boolean;
  readonly virtualTime?: boolean;
  readonly restart?: boolean;
  readonly save?: string;
  readonly restore?: string;
  readonly cacheDir?: string;
  readonly timeout?: number;
  readonly stats?: boolean;
}

export function bootCommand(): Command {
  return new Command('boot')
    .description('boot a machine with an operating system’s kernel; exits with 0 after a power-off')
    .addOption(new Option('--machine <name>', 'what to boot (default: pc, or what was saved)').choices(['pc', 'malta']))
    .option('--kernel <file>', 'a bzImage or a multiboot kernel (pc), an ELF vmlinux (malta)')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <text>', 'the kernel’s command line', '')
    .option('--no-unpack', 'leave it to a bzImage to unpack itself, and to choose its place')
    .option('--firmware <file>', 'a BIOS image to start instead of a kernel (pc)')
    .option('--drive <file[:ro|:snapshot]>', 'a raw disk image; with :snapshot, writes are kept in memory (repeatable)', collect, [])
    .option('--share <folder[:tag][:ro]>', 'a folder, mounted by its tag (share) over virtio with 9p (repeatable)', collect, [])
    .addOption(new Option('--net <kind>', 'a network card; its network has the host’s sockets behind it').choices(['user']))
    .option(
      '--allow <tcp|udp:host:port>',
      'what the guest may reach over --net user; it finds this host at 10.0.2.2 (repeatable)',
      collect,
      [],
    )
    .option('--memory <bytes>', 'RAM, e.g. 256M (default: 128M, or what was saved)', (text) => bytes(text))
    .option('--save <file>', 'where Ctrl-A s, or SIGUSR2, writes the machine’s state; it then ends', writableFile)
    .option('--restore <file>', 'go on from such a file')
    .option('--interpret', 'never translate')
    .option('--translate', 'always translate')
    .option('--virtual-time', 'time follows from the guest’s instructions, so that runs repeat')
    .option('--cache-dir <folder>', 'keep translations there for the next boot of this kernel', folderToBe)
    .option('--restart', 'a reset of the guest’s starts it anew, instead of ending with exit code 3')
    .option('--timeout <seconds>', 'stop it after so long; the exit code is then 124', seconds)
    .option('--stats', 'afterwards, tell on stderr what the engine did')
    .addHelpText('after', '\nOn a terminal, Ctrl-A x ends the machine, Ctrl-A s saves it; Ctrl-A Ctrl-A sends Ctrl-A.')
    .action(boot);
}

function read(path: string | undefined, flag: string): Uint8Array | undefined {
  if (path === undefined) return undefined;
  return madeOf(`${flag} ${path}:`, () => {
    // it may have no end
    if (statSync(path).isCharacterDevice()) throw new CliError(`${flag} ${path}: a device, not a file`, ExitCode.Usage);
    return readFileSync(path);
  });
}

function openDrive(text: string, node: typeof import('../host/node.ts')): DriveOptions {
  const [, path, mode] = /^(.*?)(?::(ro|snapshot))?$/.exec(text)!;
  const disk = madeOf(`--drive ${path}:`, () => node.nodeDisk(path, { readOnly: mode !== undefined }));
  return { disk: mode === 'snapshot' ? overlayDisk(disk) : disk };
}

function openShare(text: string, node: typeof import('../host/node.ts')): ShareOptions {
  const [, folder, tag = 'share', readOnly] = /^(.*?)(?::(?!ro$)([^:]+?))?(:ro)?$/.exec(text)!;
  const isFolder = madeOf(`--share ${folder}:`, () => statSync(folder).isDirectory());
  if (!isFolder) throw new CliError(`--share ${folder}: not a folder`, ExitCode.Usage);
  return { tag, fileSystem: madeOf(`--share ${folder}:`, () => node.nodeFileSystem(folder, { readOnly: readOnly !== undefined })) };
}

function openNetwork({ net, allow }: BootOptions, node: typeof import('../host/node.ts')): NetworkOptions[] {
  if (net === undefined) {
    if (allow.length > 0) throw new CliError('--allow needs --net user', ExitCode.Usage);
    return [];
  }
  return [{ port: makeNat(allowed(allow), node.nodeNatHost) }];
}

async function boot(options: BootOptions): Promise<void> {
  if (options.interpret && options.translate) throw new CliError('--interpret and --translate exclude each other', ExitCode.Usage);
  if (!options.kernel && !options.firmware && !options.restore)
    throw new CliError('nothing to boot: give --kernel, --firmware or --restore', ExitCode.Usage);
  if (options.kernel && options.firmware) throw new CliError('--kernel and --firmware exclude each other', ExitCode.Usage);
  if (options.initrd && !options.kernel) throw new CliError('--initrd needs --kernel', ExitCode.Usage);
  const kernel = read(options.kernel, '--kernel');
  const initrd = read(options.initrd, '--initrd');
  const firmware = read(options.firmware, '--firmware');
  const snapshot = read(options.restore, '--restore');
  const [{ createMachine }, { BootError }, { openSnapshot }, { SnapshotError }, node] = await Promise.all([
    import('../vmm/machine.ts'),
    import('../vmm/boot/error.ts'),
    import('../vmm/snapshot.ts'),
    import('../snapshot/file.ts'),
    import('../host/node.ts'),
  ]);
  const output = makeConsoleOutput(node.nodeStdout());
  // a guest says no more than somebody reads, or the host would have to keep it
  const turn = async (): Promise<void> => {
    await node.nodeHost.turn();
    await output.room();
  };
  let machine: Machine;
  try {
    machine = await createMachine({
      machine: options.machine ?? (snapshot ? ((await openSnapshot(snapshot)).identity.machine as MachineName) : 'pc'),
      runtime: node.nodeSystemRuntime(),
      host: { ...node.nodeHost, turn },
      commandLine: options.append,
      unpack: options.unpack,
      executor: options.interpret ? 'interpret' : options.translate ? 'translate' : 'tiered',
      clock: options.virtualTime ? 'virtual' : 'host',
      onReset: options.restart ? 'restart' : 'end',
      stackBytes: stackBytes(),
      drives: options.drive.map((text) => openDrive(text, node)),
      shares: options.share.map((text) => openShare(text, node)),
      network: openNetwork(options, node),
      ...(options.cacheDir !== undefined && { translations: node.nodeTranslationStore(options.cacheDir) }),
      ...(options.memory !== undefined && { memory: options.memory }),
      ...(kernel && { kernel }),
      ...(initrd && { initrd }),
      ...(firmware && { firmware }),
      ...(snapshot && { snapshot }),
    });
  } catch (error) {
    if (error instanceof SnapshotError) throw new CliError(`--restore ${options.restore}: ${error.message}`, ExitCode.NotExecutable);
    if (error instanceof BootError) throw new CliError(error.message, ExitCode.NotExecutable);
    if (error instanceof RangeError && /memory/i.test(error.message))
      throw new CliError(`no address space for the guest: ${error.message}`);
    throw error;
  }

  machine.on('console', (bytes, port) => {
    if (port === 0) output.write(bytes);
  });
  let stopped = (): void => {};
  const isStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const stop = (): void => {
    machine.stop();
    output.release();
    stopped();
  };
  machine.on('warning', (text) => process.stderr.write(`wasmvisor: ${text}\r\n`));
  let timedOut = false;
  if (options.timeout !== undefined) {
    setTimeout(() => {
      timedOut = true;
      stop();
    }, options.timeout * 1000).unref();
  }
  let signal = 0;
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const)
    process.on(name, (_: string, number: number) => {
      signal = number;
      stop();
    });
  let saving: Promise<void> | undefined;
  const save = (): void => {
    const { save: path } = options;
    if (path === undefined) process.stderr.write('wasmvisor: nowhere to save to; start with --save <file>\r\n');
    else {
      saving ??= machine.snapshot().then((bytes) => {
        if (writeSnapshot(path, bytes)) machine.stop();
      });
      output.release();
    }
  };
  if (options.save !== undefined) process.on('SIGUSR2', save);
  void feed(machine, node.nodeStdin(), save, stop);

  let code: number;
  try {
    let end = await machine.run();
    while (saving) {
      await saving;
      saving = undefined;
      output.hold();
      end = await machine.run();
    }
    // who stops it need not read what it said
    await Promise.race([output.written, isStopped.then(() => sleep(UNREAD_MS))]);
    code = end?.code ?? ExitCode.Own;
    if (timedOut) {
      process.stderr.write(`wasmvisor: stopped after ${options.timeout} seconds\n`);
      code = ExitCode.TimedOut;
    } else if (signal && end?.reason === 'stopped') code = ExitCode.Signal + signal;
    else if (end?.reason === 'shutdown') process.stderr.write('wasmvisor: the processor shut down (triple fault)\n');
    else if (end?.reason === 'reset') process.stderr.write('wasmvisor: the guest reset the machine\n');
  } finally {
    node.restoreTerminal();
  }
  if (options.stats) {
    const { describeStats } = await import('./stats.ts');
    process.stderr.write(describeStats({ ...machine.stats, waiting: machine.stats.idle }));
  }
  process.exit(code);
}

/** For which what the guest said is still tried to be written to somebody who does not read. */
const UNREAD_MS = 1000;
const CTRL_A = 1;
const KEY_S = 0x73;
const KEY_X = 0x78;
const PIECE = 4096;

/** Standard input to the console, without the escape key on a terminal. */
async function feed(machine: Machine, stdin: Stdin, save: () => void, stop: () => void): Promise<void> {
  const { tty } = stdin;
  tty?.setRaw?.(true);
  let escaped = false;
  for (;;) {
    const bytes = await stdin.read(PIECE);
    if (bytes === null) return;
    if (!tty) {
      machine.input(bytes);
      continue;
    }
    const sent: number[] = [];
    for (const byte of bytes) {
      if (escaped) {
        escaped = false;
        if (byte === KEY_X) return stop();
        if (byte === KEY_S) save();
        else sent.push(byte);
      } else if (byte === CTRL_A) escaped = true;
      else sent.push(byte);
    }
    machine.input(Uint8Array.from(sent));
  }
}
