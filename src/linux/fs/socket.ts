import { fail } from './fail.ts';
import { makePipe } from './pipe.ts';
import { SpecialInode, type SyntheticFileSystem } from './synthetic.ts';
import { Mode, type OpenFile, Poll, WOULD_BLOCK } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Bytes of messages that wait at most, and of one. */
const MESSAGES = 212992;

/** One direction: who writes and who reads. */
interface Channel {
  readonly read: OpenFile;
  readonly write: OpenFile;
}

/** Keeps messages apart: a read takes one, or what fits of it. */
function messageChannel(fileSystem: SyntheticFileSystem): Channel {
  const inode = new SpecialInode(fileSystem, Mode.Socket, 0o777, 0, () => fail('ENXIO'));
  const queue = new WaitQueue();
  const messages: Uint8Array[] = [];
  let bytes = 0;
  const open = { read: true, write: true };
  const end = (side: 'read' | 'write', rest: Pick<OpenFile, 'read' | 'write' | 'poll'>): OpenFile => ({
    inode,
    seekable: false,
    subscribe: queue.subscribe,
    close() {
      open[side] = false;
      queue.wake();
    },
    available: () => messages[0]?.length ?? 0,
    ...rest,
  });
  return {
    read: end('read', {
      read(into) {
        const message = messages.shift();
        if (!message) return open.write ? WOULD_BLOCK : 0;
        bytes -= message.length;
        const part = message.subarray(0, into.length);
        into.set(part);
        queue.wake();
        return part.length;
      },
      write: () => fail('EBADF'),
      poll: () => (messages.length > 0 ? Poll.In | Poll.ReadNormal : 0) | (open.write ? 0 : Poll.HangUp),
    }),
    write: end('write', {
      read: () => fail('EBADF'),
      write(from) {
        if (!open.read) fail('EPIPE');
        if (from.length > MESSAGES) fail('EMSGSIZE');
        if (bytes + from.length > MESSAGES) return WOULD_BLOCK;
        messages.push(from.slice());
        bytes += from.length;
        queue.wake();
        return from.length;
      },
      poll: () => (open.read ? (bytes < MESSAGES ? Poll.Out : 0) : Poll.Error),
    }),
  };
}

/** An end of a pair of connected sockets. */
export interface Socket extends OpenFile {
  readonly type: number;
  /** Nothing more is read, or written, here. */
  shutdown(reading: boolean, writing: boolean): void;
}
export const isSocket = (file: OpenFile | undefined): file is Socket => file !== undefined && 'shutdown' in file;

function socket(fileSystem: SyntheticFileSystem, type: number, input: OpenFile, output: OpenFile): Socket {
  const inode = new SpecialInode(fileSystem, Mode.Socket, 0o777, 0, () => fail('ENXIO'));
  const shut = { reading: false, writing: false };
  const self: Socket = {
    inode,
    type,
    seekable: false,
    read: (into, position) => (shut.reading ? 0 : input.read(into, position)),
    write: (from, position) => (shut.writing ? fail('EPIPE') : output.write(from, position)),
    poll(interest) {
      const incoming = shut.reading ? Poll.In | Poll.ReadHangUp : input.poll!(interest);
      const outgoing = shut.writing ? 0 : output.poll!(interest);
      // the end of what comes can be read; that both have ended is a hang-up
      const ended = (incoming & Poll.HangUp) !== 0;
      return (
        (incoming & ~Poll.HangUp) |
        (ended ? Poll.In | Poll.ReadNormal | Poll.ReadHangUp : 0) |
        (outgoing & Poll.Error ? Poll.Out | (ended ? Poll.HangUp : 0) : outgoing)
      );
    },
    subscribe(listener) {
      const ends = [input.subscribe!(listener), output.subscribe!(listener)];
      return () => {
        for (const end of ends) end();
      };
    },
    available: () => (shut.reading ? 0 : input.available!()),
    shutdown(reading, writing) {
      if (reading && !shut.reading) input.close!();
      if (writing && !shut.writing) output.close!();
      shut.reading ||= reading;
      shut.writing ||= writing;
    },
    close: () => self.shutdown(true, true),
  };
  return self;
}

/** Two sockets that are connected to each other. */
export function socketPair(fileSystem: SyntheticFileSystem, type: number, keepsMessages: boolean): readonly [Socket, Socket] {
  const [there, back] = [0, 1].map(() => (keepsMessages ? messageChannel(fileSystem) : makePipe(fileSystem)));
  return [socket(fileSystem, type, back.read, there.write), socket(fileSystem, type, there.read, back.write)];
}
