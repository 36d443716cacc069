import { fail } from './fail.ts';
import { LineDiscipline, START, type TypedSignal } from './line-discipline.ts';
import { SpecialInode, type SyntheticFileSystem } from './synthetic.ts';
import { Mode, makeDevice, type OpenFile, Poll, type Pseudoterminal, type Terminal, type TerminalOwner, WOULD_BLOCK } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Major number of the terminals below /dev/pts (admin-guide/devices.txt). */
export const UNIX98_SLAVE = 136;
/** What waits to be read on either side at most. */
const CAPACITY = 65536;
/** /proc/sys/kernel/pty/max */
const MOST = 4096;
const NEWLINE = 10;
const RETURN = 13;

export type TerminalSignal = TypedSignal | 'SIGHUP' | 'SIGCONT' | 'SIGWINCH';

interface Made extends Pseudoterminal {
  readonly master: OpenFile;
  /** Whoever has it open now reads an end of file. */
  hangUp(): void;
}

/** All terminals that there are. */
export class Terminals {
  /** Of the embedder's terminal, if there is one. */
  readonly host: TerminalOwner;
  private readonly made = new Map<number, Made>();

  constructor(
    host: TerminalOwner,
    /** Sends to all processes of a group. */
    private readonly signal: (pgid: number, name: TerminalSignal) => void,
  ) {
    this.host = host;
  }

  numbers(): string[] {
    return [...this.made.keys()].map(String);
  }

  slave(number: number): SpecialInode {
    return (this.made.get(number)?.slave ?? fail('ENOENT')) as SpecialInode;
  }

  /** The terminal that controls a session. */
  ofSession(sid: number): TerminalOwner | undefined {
    return this.owners().find(({ session }) => session === sid);
  }

  /** The terminal that the guest made for this owner; undefined for the embedder's. */
  madeFor(owner: TerminalOwner): Pseudoterminal | undefined {
    return [...this.made.values()].find(({ terminal }) => terminal.owner === owner);
  }

  private owners(): TerminalOwner[] {
    return [this.host, ...[...this.made.values()].map(({ terminal }) => terminal.owner)];
  }

  /** The leader of a session has ended, or has given its terminal away: nobody has it any more. */
  leave(sid: number, hasEnded: boolean): void {
    const owner = this.ofSession(sid);
    if (!owner) return;
    const { foreground } = owner;
    this.disown(owner);
    this.signal(foreground, 'SIGHUP');
    if (!hasEnded) this.signal(foreground, 'SIGCONT');
  }

  private disown(owner: TerminalOwner): void {
    owner.session = 0;
    owner.foreground = 0;
  }

  /** Opens /dev/ptmx: the file of a new terminal's other side. */
  make(fileSystem: SyntheticFileSystem, first: number): OpenFile {
    let number = first;
    while (this.made.has(number)) number++;
    if (number >= MOST) fail('ENOSPC');
    const one = makePseudoterminal(fileSystem, number, this.signal, () => {
      this.made.delete(number);
      const { owner } = one.terminal;
      const { session } = owner;
      this.disown(owner);
      one.hangUp();
      if (session === 0) return;
      this.signal(session, 'SIGHUP');
      this.signal(session, 'SIGCONT');
    });
    this.made.set(number, one);
    return one.master;
  }
}

