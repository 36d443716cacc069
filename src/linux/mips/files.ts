import { byNumber, type FcntlName, type FileAbi, type IoctlName, nanoseconds, seconds } from '../calls/file-abi.ts';
import { fail } from '../fs/fail.ts';

/** arch/mips/include/uapi/asm/ioctls.h */
const IOCTL: Record<IoctlName, number> = {
  TCGETS: 0x540d,
  TCSETS: 0x540e,
  TCSETSW: 0x540f,
  TCSETSF: 0x5410,
  TCGETS2: 0x4030542a,
  TCSETS2: 0x8030542b,
  TCSETSW2: 0x8030542c,
  TCSETSF2: 0x8030542d,
  TIOCGWINSZ: 0x40087468,
  TIOCSWINSZ: 0x80087467,
  TIOCGPGRP: 0x40047477,
  TIOCSPGRP: 0x80047476,
  TIOCGSID: 0x7416,
  TIOCSCTTY: 0x5480,
  TIOCNOTTY: 0x5471,
  TIOCOUTQ: 0x7472,
  TIOCEXCL: 0x740d,
  TIOCNXCL: 0x740e,
  TCSBRK: 0x5405,
  TCSBRKP: 0x5486,
  TCXONC: 0x5406,
  TCFLSH: 0x5407,
  TIOCGPTN: 0x40045430,
  TIOCSPTLCK: 0x80045431,
  TIOCGPTLCK: 0x40045439,
  TIOCGPTPEER: 0x20005441,
  FIONREAD: 0x467f,
  FIONBIO: 0x667e,
  FIOASYNC: 0x667d,
  FIOCLEX: 0x6601,
  FIONCLEX: 0x6602,
};

/** arch/mips/include/uapi/asm/fcntl.h */
const FCNTL: Record<FcntlName, number> = {
  F_DUPFD: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_SETLK: 6,
  F_SETLKW: 7,
  F_SETSIG: 10,
  F_GETSIG: 11,
  F_GETLK: 14,
  F_GETOWN: 23,
  F_SETOWN: 24,
  F_GETLK64: 33,
  F_SETLK64: 34,
  F_SETLKW64: 35,
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

/** Files in the o32 ABI; the same for both byte orders. */
export const mipsFiles: FileAbi = {
  open: {
    O_CREAT: 0x100,
    O_EXCL: 0x400,
    O_NOCTTY: 0x800,
    O_TRUNC: 0x200,
    O_APPEND: 0x8,
    O_NONBLOCK: 0x80,
    O_DSYNC: 0x10,
    O_SYNC: 0x4010,
    O_DIRECT: 0x8000,
    O_LARGEFILE: 0x2000,
    O_DIRECTORY: 0x10000,
    O_NOFOLLOW: 0x20000,
    O_ASYNC: 0x1000,
    O_NOATIME: 0x40000,
    O_CLOEXEC: 0x80000,
    O_PATH: 0x200000,
    O_TMPFILE: 0x410000,
  },
  ioctl: byNumber(IOCTL),
  fcntl: byNumber(FCNTL),
  locks: { narrow: { isWide: false, start: 4, length: 8, pid: 16 }, wide: { isWide: true, start: 8, length: 16, pid: 24 } },
  termios: {
    size: 40,
    speeds: 40,
    // ICRNL IXON IUTF8, OPOST ONLCR, B38400 CS8 CREAD, ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN
    flags: [0x4500, 0x5, 0xbf, 0xb3b],
    // VINTR VQUIT VERASE VKILL VMIN VTIME VEOL2 VSWTC VSTART VSTOP VSUSP - VREPRINT VDISCARD VWERASE VLNEXT VEOF VEOL
    characters: [3, 0x1c, 0x7f, 0x15, 1, 0, 0, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 4, 0],
    endOfFile: 16,
    minimum: 4,
  },
  epollData: 8,

  // arch/mips/include/uapi/asm/stat.h
  writeStat({ memory }, address, status) {
    if (status.size > 0x7fffffff || status.inode > 0xffffffff) fail('EOVERFLOW');
    memory.view(address, 144, 'write').fill(0);
    memory.setU32(address, status.device);
    memory.setU32(address + 16, status.inode);
    memory.setU32(address + 20, status.mode);
    memory.setU32(address + 24, status.links);
    memory.setU32(address + 28, status.uid);
    memory.setU32(address + 32, status.gid);
    memory.setU32(address + 36, status.rdevice);
    memory.setU32(address + 48, status.size);
    [status.atime, status.mtime, status.ctime].forEach((time, i) => {
      memory.setU32(address + 56 + i * 8, seconds(time));
      memory.setU32(address + 60 + i * 8, nanoseconds(time));
    });
    memory.setU32(address + 80, status.blockSize);
    memory.setU32(address + 84, status.blocks);
  },
  writeStat64({ memory }, address, status) {
    memory.view(address, 104, 'write').fill(0);
    memory.setU32(address, status.device);
    memory.setU64(address + 16, BigInt(status.inode));
    memory.setU32(address + 24, status.mode);
    memory.setU32(address + 28, status.links);
    memory.setU32(address + 32, status.uid);
    memory.setU32(address + 36, status.gid);
    memory.setU32(address + 40, status.rdevice);
    memory.setU64(address + 56, BigInt(status.size));
    [status.atime, status.mtime, status.ctime].forEach((time, i) => {
      memory.setU32(address + 64 + i * 8, seconds(time));
      memory.setU32(address + 68 + i * 8, nanoseconds(time));
    });
    memory.setU32(address + 88, status.blockSize);
    memory.setU64(address + 96, BigInt(status.blocks));
  },

  // arch/mips/include/uapi/asm/statfs.h
  writeStatfs({ memory }, address, status) {
    const counts = [status.blocks, status.free, status.files, status.freeFiles, status.available];
    if (counts.some((count) => count > 0xffffffffn)) fail('EOVERFLOW');
    memory.view(address, 68, 'write').fill(0);
    memory.setU32(address, status.magic);
    memory.setU32(address + 4, status.blockSize);
    memory.setU32(address + 8, status.blockSize);
    counts.forEach((count, i) => {
      memory.setU32(address + 12 + i * 4, Number(count));
    });
    memory.setU32(address + 32, status.device);
    memory.setU32(address + 40, 255);
    memory.setU32(address + 44, status.readOnly ? 0x21 : 0x20);
  },
  writeStatfs64({ memory }, address, status) {
    memory.view(address, 96, 'write').fill(0);
    memory.setU32(address, status.magic);
    memory.setU32(address + 4, status.blockSize);
    memory.setU32(address + 8, status.blockSize);
    [status.blocks, status.free, status.files, status.freeFiles, status.available].forEach((count, i) => {
      memory.setU64(address + 16 + i * 8, count);
    });
    memory.setU32(address + 56, status.device);
    memory.setU32(address + 64, 255);
    memory.setU32(address + 68, status.readOnly ? 0x21 : 0x20);
  },
};
