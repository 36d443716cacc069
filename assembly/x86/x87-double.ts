/** Between the registers of the x87 in double precision (X86.DOUBLES, from the top of the stack) and those of 80 bits. */
import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';
import { EXTENDED, setControl } from '../softfloat/binary';
import { clearFlags, controlWord, resultSe, resultSig } from '../softfloat/float80';
import { fromF64, toF64 } from '../softfloat/float80-convert';
import { physical, seOf, sigOf, write } from './x87-stack';

const DOUBLES: usize = Layout.STATE + X86.DOUBLES;

/** All registers count as in use but the one that a push writes. */
export function x87_widen(): void {
  for (let i: u32 = 0; i < 8; i++) {
    fromF64(load<u64>(DOUBLES + (i << 3)));
    write(physical(i), resultSig(), resultSe());
  }
  clearFlags();
  store<u32>(Layout.STATE + X86.FTW, 3 << (physical(7) << 1));
}

/** To nearest, whatever the control word says, and without a trace in the status word. */
export function x87_narrow(): void {
  const control = controlWord();
  setControl(EXTENDED);
  for (let i: u32 = 0; i < 8; i++) store<u64>(DOUBLES + (i << 3), toF64(sigOf(physical(i)), seOf(physical(i))));
  clearFlags();
  setControl(control);
}