function makePseudoterminal(
  fileSystem: SyntheticFileSystem,
  number: number,
  signal: (pgid: number, name: TerminalSignal) => void,
  onClose: () => void,
): Made {
  const queue = new WaitQueue();
  const output: Uint8Array[] = [];
  /** In canonical mode a line each, of which one read takes at most one; an empty one is an end of file. */
  const input: Uint8Array[] = [];
  let outputLength = 0;
  let inputLength = 0;
  let mode = START;
  let size = { rows: 0, columns: 0 };
  /** Counts hang-ups: who opened it before one has nothing more of it. */
  let generation = 0;
  let users = 0;
  let wasOpened = false;
  let isClosed = false;

  const show = (bytes: Uint8Array): void => {
    output.push(bytes);
    outputLength += bytes.length;
  };
  const dropInput = (): void => {
    input.length = 0;
    inputLength = 0;
  };
  const owner: TerminalOwner = { session: 0, foreground: 0 };
  const discipline = new LineDiscipline(show, (name) => {
    dropInput();
    signal(owner.foreground, name);
  });
  const terminal: Terminal = {
    owner,
    settings: undefined,
    columns: () => size.columns,
    rows: () => size.rows,
    setMode(wanted) {
      mode = wanted;
      discipline.mode = wanted;
      queue.wake();
    },
    setSize(rows, columns) {
      if (rows === size.rows && columns === size.columns) return;
      size = { rows, columns };
      signal(owner.foreground, 'SIGWINCH');
    },
    dropInput,
  };

  /** Takes from the first piece that waits. */
  const take = (from: Uint8Array[], into: Uint8Array): number => {
    const count = Math.min(into.length, from[0].length);
    into.set(from[0].subarray(0, count));
    if (count === from[0].length) from.shift();
    else from[0] = from[0].subarray(count);
    queue.wake();
    return count;
  };

  /** As many bytes as there is room for, with their newlines as the terminal shows them; how many they are. */
  const print = (from: Uint8Array): number => {
    const shown: number[] = [];
    let count = 0;
    for (; count < from.length && outputLength + shown.length + 2 <= CAPACITY; count++) {
      if (mode.mapNewline && from[count] === NEWLINE) shown.push(RETURN);
      shown.push(from[count]);
    }
    if (shown.length > 0) show(Uint8Array.from(shown));
    return count;
  };

  const slave = new SpecialInode(fileSystem, Mode.Character, 0o620, makeDevice(UNIX98_SLAVE, number), (self) => {
    if (isClosed || made.locked) fail('EIO');
    const mine = generation;
    const isGone = (): boolean => mine !== generation;
    let open = true;
    users++;
    wasOpened = true;
    return {
      inode: self,
      seekable: false,
      read(into) {
        if (into.length === 0) return 0;
        if (input.length === 0) return isGone() || (mode.isPolled && !mode.canonical) ? 0 : WOULD_BLOCK;
        const count = take(input, into);
        inputLength -= count;
        return count;
      },
      write(from) {
        if (isGone()) fail('EIO');
        const count = print(from);
        if (count > 0) queue.wake();
        return count === 0 && from.length > 0 ? WOULD_BLOCK : count;
      },
      poll() {
        if (isGone()) return Poll.In | Poll.ReadNormal | Poll.Out | Poll.Error | Poll.HangUp;
        return (input.length > 0 ? Poll.In | Poll.ReadNormal : 0) | (outputLength + 2 <= CAPACITY ? Poll.Out : 0);
      },
      subscribe: queue.subscribe,
      available: () => input[0]?.length ?? 0,
      terminal,
      close() {
        if (!open) return;
        open = false;
        if (!isGone()) users--;
        queue.wake();
      },
    };
  });

  const isSilent = (): boolean => wasOpened && users === 0;
  const made: Made = {
    number,
    terminal,
    slave,
    locked: true,
    hangUp() {
      generation++;
      users = 0;
      dropInput();
      queue.wake();
    },
    master: {
      inode: new SpecialInode(fileSystem, Mode.Character, 0o666, makeDevice(5, 2), () => fail('EIO')),
      seekable: false,
      read(into) {
        if (into.length === 0) return 0;
        if (output.length === 0) return isSilent() ? fail('EIO') : WOULD_BLOCK;
        let count = 0;
        while (count < into.length && output.length > 0) count += take(output, into.subarray(count));
        outputLength -= count;
        return count;
      },
      write(from) {
        if (inputLength >= CAPACITY) return WOULD_BLOCK;
        for (const piece of discipline.input(from)) {
          input.push(piece);
          inputLength += piece.length;
        }
        queue.wake();
        return from.length;
      },
      poll() {
        const events = (output.length > 0 ? Poll.In | Poll.ReadNormal : 0) | (inputLength < CAPACITY ? Poll.Out : 0);
        return isSilent() ? events | Poll.HangUp : events;
      },
      subscribe: queue.subscribe,
      available: () => outputLength,
      get master() {
        return made;
      },
      close() {
        if (isClosed) return;
        isClosed = true;
        onClose();
      },
    },
  };
  return made;
}
