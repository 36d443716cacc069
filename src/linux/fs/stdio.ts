import { Errno, type ErrnoName } from '../errno.ts';
import { fail } from './fail.ts';
import { LineDiscipline, type TypedSignal } from './line-discipline.ts';
import { SpecialInode, type SyntheticFileSystem } from './synthetic.ts';
import { UNIX98_SLAVE } from './terminals.ts';
import { Mode, makeDevice, type OpenFile, Poll, type Terminal, type TerminalOwner, WOULD_BLOCK } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Where a program's standard input comes from. */
export interface Stdin {
  /** Between 1 and `max` bytes, null at the end of input, or a promise of that. Not called again before it settles. */
  read(max: number): Uint8Array | null | Promise<Uint8Array | null>;
  readonly tty?: TerminalHost;
}

/** Where a program's output goes. */
export interface Output {
  /**
   * Takes a copy of `bytes` or writes them, and returns how many it took, at least one. While a promise is pending no
   * further write is made; the program waits, or is told EAGAIN. Throws or rejects with an Error whose `code` is EPIPE
   * if nobody reads any more.
   */
  write(bytes: Uint8Array): number | Promise<number>;
  readonly tty?: TerminalHost;
}

/** The terminal behind a stream. */
export interface TerminalHost {
  columns(): number;
  rows(): number;
  /** Turns line editing, echo and signal characters off or on again. Without it they are always off. */
  setRaw?(raw: boolean): void;
  /** The user typed the character for a signal while the host leaves such characters to us. */
  signal?(name: TypedSignal): void;
}

const CHUNK = 65536;

/** A terminal, and what stands between its keys and the guest while the host does not edit lines itself. */
interface ManagedTerminal extends Terminal {
  owner: TerminalOwner;
  /** Undefined while the host has the line discipline. */
  discipline: LineDiscipline | undefined;
  /** Shows what is typed. */
  echo: (bytes: Uint8Array) => void;
}

function makeTerminal(host: TerminalHost): ManagedTerminal {
  const discipline = new LineDiscipline(
    (bytes) => terminal.echo(bytes),
    (name) => host.signal?.(name),
  );
  const terminal: ManagedTerminal = {
    owner: { session: 0, foreground: 0 },
    settings: undefined,
    columns: () => host.columns(),
    rows: () => host.rows(),
    discipline: host.setRaw ? undefined : discipline,
    echo: () => {},
    setMode(mode) {
      discipline.mode = mode;
      if (!host.setRaw) return;
      // The host can only edit and echo, or neither.
      const raw = !mode.canonical || !mode.echo;
      terminal.discipline = raw ? discipline : undefined;
      host.setRaw(raw);
    },
  };
  return terminal;
}

const terminals = new WeakMap<TerminalHost, ManagedTerminal>();

/** One Terminal for each host's terminal, so that its settings are the same through every descriptor. */
function terminalOf(host: TerminalHost | undefined): ManagedTerminal | undefined {
  if (!host) return undefined;
  let terminal = terminals.get(host);
  if (!terminal) {
    terminal = makeTerminal(host);
    terminals.set(host, terminal);
  }
  return terminal;
}

function hostFailure(error: unknown): never {
  const { code } = error as { code?: string };
  return fail(code !== undefined && code in Errno ? (code as ErrnoName) : 'EIO');
}

/** What all descriptors of one stream share. */
interface Stream {
  read(into: Uint8Array): number;
  write(from: Uint8Array): number;
  poll(interest: number): number;
  available(): number;
  flush(): Promise<void>;
}

function inputStream(stdin: Stdin, queue: WaitQueue): Stream {
  const terminal = terminalOf(stdin.tty);
  /** What can be read, in pieces of which one read takes at most one; an empty one is an end of file. */
  const chunks: Uint8Array[] = [];
  let ended = false;
  let failure: unknown;
  let pending = false;

  /** Asks for more; true if there is an answer already. */
  const fill = (max: number): boolean => {
    if (chunks.length > 0 || ended || failure) return true;
    if (pending) return false;
    const take = (bytes: Uint8Array | null) => {
      if (bytes === null) ended = true;
      else if (terminal?.discipline) chunks.push(...terminal.discipline.input(bytes));
      else chunks.push(bytes);
    };
    let result = stdin.read(max);
    while (!(result instanceof Promise)) {
      take(result);
      if (chunks.length > 0 || ended) return true;
      result = stdin.read(max);
    }
    pending = true;
    result
      .then(take, (error: unknown) => {
        failure = error;
      })
      .finally(() => {
        pending = false;
        queue.wake();
      });
    return false;
  };

  return {
    read(into) {
      if (into.length === 0) return 0;
      if (!fill(into.length)) return WOULD_BLOCK;
      if (failure) {
        const error = failure;
        failure = undefined;
        hostFailure(error);
      }
      const chunk = chunks[0];
      if (!chunk) {
        // A terminal's end of file (^D) is not the end for ever.
        if (stdin.tty) ended = false;
        return 0;
      }
      const count = Math.min(into.length, chunk.length);
      into.set(chunk.subarray(0, count));
      if (count === chunk.length) chunks.shift();
      else chunks[0] = chunk.subarray(count);
      return count;
    },
    write: () => fail('EBADF'),
    poll(interest) {
      // Input is asked for only if the guest waits for it: what is read here is lost to whoever reads after the guest.
      if (!(interest & (Poll.In | Poll.ReadNormal)) || !fill(CHUNK)) return 0;
      return Poll.In | Poll.ReadNormal | (ended && !stdin.tty ? Poll.HangUp : 0);
    },
    available: () => (fill(CHUNK) ? (chunks[0]?.length ?? 0) : 0),
    flush: () => Promise.resolve(),
  };
}

