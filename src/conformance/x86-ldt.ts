import { makeDescriptor, UserDesc } from '../../translators/x86/abi.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

/** Vectors have a local descriptor table whose entry n has the user_desc flags n of modify_ldt. */
export const VECTOR_LDT_ENTRIES = 128;
/** What modify_ldt refuses: a conforming code segment that is present. */
const REFUSED = UserDesc.CONTENTS;

/** Fills that table, in a vCPU whose table nobody else fills. */
export function fillVectorLdt(vcpu: Vcpu): void {
  const entries = new DataView(new ArrayBuffer(8 * VECTOR_LDT_ENTRIES));
  for (let n = 0; n < VECTOR_LDT_ENTRIES; n++) {
    if ((n & (UserDesc.CONTENTS | UserDesc.NOT_PRESENT)) === REFUSED) continue;
    const [low, high] = makeDescriptor(0x1000 * (n + 1), 0x1111 + n, n);
    entries.setUint32(8 * n, low, true);
    entries.setUint32(8 * n + 4, high, true);
  }
  vcpu.writeTable(0, new Uint8Array(entries.buffer));
}
