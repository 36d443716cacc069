import { describe, expect, test } from 'vitest';
import { makeP9 } from '../../src/devices/virtio/p9.ts';
import { MemoryFileSystem } from '../../src/linux/fs/memory-fs.ts';
import { makeDriver } from './virtio-driver.ts';

type Field = readonly ['u8' | 'u16' | 'u32' | 'u64', number] | string | Uint8Array;
const u32 = (n: number) => ['u32', n] as const;
const u16 = (n: number) => ['u16', n] as const;
const u64 = (n: number) => ['u64', n] as const;

function message(type: number, fields: readonly Field[]): Uint8Array {
  const out: number[] = [0, 0, 0, 0, type, 1, 0];
  for (const field of fields) {
    if (typeof field === 'string') {
      const text = new TextEncoder().encode(field);
      out.push(text.length & 0xff, text.length >>> 8, ...text);
    } else if (field instanceof Uint8Array) out.push(...field);
    else for (let i = 0, v = field[1]; i < Number(field[0].slice(1)) / 8; i++, v = Math.floor(v / 256)) out.push(v & 0xff);
  }
  const bytes = Uint8Array.from(out);
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  return bytes;
}

/** As Linux's client at mount: version, attach; then one request at a time. */
function mounted(fileSystem = new MemoryFileSystem()) {
  const d = makeDriver(makeP9({ fileSystem, tag: 'host' }));
  d.setUp();
  const call = (type: number, ...fields: Field[]): { type: number; data: DataView; error: number } => {
    const { at } = d.offer(0, [{ bytes: message(type, fields) }, { room: 8192 }]);
    d.notify(0);
    const length = d.used(0)!.length;
    const bytes = d.memory.bytes.slice(at[1], at[1] + length);
    const data = new DataView(bytes.buffer);
    expect(data.getUint32(0, true)).toBe(length);
    return { type: bytes[4], data, error: bytes[4] === 7 ? data.getUint32(7, true) : 0 };
  };
  expect(call(100, u32(8192), '9P2000.L').data.getUint32(7, true)).toBe(8192);
  expect(call(104, u32(1), u32(0xffffffff), 'root', '', u32(0)).type).toBe(105);
  const walk = (from: number, to: number, ...names: string[]) => call(110, u32(from), u32(to), u16(names.length), ...names);
  return { call, walk, d };
}
const text = (data: DataView, at: number, length: number): string => String.fromCharCode(...new Uint8Array(data.buffer, at, length));

describe('9P2000.L', () => {
  test('a file is made, written, read, listed, renamed, removed', () => {
    const { call, walk, d } = mounted();
    expect(String.fromCharCode(d.config(2, 1), d.config(3, 1))).toBe('ho');
    walk(1, 2);
    expect(call(14, u32(2), 'note', u32(2), u32(0o640), u32(0)).type).toBe(15);
    const content = new TextEncoder().encode('hello, guest');
    expect(call(118, u32(2), u64(0), u32(content.length), content).data.getUint32(7, true)).toBe(12);
    const read = call(116, u32(2), u64(7), u32(100)).data;
    expect(text(read, 11, read.getUint32(7, true))).toBe('guest');
    walk(1, 3, 'note');
    const stat = call(24, u32(3), u64(0x7ff)).data;
    expect([stat.getUint32(28, true) & 0o777, Number(stat.getBigUint64(56, true))]).toEqual([0o640, 12]);
    expect(call(72, u32(1), 'folder', u32(0o755), u32(0)).type).toBe(73);
    walk(1, 4);
    call(12, u32(4), u32(0));
    const list = call(40, u32(4), u64(0), u32(4096)).data;
    expect(text(list, 11, list.getUint32(7, true))).toMatch(/\.\..*folder.*note/s);
    walk(1, 5, 'folder');
    expect(call(74, u32(1), 'note', u32(5), 'moved').type).toBe(75);
    expect(walk(1, 6, 'folder', 'moved').data.getUint16(7, true)).toBe(2);
    expect(call(76, u32(5), 'moved', u32(0)).type).toBe(77);
    expect(call(76, u32(1), 'folder', u32(0x200)).type).toBe(77);
    expect(walk(1, 7, 'folder').error).toBe(2);
  });

  test('sizes and times are set; symbolic links', () => {
    const { call, walk } = mounted();
    walk(1, 2);
    call(14, u32(2), 'f', u32(2), u32(0o644), u32(0));
    expect(call(26, u32(2), u32(8 | 0x20 | 0x100), u32(0), u32(0), u32(0), u64(4096), u64(0), u64(0), u64(1000), u64(5)).type).toBe(27);
    const stat = call(24, u32(2), u64(0x7ff)).data;
    expect([Number(stat.getBigUint64(56, true)), Number(stat.getBigUint64(96, true))]).toEqual([4096, 1000]);
    call(16, u32(1), 'l', 'f', u32(0));
    walk(1, 3, 'l');
    expect(text(call(22, u32(3)).data, 9, 1)).toBe('f');
  });

  test('nothing leads out of the folder, and what is wrong is an error', () => {
    const { call, walk } = mounted();
    expect(walk(1, 2, '..', '..').data.getUint16(7, true)).toBe(2);
    expect(call(72, u32(1), '../evil', u32(0o755), u32(0)).error).toBe(22);
    expect(call(72, u32(1), '..', u32(0o755), u32(0)).error).toBe(22);
    expect(walk(99, 3).error).toBe(9);
    expect(walk(1, 1, 'missing').error).toBe(2);
    expect(call(116, u32(1), u64(0), u32(10)).error).toBe(9);
    expect(call(30, u32(1), u32(9), 'user.x').error).toBe(95);
    expect(call(118, u32(1), u64(0), u32(0xffffffff)).error).toBe(9);
    expect(call(24).error).toBe(22);
  });
});
