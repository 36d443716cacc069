import type { Credentials, Process } from './process.ts';

/** What root may do, apart (capabilities(7)). */
export const enum Cap {
  Chown = 0,
  DacOverride = 1,
  DacReadSearch = 2,
  Fowner = 3,
  Fsetid = 4,
  Kill = 5,
  Setgid = 6,
  Setuid = 7,
  Setpcap = 8,
  NetBindService = 10,
  NetAdmin = 12,
  IpcLock = 14,
  IpcOwner = 15,
  SysChroot = 18,
  SysPtrace = 19,
  SysAdmin = 21,
  SysNice = 23,
  SysResource = 24,
  SysTime = 25,
  Mknod = 27,
  Lease = 28,
  Last = 40,
}

/** Sets of capabilities, a bit each. */
export interface Capabilities {
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
  bounding: bigint;
  ambient: bigint;
  /** SECBIT_… */
  secureBits: number;
}

export const ALL_CAPABILITIES = (1n << BigInt(Cap.Last + 1)) - 1n;

export const enum SecureBit {
  NoRoot = 1,
  NoSetuidFixup = 4,
  KeepCaps = 0x10,
  NoAmbientRaise = 0x40,
  All = 0xff,
}

export const initialCapabilities = (uid: number): Capabilities => {
  const own = uid === 0 ? ALL_CAPABILITIES : 0n;
  return { effective: own, permitted: own, inheritable: 0n, bounding: ALL_CAPABILITIES, ambient: 0n, secureBits: 0 };
};

export const capabilityBit = (capability: number): bigint => 1n << BigInt(capability);

export const capable = ({ credentials }: Process, capability: Cap): boolean =>
  (credentials.capabilities.effective & capabilityBit(capability)) !== 0n;

/** What a change of user ids does to capabilities. */
export function userChanged({ capabilities, uid, euid, suid }: Credentials, before: Pick<Credentials, 'uid' | 'euid' | 'suid'>): void {
  if (capabilities.secureBits & SecureBit.NoSetuidFixup) return;
  const wasRoot = before.uid === 0 || before.euid === 0 || before.suid === 0;
  if (wasRoot && uid !== 0 && euid !== 0 && suid !== 0) {
    if (!(capabilities.secureBits & SecureBit.KeepCaps)) {
      capabilities.permitted = 0n;
      capabilities.effective = 0n;
    }
    capabilities.ambient = 0n;
  }
  if (before.euid === 0 && euid !== 0) capabilities.effective = 0n;
  if (before.euid !== 0 && euid === 0) capabilities.effective = capabilities.permitted;
}

/** Those that touch files follow the user id for files. */
export function fileUserChanged({ capabilities, fsuid }: Credentials, before: number): void {
  if (capabilities.secureBits & SecureBit.NoSetuidFixup) return;
  if (before === 0 && fsuid !== 0) capabilities.effective &= ~FILE_CAPABILITIES;
  if (before !== 0 && fsuid === 0) capabilities.effective |= capabilities.permitted & FILE_CAPABILITIES;
}
/** CAP_FS_SET: also CAP_MKNOD and CAP_MAC_OVERRIDE. */
const FILE_CAPABILITIES = [Cap.Chown, Cap.DacOverride, Cap.DacReadSearch, Cap.Fowner, Cap.Fsetid, 9, 27, 32]
  .map(capabilityBit)
  .reduce((all, bit) => all | bit);

/** Those of a program that begins, whose file has none of its own. `changed`: by a set-user-ID or set-group-ID bit. */
export function forProgram({ capabilities, uid, euid }: Credentials, changed: boolean): Capabilities {
  const ambient = changed ? 0n : capabilities.ambient;
  const isRoot = !(capabilities.secureBits & SecureBit.NoRoot) && (uid === 0 || euid === 0);
  const permitted = isRoot ? capabilities.inheritable | capabilities.bounding : ambient;
  return {
    ...capabilities,
    ambient,
    permitted,
    effective: isRoot && euid === 0 ? permitted : ambient,
    secureBits: capabilities.secureBits & ~SecureBit.KeepCaps,
  };
}
