import { PagePermission } from '../../vcpu/guest-memory.ts';
import type { ElfFile } from '../elf.ts';

const BYTE_0F = 0x0f;
const BYTE_AE = 0xae;

/** Whether a file has code that can look at MXCSR: LDMXCSR, STMXCSR, FXSAVE or FXRSTOR (0F AE /0 to /3 with a memory operand). */
export function looksAtMxcsr({ bytes, segments }: ElfFile): boolean {
  return segments.some(({ offset, fileSize, permission }) => {
    if (!(permission & PagePermission.Execute)) return false;
    const end = offset + fileSize - 1;
    for (let at = bytes.indexOf(BYTE_AE, offset + 1); at > 0 && at < end; at = bytes.indexOf(BYTE_AE, at + 1)) {
      const operand = bytes[at + 1];
      if (bytes[at - 1] === BYTE_0F && operand < 0xc0 && (operand & 0x20) === 0) return true;
    }
    return false;
  });
}
