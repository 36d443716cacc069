import { type SpawnSyncReturns, spawnSync } from 'node:child_process';

/** qemu-user 7.2 sometimes waits for itself for ever, as when its guest overflows its stack; a busy host is slow. */
const PATIENCE_MS = 20_000;
const TRIES = 3;

/** Runs what is the reference, again if it does not end. */
export function untilItEnds<T extends string | Buffer>(
  run: (limit: { readonly timeout: number; readonly killSignal: 'SIGKILL' }) => SpawnSyncReturns<T>,
): SpawnSyncReturns<T> {
  for (let left = TRIES, timeout = PATIENCE_MS; ; left--, timeout *= 3) {
    const done = run({ timeout, killSignal: 'SIGKILL' });
    const late = (done.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
    if (!late || left === 1) return done;
  }
}

/** Runs a command that is the reference. */
export function runReference(command: string, args: readonly string[], cwd?: string): SpawnSyncReturns<string> {
  const done = untilItEnds((limit) => spawnSync(command, args, { ...(cwd && { cwd }), encoding: 'latin1', ...limit }));
  if (done.error) throw done.error;
  return done;
}
