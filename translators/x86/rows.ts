import type { SensitiveInstruction } from '../../src/isa/system.ts';
import { makeTable, type OpcodeTable } from './decode.ts';
import type { Row } from './row.ts';
import { arithmetic } from './rows/arithmetic.ts';
import { bcd } from './rows/bcd.ts';
import { bit } from './rows/bit.ts';
import { control } from './rows/control.ts';
import { logic } from './rows/logic.ts';
import { misc } from './rows/misc.ts';
import { mmxRows } from './rows/mmx.ts';
import { move } from './rows/move.ts';
import { shift } from './rows/shift.ts';
import { sse } from './rows/sse.ts';
import { sse2 } from './rows/sse2.ts';
import { sse3 } from './rows/sse3.ts';
import { ssse3 } from './rows/ssse3.ts';
import { stack } from './rows/stack.ts';
import { string } from './rows/string.ts';
import { system } from './rows/system.ts';
import { x87 } from './rows/x87.ts';
import { numberSensitive, sensitiveList } from './system/sensitive.ts';

let all: readonly Row[] | undefined;
/** All instruction forms; the published instruction list. Made when it is first asked for: a start with saved translations lifts nothing. */
export function rows(): readonly Row[] {
  all ??= [
    ...move(),
    ...arithmetic(),
    ...logic(),
    ...shift(),
    ...bit(),
    ...control(),
    ...stack(),
    ...string(),
    ...bcd(),
    ...misc(),
    ...system(),
    ...x87(),
    ...mmxRows(),
    ...sse(),
    ...sse2(),
    ...sse3(),
    ...ssse3(),
  ];
  return all;
}

let sensitive: readonly SensitiveInstruction[] | undefined;
/** Those that are privileged or sensitive, by the numbers that lifting gives them. */
export function sensitiveInstructions(): readonly SensitiveInstruction[] {
  sensitive ??= sensitiveList(rows());
  return sensitive;
}

let opcodes: OpcodeTable | undefined;
export function table(): OpcodeTable {
  if (!opcodes) {
    numberSensitive(sensitiveInstructions());
    opcodes = makeTable(rows());
  }
  return opcodes;
}
