// The host's end of a guest's TCP connection (RFC 9293), on a cable that hardly loses anything: no congestion control.
import { type Tcp, TcpFlag } from './packets.ts';

/** A connection of the host's, as this end uses it. */
export interface Stream {
  /** False: wait for `drained` before the next. */
  write(bytes: Uint8Array): boolean;
  /** Nothing more will be written. */
  end(): void;
  destroy(): void;
  pause(): void;
  resume(): void;
}
export interface StreamEvents {
  connected(): void;
  data(bytes: Uint8Array): void;
  drained(): void;
  /** The other end sends nothing more. */
  ended(): void;
  /** It could not be made, or broke; `why` is the host's name of the error. */
  failed(why?: string): void;
}

export interface TcpEnd {
  /** A segment of the guest's. */
  segment(segment: Tcp): void;
  close(): void;
}
export interface TcpParts {
  readonly send: (segment: Omit<Tcp, 'fromPort' | 'toPort'>) => void;
  readonly connect: (events: StreamEvents) => Stream;
  /** Calls it once after so many milliseconds, unless it is cancelled. */
  readonly later: (milliseconds: number, call: () => void) => () => void;
  readonly initialSequence: number;
  /** This end is done with. */
  readonly gone: () => void;
}

const WINDOW = 0xffff;
const SEGMENT = 1460;
const SMALLEST_SEGMENT = 64;
/** Bytes that wait for the guest, from which on the host's stream is paused. */
const MOST_WAITING = 1 << 18;
const RESEND_MS = 300;
const MOST_RESENDS = 12;
/** Time that a connection is kept that one side has ended. */
const LINGER_MS = 60_000;

const distance = (a: number, b: number): number => (a - b) | 0;

/** Answers the guest's SYN as soon as the host is connected. */
export function openTcp(syn: Tcp, parts: TcpParts): TcpEnd {
  const size = Math.max(SMALLEST_SEGMENT, Math.min(SEGMENT, syn.segmentSize ?? 536));
  let expected = (syn.sequence + 1) >>> 0;
  /** Sequence number of the first byte that the guest has not acknowledged; our SYN and FIN count as one each. */
  let unacknowledged = parts.initialSequence >>> 0;
  /** What follows it, sent or not. */
  let waiting = new Uint8Array(0);
  let sent = 0;
  let window = syn.window;
  let connected = false;
  let greeted = false;
  let blocked = false;
  let guestEnded = false;
  let hostEnded = false;
  let finSent = false;
  let finAcknowledged = false;
  let closed = false;
  let resends = 0;
  let cancelResend: (() => void) | undefined;
  let cancelLinger: (() => void) | undefined;

  function send(flags: number, sequence: number, data = new Uint8Array(0), segmentSize?: number): void {
    parts.send({ sequence: sequence >>> 0, acknowledged: expected, flags, window: blocked ? 0 : WINDOW, segmentSize, data });
  }
  const acknowledge = (): void => send(TcpFlag.Ack, unacknowledged + sent + Number(finSent && !finAcknowledged));

  function close(): void {
    if (closed) return;
    closed = true;
    cancelResend?.();
    cancelLinger?.();
    stream.destroy();
    parts.gone();
  }
  function reset(): void {
    if (closed) return;
    send(TcpFlag.Reset | TcpFlag.Ack, unacknowledged + sent);
    close();
  }

  /** Sends what the guest's window takes. */
  function push(): void {
    if (!greeted || closed) return;
    while (sent < waiting.length && sent < window) {
      const piece = waiting.slice(sent, sent + Math.min(size, window - sent));
      send(TcpFlag.Ack | (sent + piece.length === waiting.length ? TcpFlag.Push : 0), unacknowledged + sent, piece);
      sent += piece.length;
    }
    if (hostEnded && !finSent && sent === waiting.length) {
      send(TcpFlag.Fin | TcpFlag.Ack, unacknowledged + sent);
      finSent = true;
    }
    watch();
  }
  /** Until all is acknowledged, it is sent again from time to time; into a closed window, a byte of it. */
  function watch(): void {
    const open = !greeted || waiting.length > 0 || (finSent && !finAcknowledged);
    if (!open) {
      cancelResend?.();
      cancelResend = undefined;
      resends = 0;
      return;
    }
    cancelResend ??= parts.later(RESEND_MS * 2 ** Math.min(resends, 5), () => {
      cancelResend = undefined;
      if (++resends > MOST_RESENDS) return reset();
      if (!greeted) return greet();
      const again = waiting.slice(0, Math.max(1, Math.min(size, window)));
      if (again.length > 0) {
        send(TcpFlag.Ack | TcpFlag.Push, unacknowledged, again);
        sent = Math.max(sent, again.length);
      } else send(TcpFlag.Fin | TcpFlag.Ack, unacknowledged);
      watch();
    });
  }
  function greet(): void {
    send(TcpFlag.Syn | TcpFlag.Ack, unacknowledged, undefined, SEGMENT);
    watch();
  }

  function acknowledgedUpTo(number: number): void {
    let bytes = distance(number, unacknowledged);
    if (!greeted) {
      if (bytes !== 1) return;
      greeted = true;
      bytes = 0;
      unacknowledged = number;
    }
    if (bytes <= 0 || bytes > sent + Number(finSent)) return;
    resends = 0;
    cancelResend?.();
    cancelResend = undefined;
    if (finSent && bytes === sent + 1) {
      finAcknowledged = true;
      bytes--;
      unacknowledged = (unacknowledged + 1) >>> 0;
    }
    unacknowledged = (unacknowledged + bytes) >>> 0;
    waiting = waiting.slice(bytes);
    sent -= bytes;
    if (waiting.length < MOST_WAITING) stream.resume();
  }
  function finished(): void {
    if (guestEnded && finAcknowledged) close();
    else if (guestEnded || finSent) cancelLinger ??= parts.later(LINGER_MS, close);
  }

  const stream = parts.connect({
    connected() {
      if (closed) return;
      connected = true;
      greet();
    },
    data(bytes) {
      if (closed) return;
      const more = new Uint8Array(waiting.length + bytes.length);
      more.set(waiting);
      more.set(bytes, waiting.length);
      waiting = more;
      if (waiting.length >= MOST_WAITING) stream.pause();
      push();
    },
    drained() {
      if (!blocked || closed) return;
      blocked = false;
      acknowledge();
    },
    ended() {
      hostEnded = true;
      push();
      finished();
    },
    failed: reset,
  });

  return {
    close,
    segment(got) {
      if (closed || !connected) {
        if (got.flags & TcpFlag.Reset) close();
        return;
      }
      if (got.flags & TcpFlag.Reset) {
        // RFC 5961: one at the very place that is expected
        if (got.sequence === expected) close();
        return;
      }
      if (got.flags & TcpFlag.Syn) {
        if (!greeted) greet();
        return;
      }
      if (!(got.flags & TcpFlag.Ack)) return;
      window = got.window;
      acknowledgedUpTo(got.acknowledged);
      if (closed || !greeted) return;
      const known = distance(expected, got.sequence);
      const length = got.data.length + (got.flags & TcpFlag.Fin);
      if (length > 0) {
        // only what follows is taken; the guest sends the rest again
        if (known >= 0 && known < length && !guestEnded && !blocked) {
          const data = got.data.slice(known);
          expected = (expected + data.length) >>> 0;
          if (data.length > 0 && !stream.write(data)) blocked = true;
          if (got.flags & TcpFlag.Fin) {
            expected = (expected + 1) >>> 0;
            guestEnded = true;
            stream.end();
          }
        }
        acknowledge();
      }
      push();
      finished();
    },
  };
}
