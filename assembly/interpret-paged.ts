// Loads and stores of the main loop in the memory model paged.
import { fits, slowRead, slowWrite } from './paged';
import { Layout, TlbBit } from './shared/layout';

function addressOf(ip: usize): u32 {
  return load<u32>(load<u16>(ip, 4)) + load<u32>(ip, 8);
}

/** Where the load of the µop at `ip` finds its bytes, 0 if it leaves. `read`: the TlbBit to ask for. */
export function readFrom(ip: usize, bytes: u32, read: u32): usize {
  const address: u32 = addressOf(ip);
  const entry = load<u32>((address >>> 12) << 2, Layout.TLB);
  if (entry & read && fits(address, bytes)) return address + (entry & TlbBit.ADDRESS);
  return slowRead(address, bytes);
}

/** Where the store of the µop at `ip` may go straight away, else SCRATCH. */
export function writeTo(ip: usize, bytes: u32, write: u32): usize {
  const address: u32 = addressOf(ip);
  const entry = load<u32>((address >>> 12) << 2, Layout.TLB);
  if (entry & write && fits(address, bytes)) return address + (entry & TlbBit.ADDRESS);
  return Layout.SCRATCH;
}
/** After the store: whether it is done. */
export function written(ip: usize, place: usize, bytes: u32): bool {
  return place !== Layout.SCRATCH || slowWrite(addressOf(ip), bytes) === 0;
}
