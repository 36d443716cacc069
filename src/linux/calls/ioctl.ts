import { Errno } from '../errno.ts';
import { describe } from '../fs/file-table.ts';
import type { Pseudoterminal, Terminal } from '../fs/vfs.ts';
import { backgroundUse, leaveTerminal, setForeground, takeTerminal } from '../job-control.ts';
import { isSocket } from '../net/socket.ts';
import type { Process } from '../process.ts';
import type { Syscall } from '../syscall.ts';
import { setAsynchronous } from './asynchronous.ts';
import type { IoctlName } from './file-abi.ts';
import { interfaceRequest } from './interface.ts';

// Offsets, bits and indexes of struct termios that are the same in all ABIs.
const C_LFLAG = 12;
const C_CC = 17;
const ICRNL = 0x100;
// OPOST, ONLCR
const OUTPUT_NEWLINE = 0x5;
/** tcflush(3) */
const enum Queue {
  Input = 0,
  Both = 2,
}
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
  const bytes = p.memory.view(address, p.abi.termios.size, 'read').slice();
  terminal.settings = bytes;
  const view = new DataView(bytes.buffer);
  const little = p.abi.isa.endian === 'little';
  const iflag = view.getUint32(0, little);
  const oflag = view.getUint32(4, little);
  const lflag = view.getUint32(C_LFLAG, little);
  const character = (index: number) => bytes[C_CC + index];
  terminal.setMode({
    canonical: (lflag & Local.ICANON) !== 0,
    echo: (lflag & Local.ECHO) !== 0,
    signals: (lflag & Local.ISIG) !== 0,
    mapReturn: (iflag & ICRNL) !== 0,
    mapNewline: (oflag & OUTPUT_NEWLINE) === OUTPUT_NEWLINE,
    isPolled: character(p.abi.termios.minimum) === 0,
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

/** What only the other side of a terminal is asked for (pty(7)); undefined if it is something else. */
function masterRequest(p: Process, master: Pseudoterminal, name: IoctlName, argument: number): number | undefined {
  switch (name) {
    case 'TIOCGPTN':
      p.memory.setU32(argument, master.number);
      return 0;
    case 'TIOCSPTLCK':
      master.locked = p.memory.u32(argument) !== 0;
      return 0;
    case 'TIOCGPTLCK':
      p.memory.setU32(argument, master.locked ? 1 : 0);
      return 0;
    case 'TIOCGPTPEER': {
      const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
      const mode = argument & 3;
      const access = { read: mode !== 1, write: mode !== 0 };
      const file = master.slave.open!(access);
      const nonblock = (argument & O_NONBLOCK) !== 0;
      const description = describe(master.slave, file, access, `/dev/pts/${master.number}`, { nonblock });
      return p.files.install(description, p.limits.nofile.soft, (argument & O_CLOEXEC) !== 0);
    }
  }
  return undefined;
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
      return setAsynchronous(p, fd, p.memory.u32(argument) !== 0) ? 0 : -Errno.ENOTTY;
    case 'TIOCOUTQ':
      if (!isSocket(file)) break;
      // what has been sent has arrived
      p.memory.setU32(argument, 0);
      return 0;
    case undefined:
      return (isSocket(file) ? interfaceRequest(p, request, argument) : undefined) ?? -Errno.ENOTTY;
  }
  const master = file?.master;
  const terminal = file?.terminal ?? master?.terminal;
  if (!terminal) return -Errno.ENOTTY;
  const answer = master && masterRequest(p, master, name, argument);
  if (answer !== undefined) return answer;
  const { owner } = terminal;
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
    case 'TCSETSF2': {
      const refused = master ? 0 : backgroundUse(p, terminal, 'SIGTTOU');
      if (refused) return refused;
      if (name === 'TCSETSF' || name === 'TCSETSF2') terminal.dropInput?.();
      return setSettings(p, terminal, argument);
    }
    case 'TIOCGWINSZ':
      writeWindowSize(p, argument, terminal);
      return 0;
    case 'TIOCSWINSZ': {
      p.memory.view(argument, 8, 'read');
      terminal.setSize?.(p.memory.u16(argument), p.memory.u16(argument + 2));
      return 0;
    }
    case 'TIOCGPGRP':
      if (!master && p.group.sid !== owner.session) return -Errno.ENOTTY;
      p.memory.setU32(argument, owner.foreground);
      return 0;
    case 'TIOCSPGRP':
      return setForeground(p, terminal, p.memory.u32(argument));
    case 'TIOCGSID':
      if (!master && p.group.sid !== owner.session) return -Errno.ENOTTY;
      p.memory.setU32(argument, owner.session);
      return 0;
    case 'TIOCSCTTY':
      return takeTerminal(p, terminal, argument === 1);
    case 'TIOCNOTTY':
      return leaveTerminal(p, terminal);
    case 'TCFLSH':
      if (argument > Queue.Both) return -Errno.EINVAL;
      if (argument === Queue.Input || argument === Queue.Both) terminal.dropInput?.();
      return 0;
    case 'TIOCOUTQ':
      p.memory.setU32(argument, 0);
      return 0;
    case 'TIOCEXCL':
    case 'TIOCNXCL':
    case 'TCSBRK':
    case 'TCSBRKP':
    case 'TCXONC':
      return 0;
    default:
      return -Errno.ENOTTY;
  }
};
