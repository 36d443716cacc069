import { describe, expect, it } from 'vitest';
import { LineDiscipline } from '../../../src/linux/fs/line-discipline.ts';
import { makeGuest } from './guest.ts';

const setup = () => {
  const shown: string[] = [];
  const signals: string[] = [];
  const discipline = new LineDiscipline(
    (bytes) => shown.push(new TextDecoder().decode(bytes)),
    (name) => signals.push(name),
  );
  const type = (text: string) => discipline.input(new TextEncoder().encode(text)).map((piece) => new TextDecoder().decode(piece));
  return { discipline, type, signals, shown: () => shown.splice(0).join('') };
};

describe('the line discipline', () => {
  it('gives whole lines, edited and echoed', () => {
    const { type, shown } = setup();
    expect(type('ab')).toEqual([]);
    expect(type('c\rde\nf')).toEqual(['abc\n', 'de\n']);
    expect(shown()).toBe('abc\r\nde\r\nf');
    expect(type('x\x7f\n')).toEqual(['f\n']);
    expect(shown()).toBe('x\b \b\r\n');
    expect(type('gone\x15kept ä\x7f!\r')).toEqual(['kept !\n']);
    expect(type('\x7f\x7f\n')).toEqual(['\n']);
  });

  it('ends input at ^D, and raises signals', () => {
    const { type, shown, signals } = setup();
    expect(type('\x04')).toEqual(['']);
    expect(type('part\x04')).toEqual(['part']);
    shown();
    expect(type('lost\x03\x1ckept\n')).toEqual(['kept\n']);
    expect(signals).toEqual(['SIGINT', 'SIGQUIT']);
    expect(shown()).toBe('lost^C^\\kept\r\n');
  });

  it('does without echo, lines and signals where it is told to', () => {
    const { discipline, type, shown, signals } = setup();
    discipline.mode = { ...discipline.mode, echo: false };
    expect(type('secret\r')).toEqual(['secret\n']);
    discipline.mode = { ...discipline.mode, canonical: false };
    expect(type('k\x7f\x04')).toEqual(['k\x7f\x04']);
    expect(type('\x03')).toEqual([]);
    expect(signals).toEqual(['SIGINT']);
    discipline.mode = { ...discipline.mode, signals: false, mapReturn: false };
    expect(type('\x03\r')).toEqual(['\x03\r']);
    expect(shown()).toBe('');
  });

  it('stands between a terminal without one and the guest', () => {
    const typed = ['abc\x7f', 'd\r', '\x04', 'more\r'];
    const output: string[] = [];
    const tty = { columns: () => 80, rows: () => 24 };
    const g = makeGuest('i386', {
      stdin: { tty, read: () => new TextEncoder().encode(typed.shift() ?? '\x04') },
      stdout: {
        tty,
        write(bytes) {
          output.push(new TextDecoder().decode(bytes));
          return bytes.length;
        },
      },
    });
    const at = g.alloc(64);
    expect(g.call('read', 0, at, 64)).toBe(4);
    expect(g.read(at, 4)).toBe('abd\n');
    expect(output.join('')).toBe('abc\b \bd\r\n');
    expect(g.call('read', 0, at, 64)).toBe(0);
    expect(g.call('read', 0, at, 3)).toBe(3);
    expect(g.call('read', 0, at + 3, 64)).toBe(2);
    expect(g.read(at, 5)).toBe('more\n');
  });
});
