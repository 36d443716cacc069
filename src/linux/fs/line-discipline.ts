import type { TerminalMode } from './vfs.ts';

/** Signals that characters stand for. */
export type TypedSignal = 'SIGINT' | 'SIGQUIT' | 'SIGTSTP';

const RETURN = 13;
const NEWLINE = 10;
const BACKSPACE = 8;
const DELETE = 127;
const CARET = 94;

export const START: TerminalMode = {
  canonical: true,
  echo: true,
  signals: true,
  mapReturn: true,
  mapNewline: true,
  isPolled: false,
  interrupt: 3,
  quit: 0x1c,
  erase: DELETE,
  kill: 0x15,
  endOfFile: 4,
  suspend: 0x1a,
};

/** What a terminal does with typed bytes before a program reads them (termios(3)): signals, line editing, echo. */
export class LineDiscipline {
  mode: TerminalMode = START;
  private line: number[] = [];

  constructor(
    private readonly show: (bytes: Uint8Array) => void,
    private readonly signal: (name: TypedSignal) => void,
  ) {}

  /** What can be read after these bytes were typed. In canonical mode each piece is a line; an empty one is end of file. */
  input(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (const typed of bytes) {
      const byte = typed === RETURN && this.mode.mapReturn ? NEWLINE : typed;
      if (byte !== 0 && this.control(byte, pieces)) continue;
      this.line.push(byte);
      this.echo(byte);
      if (this.mode.canonical && byte === NEWLINE) this.finish(pieces);
    }
    if (!this.mode.canonical && this.line.length > 0) this.finish(pieces);
    return pieces;
  }

  private finish(pieces: Uint8Array[]): void {
    pieces.push(Uint8Array.from(this.line));
    this.line = [];
  }

  /** Acts on a control character; false if the byte is input. */
  private control(byte: number, pieces: Uint8Array[]): boolean {
    const { mode } = this;
    if (mode.signals && (byte === mode.interrupt || byte === mode.quit || byte === mode.suspend)) {
      this.echo(byte);
      this.line = [];
      this.signal(byte === mode.interrupt ? 'SIGINT' : byte === mode.quit ? 'SIGQUIT' : 'SIGTSTP');
      return true;
    }
    if (!mode.canonical) return false;
    if (byte === mode.endOfFile) this.finish(pieces);
    else if (byte === mode.erase) this.erase();
    else if (byte === mode.kill) while (this.line.length > 0) this.erase();
    else return false;
    return true;
  }

  /** Takes back the last character, all bytes of it if it is UTF-8. */
  private erase(): void {
    if (this.line.length === 0) return;
    while (this.line.length > 1 && (this.line[this.line.length - 1] & 0xc0) === 0x80) this.line.pop();
    const byte = this.line.pop()!;
    const width = byte < 32 || byte === DELETE ? 2 : 1;
    if (this.mode.echo) for (let i = 0; i < width; i++) this.show(Uint8Array.of(BACKSPACE, 32, BACKSPACE));
  }

  private echo(byte: number): void {
    if (!this.mode.echo) return;
    if (byte === NEWLINE) this.show(this.mode.mapNewline ? Uint8Array.of(RETURN, NEWLINE) : Uint8Array.of(NEWLINE));
    else if (byte < 32 || byte === DELETE) this.show(Uint8Array.of(CARET, byte ^ 64));
    else this.show(Uint8Array.of(byte));
  }
}
