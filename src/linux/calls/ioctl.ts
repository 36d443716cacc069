import { Errno } from '../errno.ts';
import type { Terminal } from '../fs/vfs.ts';
import { backgroundUse, setForeground, takeTerminal } from '../job-control.ts';
import { isSocket } from '../net/socket.ts';
import type { Process } from '../process.ts';
import type { Syscall } from '../syscall.ts';
import { interfaceRequest } from './interface.ts';

// Offsets, bits and indexes of struct termios that are the same in all ABIs.
const C_LFLAG = 12;
const C_CC = 17;
const ICRNL = 0x100;
const enum Local {
  ISIG = 1,
  ICANON = 2,
  ECHO = 8,
}
const enum Character {
  VINTR = 0,
  VQUIT = 1,
  VERASE = 2,
  VKILL = 3,
  VSUSP = 10,
}
const B38400 = 38400;

/** What the terminal was last set to, or what a new one is. */
function settings(p: Process, terminal: Terminal): Uint8Array {
  if (terminal.settings) return terminal.settings;
  const { size, flags, characters } = p.abi.termios;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  flags.forEach((word, i) => {
    view.setUint32(i * 4, word, p.abi.isa.endian === 'little');
  });
  bytes.set(characters, C_CC);
  return bytes;
}

function setSettings(p: Process, terminal: Terminal, address: number): number {
  const refused = backgroundUse(p, 'SIGTTOU');
  if (refused) return refused;
  const bytes = p.memory.view(address, p.abi.termios.size, 'read').slice();
  terminal.settings = bytes;
  const view = new DataView(bytes.buffer);
  const little = p.abi.isa.endian === 'little';
  const iflag = view.getUint32(0, little);
  const lflag = view.getUint32(C_LFLAG, little);
  const character = (index: number) => bytes[C_CC + index];
  terminal.setMode({
    canonical: (lflag & Local.ICANON) !== 0,
    echo: (lflag & Local.ECHO) !== 0,
    signals: (lflag & Local.ISIG) !== 0,
    mapReturn: (iflag & ICRNL) !== 0,
    interrupt: character(Character.VINTR),
    quit: character(Character.VQUIT),
    erase: character(Character.VERASE),
    kill: character(Character.VKILL),
    endOfFile: character(p.abi.termios.endOfFile),
    suspend: character(Character.VSUSP),
  });
  return 0;
}

/** struct winsize: rows, columns, and pixels, which are unknown. */
function writeWindowSize(p: Process, address: number, terminal: Terminal): void {
  p.memory.view(address, 8, 'write').fill(0);
  p.memory.setU16(address, terminal.rows());
  p.memory.setU16(address + 2, terminal.columns());
}

export const ioctl: Syscall = (p, a) => {
  const [fd, request, argument] = a;
  const descriptor = p.files.descriptor(fd);
  const { description } = descriptor;
  const { file } = description;
  if (description.pathOnly) return -Errno.EBADF;
  const name = p.abi.ioctl.get(request);
  switch (name) {
    case 'FIOCLEX':
      descriptor.closeOnExec = true;
      return 0;
    case 'FIONCLEX':
      descriptor.closeOnExec = false;
      return 0;
    case 'FIONBIO':
      description.nonblock = p.memory.u32(argument) !== 0;
      return 0;
    case 'FIONREAD': {
      let available: number;
      if (file?.available) available = file.available();
      else if (file?.truncate) available = Math.max(0, file.inode.stat().size - description.position);
      else return -Errno.ENOTTY;
      p.memory.setU32(argument, Math.min(available, 0x7fffffff));
      return 0;
    }
    case 'FIOASYNC':
      return p.memory.u32(argument) === 0 ? 0 : -Errno.ENOTTY;
    case 'TIOCOUTQ':
      if (!isSocket(file)) break;
      // what has been sent has arrived
      p.memory.setU32(argument, 0);
      return 0;
    case undefined:
      return (isSocket(file) ? interfaceRequest(p, request, argument) : undefined) ?? -Errno.ENOTTY;
  }
  const terminal = file?.terminal;
  if (!terminal) return -Errno.ENOTTY;
  switch (name) {
    case 'TCGETS':
      p.memory.write(argument, settings(p, terminal));
      return 0;
    case 'TCGETS2':
      p.memory.write(argument, settings(p, terminal));
      p.memory.setU32(argument + p.abi.termios.speeds, B38400);
      p.memory.setU32(argument + p.abi.termios.speeds + 4, B38400);
      return 0;
    case 'TCSETS':
    case 'TCSETSW':
    case 'TCSETSF':
    case 'TCSETS2':
    case 'TCSETSW2':
    case 'TCSETSF2':
      return setSettings(p, terminal, argument);
    case 'TIOCGWINSZ':
      writeWindowSize(p, argument, terminal);
      return 0;
    // The host's window has the size it has.
    case 'TIOCSWINSZ':
      p.memory.view(argument, 8, 'read');
      return 0;
    case 'TIOCGPGRP':
      if (p.group.sid !== p.system.session) return -Errno.ENOTTY;
      p.memory.setU32(argument, p.system.foreground);
      return 0;
    case 'TIOCSPGRP':
      return setForeground(p, p.memory.u32(argument));
    case 'TIOCGSID':
      if (p.group.sid !== p.system.session) return -Errno.ENOTTY;
      p.memory.setU32(argument, p.system.session);
      return 0;
    case 'TIOCSCTTY':
      return takeTerminal(p);
    case 'TIOCOUTQ':
      p.memory.setU32(argument, 0);
      return 0;
    case 'TIOCNOTTY':
    case 'TIOCEXCL':
    case 'TIOCNXCL':
    case 'TCSBRK':
    case 'TCSBRKP':
    case 'TCXONC':
    case 'TCFLSH':
      return 0;
  }
};
