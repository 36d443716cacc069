import { expect, test } from 'vitest';
import { makeConsoleOutput } from '../../src/cli/console-output.ts';

/** Somebody who reads when he is told to, 64 KiB at a time. */
function makeReader() {
  const waiting: (() => void)[] = [];
  let read = 0;
  return {
    write: (bytes: Uint8Array) =>
      new Promise<number>((resolve) => {
        const count = Math.min(bytes.length, 65536);
        waiting.push(() => {
          read += count;
          resolve(count);
        });
      }),
    async readAll() {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        next();
        for (let turn = 0; turn < 10; turn++) await undefined;
      }
      return read;
    },
  };
}

const MIB = 1 << 20;
const isSettled = async (promise: Promise<void>): Promise<boolean> => {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  for (let turn = 0; turn < 10; turn++) await undefined;
  return settled;
};

test('a guest waits while more than 1 MiB of what it said is unread', async () => {
  const reader = makeReader();
  const output = makeConsoleOutput(reader);
  output.write(new Uint8Array(MIB));
  expect(await isSettled(output.room())).toBe(true);
  output.write(new Uint8Array(1));
  const room = output.room();
  expect(await isSettled(room)).toBe(false);
  expect(await reader.readAll()).toBe(MIB + 1);
  expect(await isSettled(room)).toBe(true);
  expect(await isSettled(output.room())).toBe(true);
  expect(await isSettled(output.written)).toBe(true);
});

test('one that is to stop does not wait', async () => {
  const output = makeConsoleOutput(makeReader());
  output.write(new Uint8Array(2 * MIB));
  const room = output.room();
  output.release();
  expect(await isSettled(room)).toBe(true);
  expect(await isSettled(output.room())).toBe(true);
  expect(await isSettled(output.written)).toBe(false);
  output.hold();
  expect(await isSettled(output.room())).toBe(false);
});

test('one that nobody can read any more says so at its end', async () => {
  const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  const output = makeConsoleOutput({ write: () => Promise.reject(gone) });
  output.write(new Uint8Array(2 * MIB));
  await output.room();
  await expect(output.written).rejects.toBe(gone);
});
