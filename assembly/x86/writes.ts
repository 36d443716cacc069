/** Writes that a store in the IR cannot say. Both return 1 for a memory fault. */
import { checkWrite, guestStore } from '../memory';

/** Stores 16 bits if `condition` is not 0. */
export function x86_store16_if(address: u32, value: u32, condition: u32): u32 {
  if (condition == 0) return 0;
  if (!checkWrite(address, 2)) return 1;
  guestStore<u16>(address, u16(value));
  return 0;
}

/** Whether a write would fault. */
export function x86_probe_write(address: u32, bytes: u32): u32 {
  return u32(!checkWrite(address, bytes));
}
