import { storeKey } from '../cache/persistence.ts';
import { effective } from './calls/arguments.ts';
import { forProgram } from './capabilities.ts';
import { ElfError, type ElfFile, parseElf } from './elf.ts';
import { Errno } from './errno.ts';
import { fail } from './fs/fail.ts';
import { decodeName } from './fs/names.ts';
import { demand, Want } from './fs/namespace.ts';
import { readInode } from './fs/tree.ts';
import { type Directory, type Inode, isDirectory, Mode } from './fs/vfs.ts';
import { Futexes } from './futexes.ts';
import { launch, stackBytes } from './launch.ts';
import { STACK_LIMIT } from './limits.ts';
import type { Credentials, Process, RunningProgram, ThreadGroup } from './process.ts';
import { detach, TraceEvent, traceEvent } from './ptrace.ts';
import { SiCode } from './signals.ts';
import { SyscallError } from './syscall.ts';
import { dropThread } from './threads.ts';

/** What a path leads to. */
export interface Executable {
  readonly inode: Inode;
  /** The path as it was given, and without links. */
  readonly name: string;
  readonly path: string;
}

/** Bytes of a script's first line that are looked at (BINPRM_BUF_SIZE), and scripts that may name scripts as interpreters. */
const FIRST_LINE = 256;
export const MOST_SCRIPTS = 5;
const NEWLINE = 10;

/** A file at a path that may be executed. */
export function findExecutable(p: Process, from: Directory, path: string, follow: boolean): Executable {
  const { namespace } = p.files;
  const place = namespace.resolve(from, path, follow ? 'follow' : 'nofollow', effective(p));
  return { inode: place.inode ?? fail('ENOENT'), name: path, path: namespace.pathOfPlace(place) };
}

/** Files that were executed last, the last one at the end; what tells whether they are as they were. */
interface KnownFile {
  readonly version: string;
  readonly bytes: Uint8Array;
  key?: string;
  elf?: ElfFile;
}
const KNOWN_FILES = 8;
/** Smaller ones, such as scripts that are written and run at once, are read each time. */
const LARGE = 1 << 16;
const KNOWN_BYTES = 16 << 20;

/** What is kept of them. */
export class KnownFiles {
  private files: KnownFile[] = [];

  read(inode: Inode): KnownFile {
    const { device, inode: number, size, mtime, ctime } = inode.stat();
    if (size < LARGE) return { version: '', bytes: readInode(inode) };
    const version = [device, number, size, mtime, ctime].join(' ');
    const file = this.files.find((known) => known.version === version) ?? { version, bytes: readInode(inode) };
    this.files = [...this.files.filter((known) => known !== file), file].slice(-KNOWN_FILES);
    let room = KNOWN_BYTES;
    this.files = this.files.toReversed().filter(({ bytes }) => {
      room -= bytes.length;
      return room >= 0;
    });
    this.files.reverse();
    return file;
  }
}

function readExecutable(p: Process, inode: Inode): KnownFile {
  if (isDirectory(inode) || inode.format !== Mode.Regular) fail('EACCES');
  demand(inode, Want.Execute, effective(p));
  return p.system.knownFiles.read(inode);
}

/** The interpreter that a script names, and its argument. */
export function interpreterOf(bytes: Uint8Array): readonly string[] | undefined {
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined;
  const end = bytes.subarray(0, FIRST_LINE).indexOf(NEWLINE);
  const line = decodeName(bytes.subarray(2, end < 0 ? FIRST_LINE : end)).replace(/^[ \t]+|[ \t]+$/g, '');
  const [, interpreter, argument] = /^([^ \t\0]+)[ \t]*([^\0]*)/.exec(line) ?? fail('ENOEXEC');
  return argument ? [interpreter, argument] : [interpreter];
}