function outputStream(output: Output, queue: WaitQueue): Stream {
  let pending: Promise<void> | undefined;
  let failure: unknown;

  return {
    read: () => fail('EBADF'),
    write(from) {
      if (failure) {
        const error = failure;
        failure = undefined;
        hostFailure(error);
      }
      if (pending) return WOULD_BLOCK;
      let result: number | Promise<number>;
      // The promise may be settled after the guest has overwritten its buffer.
      const bytes = from.slice();
      try {
        result = output.write(bytes);
      } catch (error) {
        hostFailure(error);
      }
      if (!(result instanceof Promise)) return result;
      const rest = async (written: number): Promise<void> => {
        for (let done = written; done < bytes.length; ) done += await output.write(bytes.subarray(done));
      };
      pending = result
        .then(rest)
        .catch((error: unknown) => {
          failure = error;
        })
        .finally(() => {
          pending = undefined;
          queue.wake();
        });
      return bytes.length;
    },
    poll: () => (pending ? 0 : Poll.Out),
    available: () => 0,
    async flush() {
      while (pending) await pending;
    },
  };
}

/** A standard stream as a file; `flush` resolves once all output has reached the embedder. */
export interface StandardStream {
  readonly inode: SpecialInode;
  readonly file: OpenFile;
  readonly terminal: Terminal | undefined;
  flush(): Promise<void>;
}

function standardStream(
  fileSystem: SyntheticFileSystem,
  stream: Stream,
  queue: WaitQueue,
  tty: TerminalHost | undefined,
  end: Stream | undefined,
  number: number | undefined,
): StandardStream {
  const terminal = terminalOf(tty);
  const inode = new SpecialInode(
    fileSystem,
    terminal ? Mode.Character : Mode.Fifo,
    terminal ? 0o620 : 0o600,
    terminal ? makeDevice(UNIX98_SLAVE, 0) : 0,
    (self) => ({
      inode: self,
      seekable: false,
      read: (into) => stream.read(into),
      write: (from) => (end ?? stream).write(from),
      poll: (interest) => stream.poll(interest) | (end ? end.poll(interest) : 0),
      subscribe: queue.subscribe,
      available: () => stream.available(),
      ...(terminal && { terminal }),
    }),
    terminal && number,
  );
  return { inode, file: inode.open({ read: true, write: true }), terminal, flush: () => stream.flush() };
}

export interface StandardStreams {
  readonly stdin: StandardStream;
  readonly stdout: StandardStream;
  readonly stderr: StandardStream;
  /** The controlling terminal (/dev/tty), if a stream is one. */
  readonly terminal: SpecialInode | undefined;
  flush(): Promise<void>;
}

/** Makes files of the embedder's streams. A terminal can be both read and written through each of its descriptors. */
export function standardStreams(
  fileSystem: SyntheticFileSystem,
  owner: TerminalOwner,
  stdin: Stdin,
  stdout: Output,
  stderr: Output,
): StandardStreams {
  const queue = new WaitQueue();
  for (const { tty } of [stdin, stdout, stderr]) {
    const terminal = terminalOf(tty);
    if (terminal) terminal.owner = owner;
  }
  const input = inputStream(stdin, queue);
  const out = outputStream(stdout, queue);
  const errors = stderr === stdout ? out : outputStream(stderr, queue);
  const screen = stdout.tty ? out : stderr.tty ? errors : undefined;
  const both = (mine: Stream): Stream => ({
    ...mine,
    read: (into) => input.read(into),
    poll: (interest) => input.poll(interest) | mine.poll(interest),
    available: () => input.available(),
  });
  const managed = terminalOf(stdin.tty);
  if (managed && screen) managed.echo = (bytes) => void screen.write(bytes);
  // Every descriptor of the terminal is the same file.
  const number = fileSystem.takeInode();
  const inputFile = standardStream(fileSystem, input, queue, stdin.tty, stdin.tty && screen, number);
  const outFile = standardStream(fileSystem, stdout.tty && stdin.tty ? both(out) : out, queue, stdout.tty, undefined, number);
  const errorFile = standardStream(fileSystem, stderr.tty && stdin.tty ? both(errors) : errors, queue, stderr.tty, undefined, number);
  return {
    stdin: inputFile,
    stdout: outFile,
    stderr: errorFile,
    terminal: [inputFile, outFile, errorFile].find((stream) => stream.terminal)?.inode,
    async flush() {
      await out.flush();
      await errors.flush();
    },
  };
}
