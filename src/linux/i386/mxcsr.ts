import { PagePermission } from '../../vcpu/guest-memory.ts';
import type { ElfFile } from '../elf.ts';
import { dynamicSymbols, type ReadableFile } from '../elf-symbols.ts';

const BYTE_0F = 0x0f;
const BYTE_AE = 0xae;
const CALL = 0xe8;
const ADD_EAX = 0x05;
const ADD = 0x81;
const MOV = 0x8b;
const RET = 0xc3;

/** Functions of fenv.h that tell what MXCSR’s flags are. */
const TELLING = ['fetestexcept', 'fegetexceptflag', 'fegetenv', 'feholdexcept', 'fegetmode'];
/** The C library’s objects define one of these. They look at MXCSR to keep and change the rest of it, and in the functions above. */
const OF_C_LIBRARY = ['fetestexcept', '__libc_start_main'];

/** Whether a program with this code of this file can look at MXCSR: by the code's own instructions, or as the file calls the C library. */
export function looksAtMxcsr(code: Uint8Array, file: ReadableFile): boolean {
  const symbols = dynamicSymbols(file, [...TELLING, ...OF_C_LIBRARY]);
  if (TELLING.some((name) => symbols.get(name) === 'undefined')) return true;
  return !OF_C_LIBRARY.some((name) => symbols.get(name) === 'defined') && hasInstruction(code);
}

export const programLooksAtMxcsr = ({ bytes, segments }: ElfFile): boolean =>
  segments.some(
    ({ offset, fileSize, permission }) =>
      permission & PagePermission.Execute &&
      looksAtMxcsr(bytes.subarray(offset, offset + fileSize), {
        size: () => bytes.length,
        read(into, position) {
          const part = bytes.subarray(position, position + into.length);
          into.set(part);
          return part.length;
        },
      }),
  );

/** LDMXCSR, STMXCSR, FXSAVE or FXRSTOR: 0F AE /0 to /3 with a memory operand. */
function hasInstruction(code: Uint8Array): boolean {
  for (let at = code.indexOf(BYTE_AE, 1); at > 0 && at + 1 < code.length; at = code.indexOf(BYTE_AE, at + 1)) {
    const operand = code[at + 1];
    if (code[at - 1] === BYTE_0F && operand < 0xc0 && (operand & 0x20) === 0 && !inDistance(code, at - 1)) return true;
  }
  return false;
}

/** Position-independent functions begin with a call that gives them their address and an ADD of the distance to data; it is bytes of that. */
function inDistance(code: Uint8Array, at: number): boolean {
  const opcode = code[at - 1] === ADD_EAX ? at - 1 : code[at - 2] === ADD && (code[at - 1] & 0xf8) === 0xc0 ? at - 2 : 0;
  if (opcode < 5 || code[opcode - 5] !== CALL) return false;
  const distance = code[opcode - 4] | (code[opcode - 3] << 8) | (code[opcode - 2] << 16) | (code[opcode - 1] << 24);
  const thunk = opcode + distance;
  // MOV register, [ESP]; RET
  return code[thunk] === MOV && (code[thunk + 1] & 0xc7) === 0x04 && code[thunk + 2] === 0x24 && code[thunk + 3] === RET;
}