/** The process goes on with another program (execve(2)); a call that fails leaves it as it is. */
export async function execute(p: Process, given: Executable, argv: readonly string[], env: readonly string[]): Promise<void> {
  const { system, group, abi } = p;
  let found = given;
  let args = argv;
  let file = readExecutable(p, found.inode);
  for (let scripts = 0; ; scripts++) {
    const interpreter = interpreterOf(file.bytes);
    if (!interpreter) break;
    if (scripts === MOST_SCRIPTS) fail('ELOOP');
    args = [...interpreter, found.name, ...args.slice(1)];
    found = findExecutable(p, p.files.cwd, interpreter[0], true);
    file = readExecutable(p, found.inode);
  }
  file.key ??= storeKey(file.bytes);
  const { key } = file;
  const program = runProgram(p, found.inode);
  const credentials = credentialsWith(p, found.inode);
  let space: Process['space'] | undefined;
  try {
    file.elf ??= parseElf(file.bytes);
    const { elf } = file;
    if (elf.abi !== abi.name) fail('ENOEXEC');
    const translations = await system.translations.load(key);
    space = system.spaces.make(abi, key);
    const launched = launch(
      { ...p, credentials },
      space,
      { elf, path: found.path, name: given.name, argv: args, env },
      stackBytes(p.limits.stack.soft, STACK_LIMIT),
    );
    space.vcpu.persist(translations, true);
    await space.vcpu.prepare();
    if (group.end) {
      program?.end();
      return system.spaces.release(space);
    }
    const { tid } = p;
    become(p, launched, credentials, program);
    await tellOfExec(p, tid);
  } catch (error) {
    program?.end();
    if (space) system.spaces.release(space);
    if (error instanceof ElfError) throw new SyscallError(Errno[error.errno]);
    throw error;
  }
}

/** Whom the process is with this program: who its set-user-ID and set-group-ID bits say (execve(2)). */
function credentialsWith({ credentials, group }: Process, inode: Inode): Credentials {
  const { mode, uid, gid } = inode.stat();
  const may = !group.noNewPrivileges;
  const euid = may && mode & Mode.SetUid ? uid : credentials.euid;
  const egid = may && mode & Mode.SetGid && mode & 0o010 ? gid : credentials.egid;
  const changed = euid !== credentials.euid || egid !== credentials.egid;
  const next = { ...credentials, euid, suid: euid, fsuid: euid, egid, sgid: egid, fsgid: egid };
  return { ...next, capabilities: forProgram(next, changed) };
}

/** Nobody can write a program's file from here on; ETXTBSY if somebody does. */
export function runProgram({ files }: Process, inode: Inode | undefined): RunningProgram | undefined {
  return inode?.format === Mode.Regular ? { users: 1, end: files.namespace.busy.run(inode) } : undefined;
}

export function leaveProgram(group: ThreadGroup): void {
  const { program } = group;
  group.program = undefined;
  if (program && --program.users === 0) program.end();
}

/** The tracer is told of a program that begins: by an event, or as if by kill(1). */
async function tellOfExec(p: Process, before: number): Promise<void> {
  const { tracing } = p;
  if (!tracing) return;
  if (tracing.options & (1 << TraceEvent.Exec)) await traceEvent(p, TraceEvent.Exec, before);
  else if (!tracing.seized) p.signals.raiseHere('SIGTRAP', { code: SiCode.User, pid: p.pid, uid: p.credentials.uid });
}

/** There is no way back from here on. */
function become(p: Process, launched: ReturnType<typeof launch>, credentials: Credentials, program: RunningProgram | undefined): void {
  const { system, group } = p;
  for (const thread of [...group.threads.values()]) {
    if (thread === p) continue;
    thread.signals.giveUp();
    dropThread(thread);
    detach(thread);
  }
  system.scheduler.forget((thread) => thread.group === group && thread !== p);
  for (const { timer } of group.posixTimers.values()) timer.stop();
  group.posixTimers.clear();
  const old = p.space;
  system.scheduler.move(p, launched.space);
  Object.assign(p, launched, { clearTid: 0, robustList: 0 });
  system.hooks.began(p);
  Object.assign(p.credentials, credentials);
  leaveProgram(group);
  group.program = program;
  system.spaces.release(old);
  group.threads.delete(p.tid);
  p.tid = p.pid;
  group.threads.set(p.tid, p);
  group.leader = p;
  group.futexes = new Futexes();
  group.executed = true;
  group.barriers = 0;
  group.exitSignal = p.signals.number('SIGCHLD');
  p.signals.forgetHandlers();
  p.files.closeOnExec();
  group.letParentGo?.();
  group.letParentGo = undefined;
}
