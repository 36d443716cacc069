import { ALL_CAPABILITIES, Cap, capabilityBit, capable, SecureBit } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import type { Calls } from '../syscall.ts';
import { threadOf } from './signal.ts';

/** Words of each set in struct __user_cap_data_struct, by _LINUX_CAPABILITY_VERSION_1, 2 and 3. */
const WORDS: Readonly<Record<number, number>> = { 429392688: 1, 537333798: 2, 537396514: 2 };
const LATEST = 0x20080522;

/** The version in the header; undefined if it is none, and then the header has the latest. */
function words(p: Process, header: number): number | undefined {
  const found = WORDS[p.memory.u32(header)];
  if (found === undefined) p.memory.setU32(header, LATEST);
  return found;
}

function capget(p: Process, header: number, data: number): number {
  const count = words(p, header);
  if (count === undefined) return data === 0 ? 0 : -Errno.EINVAL;
  const pid = p.memory.i32(header + 4);
  if (pid < 0) return -Errno.EINVAL;
  const of = pid === 0 ? p : threadOf(p, pid);
  if (!of) return -Errno.ESRCH;
  if (data === 0) return 0;
  const { effective, permitted, inheritable } = of.credentials.capabilities;
  for (let word = 0; word < count; word++)
    for (const [index, set] of [effective, permitted, inheritable].entries())
      p.memory.setU32(data + word * 12 + index * 4, Number((set >> BigInt(word * 32)) & 0xffff_ffffn));
  return 0;
}

const isSubset = (set: bigint, of: bigint): boolean => (set & ~of) === 0n;

function capset(p: Process, header: number, data: number): number {
  const count = words(p, header);
  if (count === undefined) return -Errno.EINVAL;
  const pid = p.memory.i32(header + 4);
  if (pid !== 0 && pid !== p.tid) return -Errno.EPERM;
  const read = (index: number): bigint => {
    let set = 0n;
    for (let word = 0; word < count; word++) set |= BigInt(p.memory.u32(data + word * 12 + index * 4)) << BigInt(word * 32);
    return set & ALL_CAPABILITIES;
  };
  const { capabilities } = p.credentials;
  const [effective, permitted, inheritable] = [0, 1, 2].map(read);
  const mayInherit = capable(p, Cap.Setpcap) ? ALL_CAPABILITIES : capabilities.inheritable | capabilities.permitted;
  if (!isSubset(inheritable, mayInherit) || !isSubset(inheritable, capabilities.inheritable | capabilities.bounding)) return -Errno.EPERM;
  if (!isSubset(permitted, capabilities.permitted) || !isSubset(effective, permitted)) return -Errno.EPERM;
  Object.assign(capabilities, { effective, permitted, inheritable, ambient: capabilities.ambient & permitted & inheritable });
  return 0;
}

const enum Ambient {
  IsSet = 1,
  Raise = 2,
  Lower = 3,
  ClearAll = 4,
}

/** prctl(PR_CAP_AMBIENT) */
export function ambient(p: Process, a: readonly number[]): number {
  const { capabilities } = p.credentials;
  const [, operation, capability, unused4, unused5] = a;
  if (unused4 || unused5) return -Errno.EINVAL;
  if (operation === Ambient.ClearAll) {
    if (capability) return -Errno.EINVAL;
    capabilities.ambient = 0n;
    return 0;
  }
  if (capability > Cap.Last) return -Errno.EINVAL;
  const bit = capabilityBit(capability);
  switch (operation) {
    case Ambient.IsSet:
      return capabilities.ambient & bit ? 1 : 0;
    case Ambient.Raise:
      if (!(capabilities.permitted & capabilities.inheritable & bit)) return -Errno.EPERM;
      if (capabilities.secureBits & SecureBit.NoAmbientRaise) return -Errno.EPERM;
      capabilities.ambient |= bit;
      return 0;
    case Ambient.Lower:
      capabilities.ambient &= ~bit;
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

/** prctl(PR_CAPBSET_READ) and prctl(PR_CAPBSET_DROP) */
export const inBounds = (p: Process, capability: number): number =>
  capability > Cap.Last ? -Errno.EINVAL : Number((p.credentials.capabilities.bounding >> BigInt(capability)) & 1n);
export function leaveBounds(p: Process, capability: number): number {
  if (!capable(p, Cap.Setpcap)) return -Errno.EPERM;
  if (capability > Cap.Last) return -Errno.EINVAL;
  p.credentials.capabilities.bounding &= ~capabilityBit(capability);
  return 0;
}

/** prctl(PR_SET_SECUREBITS): each bit has one above it that locks it. */
export function setSecureBits(p: Process, bits: number): number {
  const { capabilities } = p.credentials;
  const locks = (capabilities.secureBits & LOCKS) >>> 1;
  const breaksLock = ((capabilities.secureBits ^ bits) & locks) !== 0 || (capabilities.secureBits & LOCKS & ~bits) !== 0;
  if (bits & ~SecureBit.All || breaksLock || !capable(p, Cap.Setpcap)) return -Errno.EPERM;
  capabilities.secureBits = bits;
  return 0;
}
const LOCKS = 0xaa;

/** prctl(PR_SET_KEEPCAPS) */
export function keepCapabilities(p: Process, keep: number): number {
  const { capabilities } = p.credentials;
  if (keep > 1) return -Errno.EINVAL;
  if (capabilities.secureBits & (SecureBit.KeepCaps << 1)) return -Errno.EPERM;
  capabilities.secureBits = keep ? capabilities.secureBits | SecureBit.KeepCaps : capabilities.secureBits & ~SecureBit.KeepCaps;
  return 0;
}

export const capabilityCalls: Calls = {
  capget: (p, a) => capget(p, a[0], a[1]),
  capset: (p, a) => capset(p, a[0], a[1]),
};
