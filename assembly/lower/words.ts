// The µops of the block that is lowered, one word after the other.
import { Uop } from '../shared/uop';

/** Address of the next word. */
let at: u32 = 0;

export function place(): u32 {
  return at;
}
export function goTo(address: u32): void {
  at = address;
}
export function emitWord(word: u32): void {
  store<u32>(at, word);
  at += 4;
}
export function emitPair(low: u32, high: u32): void {
  emitWord(low | (high << 16));
}
export function emitConst32(address: u32, value: u32): void {
  emitPair(Uop.CONST32, address);
  emitWord(value);
}
export function emitMove(bytes: u32, to: u32, from: u32): void {
  emitPair(bytes === 4 ? Uop.MOVE32 : bytes === 8 ? Uop.MOVE64 : Uop.MOVE128, to);
  emitWord(from);
}
