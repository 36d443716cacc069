import type { StreamEvents } from '../../devices/net/tcp.ts';
import { Errno, type ErrnoName } from '../errno.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { SyscallError } from '../syscall.ts';
import type { OpenStream } from './outside.ts';
import { join, refuse, type Socket } from './socket.ts';

const PIECE = 65536;

const errorName = (why: string | undefined): ErrnoName => (why !== undefined && why in Errno ? (why as ErrnoName) : 'ECONNREFUSED');

/**
 * Connects a socket to something beyond the system: `far` is the other end of its connection, and what arrives there goes on along the
 * stream, and back. Each side waits for the other, so that little is held between them. False if there is no stream.
 */
export function bridge(near: Socket, far: Socket, open: (events: StreamEvents) => ReturnType<OpenStream> | undefined): boolean {
  const incoming: Uint8Array[] = [];
  const buffer = new Uint8Array(PIECE);
  let canWrite = true;
  let isPaused = false;
  /** Who sends nothing more: we to the stream, and the stream to us. */
  let hasEnded = false;
  let isEnded = false;
  let isOver = false;
  let isBusy = false;
  const ends: (() => void)[] = [];

  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    for (const end of ends) end();
    stream?.destroy();
    if (far.state !== 'new') far.close();
  };
  function sendOn(): void {
    while (canWrite && !hasEnded) {
      const count = far.receive(buffer, {});
      if (count === WOULD_BLOCK) return;
      if (count > 0) canWrite = stream!.write(buffer.slice(0, count));
      else {
        hasEnded = true;
        stream!.end();
      }
    }
  }
  function bringIn(): void {
    while (incoming.length > 0) {
      const [first] = incoming;
      const count = far.send(first);
      if (count === WOULD_BLOCK) break;
      if (count === first.length) incoming.shift();
      else incoming[0] = first.subarray(count);
    }
    const waits = incoming.length > 0;
    if (waits !== isPaused) {
      isPaused = waits;
      if (waits) stream?.pause();
      else stream?.resume();
    }
    if (isEnded && !waits) far.shutdown(false, true);
  }
  /** Brings on what can be, and no more than once at a time: it wakes those who wait for it. */
  function pump(): void {
    if (isBusy || isOver || !stream || far.state !== 'connected') return;
    isBusy = true;
    try {
      sendOn();
      bringIn();
      if (hasEnded && isEnded && incoming.length === 0) finish();
    } catch (error) {
      // the guest's end is gone
      if (!(error instanceof SyscallError)) throw error;
      finish();
    } finally {
      isBusy = false;
    }
  }

  const stream = open({
    connected() {
      if (near.state !== 'connecting') return finish();
      join(near, far);
      pump();
    },
    data(bytes) {
      incoming.push(bytes);
      pump();
    },
    drained() {
      canWrite = true;
      pump();
    },
    ended() {
      isEnded = true;
      pump();
    },
    failed(why) {
      if (near.state === 'connecting') refuse(near, errorName(why));
      else if (!isOver && near.state === 'connected') near.breakOff('ECONNRESET');
      finish();
    },
  });
  if (!stream) return false;
  ends.push(far.subscribe(pump));
  // given up before it was made
  const watched = near.subscribe(() => {
    if (near.state === 'closed' && far.state === 'new') finish();
  });
  ends.push(watched);
  pump();
  return true;
}
