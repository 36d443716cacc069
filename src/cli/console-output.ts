import type { Output } from '../linux/fs/stdio.ts';

/** Bytes that may wait for who reads them before the guest does, too. */
const MOST_UNWRITTEN = 1 << 20;

/** What the guest says, on its way to a reader who may be slow, or not read at all. */
export interface ConsoleOutput {
  write(bytes: Uint8Array): void;
  /** All that was written so far has arrived. */
  readonly written: Promise<void>;
  /** Resolves once little waits; after `release` and up to `hold`, at once. */
  room(): Promise<void>;
  release(): void;
  hold(): void;
}

export function makeConsoleOutput(output: Output): ConsoleOutput {
  let written: Promise<void> = Promise.resolve();
  let unwritten = 0;
  let isHeld = true;
  let goOn = (): void => {};
  async function writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += await output.write(bytes.subarray(at));
    unwritten -= bytes.length;
  }
  return {
    write(bytes) {
      unwritten += bytes.length;
      written = written.then(() => writeAll(bytes));
    },
    get written() {
      return written;
    },
    async room() {
      if (!isHeld || unwritten <= MOST_UNWRITTEN) return;
      await new Promise<void>((resolve) => {
        goOn = resolve;
        written.then(resolve, resolve);
      });
    },
    release() {
      isHeld = false;
      goOn();
    },
    hold() {
      isHeld = true;
    },
  };
}
