import { Layout } from '../shared/layout';
import { UnpackPlace } from '../shared/unpack';

/** Sixteen tables of 256 words: what a byte does to the remainder once n other bytes have followed. */
const TABLES: u32 = Layout.UOPS + UnpackPlace.TABLES;
const TABLE: u32 = 1024;
const COUNT: u32 = 16;
const POLYNOMIAL: u32 = 0xedb88320;

/** To be called before `crc32`. */
export function crc32_tables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let i = 0; i < 8; i++) remainder = (remainder >>> 1) ^ (POLYNOMIAL & (0 - (remainder & 1)));
    store<u32>(TABLES + 4 * byte, remainder);
  }
  for (let at = TABLES + TABLE; at < TABLES + COUNT * TABLE; at += 4) {
    const before = load<u32>(at - TABLE);
    store<u32>(at, (before >>> 8) ^ word(before & 0xff, 0));
  }
}

function word(byte: u32, table: u32): u32 {
  return load<u32>(TABLES + TABLE * table + 4 * byte);
}

/** Of four bytes, the first of which has `table` others behind it. */
function four(bytes: u32, table: u32): u32 {
  return (
    word(bytes & 0xff, table) ^
    word((bytes >>> 8) & 0xff, table - 1) ^
    word((bytes >>> 16) & 0xff, table - 2) ^
    word(bytes >>> 24, table - 3)
  );
}

/** CRC32 of the bytes from `start` to `end`, whose remainder so far is `before`. */
export function crc32(start: u32, end: u32): u32 {
  let crc: u32 = 0xffffffff;
  let at = start;
  for (; at + COUNT <= end; at += COUNT)
    crc = four(load<u32>(at) ^ crc, 15) ^ four(load<u32>(at, 4), 11) ^ four(load<u32>(at, 8), 7) ^ four(load<u32>(at, 12), 3);
  for (; at < end; at++) crc = (crc >>> 8) ^ word((crc ^ load<u8>(at)) & 0xff, 0);
  return ~crc;
}
