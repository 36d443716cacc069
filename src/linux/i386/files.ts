import { byNumber, type FcntlName, type FileAbi, type IoctlName, nanoseconds, seconds } from '../calls/file-abi.ts';
import { fail } from '../fs/fail.ts';

/** include/uapi/asm-generic/ioctls.h */
const IOCTL: Record<IoctlName, number> = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCSETSW: 0x5403,
  TCSETSF: 0x5404,
  TCGETS2: 0x802c542a,
  TCSETS2: 0x402c542b,
  TCSETSW2: 0x402c542c,
  TCSETSF2: 0x402c542d,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TIOCGPGRP: 0x540f,
  TIOCSPGRP: 0x5410,
  TIOCGSID: 0x5429,
  TIOCSCTTY: 0x540e,
  TIOCNOTTY: 0x5422,
  TIOCOUTQ: 0x5411,
  TIOCEXCL: 0x540c,
  TIOCNXCL: 0x540d,
  TCSBRK: 0x5409,
  TCSBRKP: 0x5425,
  TCXONC: 0x540a,
  TCFLSH: 0x540b,
  TIOCGPTN: 0x80045430,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTLCK: 0x80045439,
  TIOCGPTPEER: 0x5441,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIOASYNC: 0x5452,
  FIOCLEX: 0x5451,
  FIONCLEX: 0x5450,
};

/** include/uapi/asm-generic/fcntl.h */
const FCNTL: Record<FcntlName, number> = {
  F_DUPFD: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_GETLK: 5,
  F_SETLK: 6,
  F_SETLKW: 7,
  F_SETOWN: 8,
  F_GETOWN: 9,
  F_SETSIG: 10,
  F_GETSIG: 11,
  F_GETLK64: 12,
  F_SETLK64: 13,
  F_SETLKW64: 14,
  F_SETOWN_EX: 15,
  F_GETOWN_EX: 16,
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
  F_OFD_SETLKW: 38,
  F_SETLEASE: 1024,
  F_GETLEASE: 1025,
  F_NOTIFY: 1026,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  F_GETPIPE_SZ: 1032,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
};

/** Files in the i386 ABI. */
export const i386Files: FileAbi = {
  open: {
    O_CREAT: 0x40,
    O_EXCL: 0x80,
    O_NOCTTY: 0x100,
    O_TRUNC: 0x200,
    O_APPEND: 0x400,
    O_NONBLOCK: 0x800,
    O_DSYNC: 0x1000,
    O_SYNC: 0x101000,
    O_DIRECT: 0x4000,
    O_LARGEFILE: 0x8000,
    O_DIRECTORY: 0x10000,
    O_NOFOLLOW: 0x20000,
    O_ASYNC: 0x2000,
    O_NOATIME: 0x40000,
    O_CLOEXEC: 0x80000,
    O_PATH: 0x200000,
    O_TMPFILE: 0x410000,
  },
  ioctl: byNumber(IOCTL),
  fcntl: byNumber(FCNTL),
  locks: { narrow: { isWide: false, start: 4, length: 8, pid: 12 }, wide: { isWide: true, start: 4, length: 12, pid: 20 } },
  termios: {
    size: 36,
    speeds: 36,
    // ICRNL IXON IUTF8, OPOST ONLCR, B38400 CS8 CREAD, ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN
    flags: [0x4500, 0x5, 0xbf, 0x8a3b],
    // VINTR VQUIT VERASE VKILL VEOF VTIME VMIN VSWTC VSTART VSTOP VSUSP VEOL VREPRINT VDISCARD VWERASE VLNEXT VEOL2
    characters: [3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0],
    endOfFile: 4,
    minimum: 6,
  },
  epollData: 4,

  // arch/x86/include/uapi/asm/stat.h
  writeStat({ memory }, address, status) {
    if (status.size > 0x7fffffff || status.inode > 0xffffffff || status.links > 0xffff) fail('EOVERFLOW');
    memory.view(address, 64, 'write').fill(0);
    memory.setU32(address, status.device);
    memory.setU32(address + 4, status.inode);
    memory.setU16(address + 8, status.mode);
    memory.setU16(address + 10, status.links);
    // Ids that do not fit become the overflow id.
    memory.setU16(address + 12, status.uid > 0xffff ? 65534 : status.uid);
    memory.setU16(address + 14, status.gid > 0xffff ? 65534 : status.gid);
    memory.setU32(address + 16, status.rdevice);
    memory.setU32(address + 20, status.size);
    memory.setU32(address + 24, status.blockSize);
    memory.setU32(address + 28, status.blocks);
    [status.atime, status.mtime, status.ctime].forEach((time, i) => {
      memory.setU32(address + 32 + i * 8, seconds(time));
      memory.setU32(address + 36 + i * 8, nanoseconds(time));
    });
  },
  writeStat64({ memory }, address, status) {
    memory.view(address, 96, 'write').fill(0);
    memory.setU64(address, BigInt(status.device));
    memory.setU32(address + 12, status.inode);
    memory.setU32(address + 16, status.mode);
    memory.setU32(address + 20, status.links);
    memory.setU32(address + 24, status.uid);
    memory.setU32(address + 28, status.gid);
    memory.setU64(address + 32, BigInt(status.rdevice));
    memory.setU64(address + 44, BigInt(status.size));
    memory.setU32(address + 52, status.blockSize);
    memory.setU64(address + 56, BigInt(status.blocks));
    [status.atime, status.mtime, status.ctime].forEach((time, i) => {
      memory.setU32(address + 64 + i * 8, seconds(time));
      memory.setU32(address + 68 + i * 8, nanoseconds(time));
    });
    memory.setU64(address + 88, BigInt(status.inode));
  },

  // include/uapi/asm-generic/statfs.h; struct statfs64 is packed to four bytes
  writeStatfs({ memory }, address, status) {
    const counts = [status.blocks, status.free, status.available, status.files, status.freeFiles];
    if (counts.some((count) => count > 0xffffffffn)) fail('EOVERFLOW');
    memory.view(address, 64, 'write').fill(0);
    memory.setU32(address, status.magic);
    memory.setU32(address + 4, status.blockSize);
    counts.forEach((count, i) => {
      memory.setU32(address + 8 + i * 4, Number(count));
    });
    memory.setU32(address + 28, status.device);
    memory.setU32(address + 36, 255);
    memory.setU32(address + 40, status.blockSize);
    memory.setU32(address + 44, status.readOnly ? 0x21 : 0x20);
  },
  writeStatfs64({ memory }, address, status) {
    memory.view(address, 84, 'write').fill(0);
    memory.setU32(address, status.magic);
    memory.setU32(address + 4, status.blockSize);
    [status.blocks, status.free, status.available, status.files, status.freeFiles].forEach((count, i) => {
      memory.setU64(address + 8 + i * 8, count);
    });
    memory.setU32(address + 48, status.device);
    memory.setU32(address + 56, 255);
    memory.setU32(address + 60, status.blockSize);
    memory.setU32(address + 64, status.readOnly ? 0x21 : 0x20);
  },
};
