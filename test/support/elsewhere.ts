import { type SpawnSyncReturns, spawnSync } from 'node:child_process';

/** qemu-user 7.2 sometimes waits for itself for ever when its guest overflows its stack; a busy host is slow. */
const PATIENCE_MS = 20_000;
const TRIES = 3;

/** Runs a command that is the reference, again if it does not end. */
export function runReference(command: string, args: readonly string[], cwd?: string): SpawnSyncReturns<string> {
  for (let left = TRIES, timeout = PATIENCE_MS; ; left--, timeout *= 3) {
    const done = spawnSync(command, args, { ...(cwd && { cwd }), encoding: 'latin1', timeout, killSignal: 'SIGKILL' });
    const late = (done.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
    if (done.error && !(late && left > 1)) throw done.error;
    if (!late) return done;
  }
}
