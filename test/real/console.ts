import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** How long something took, in milliseconds: on the clock, and of processor time (0 where the host does not tell). */
export interface Took {
  readonly ms: number;
  readonly cpu: number;
}

/** A machine in a process of its own, with the guest's serial port on its standard input and output. */
export interface Console {
  /** Waits until what was printed since the last call ends with `end`; gives it, with how long it took. */
  until(end: string): Promise<Took & { readonly text: string }>;
  send(text: string): void;
  signal(name: NodeJS.Signals): void;
  /** The exit code; null if it was killed. Rejects if it does not end in time. */
  ended(): Promise<number | null>;
  /** The end of what it has printed. */
  printed(): string;
  /** Ends the process, if it has not ended. */
  close(): Promise<void>;
}

export interface ConsoleCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const TICK_MS = 10;
/** Processor time of a process so far; proc(5) counts it in ticks of USER_HZ. */
function cpuOf(child: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** What the shell's line editing tells the terminal, such as to give the cursor's place. */
const CONTROL = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

export function openConsole({ command, args, env }: ConsoleCommand, limit: number): Console {
  const start = performance.now();
  const child = spawn(command, args, { stdio: 'pipe', ...(env && { env: { ...process.env, ...env } }) });
  let printed = '';
  let errors = '';
  let ended: Error | undefined;
  let look = (): void => undefined;
  let last = { ms: start, cpu: 0 };
  child.stdout.on('data', (bytes: Buffer) => {
    printed += bytes.toString('latin1');
    look();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    errors = `${errors}${bytes.toString('latin1')}`.slice(-500);
  });
  child.stdin.on('error', () => undefined);
  const ending = (): string => `${errors}${printed}`.trim().slice(-1000);
  const end = (why: string): void => {
    ended ??= new Error(`${why}; it printed last: ${ending()}`);
    look();
  };
  child.on('error', ({ message }) => end(message));
  const closed = new Promise<number | null>((resolve) => {
    child.on('close', (code, signal) => {
      end(`${command} ended with ${code ?? signal}`);
      resolve(code);
    });
  });
  return {
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => end(`not done in ${limit / 1000} seconds`), limit);
        look = () => {
          const text = printed.replaceAll(CONTROL, '').replaceAll('\r', '');
          if (!text.endsWith(wanted) && !ended) return;
          clearTimeout(timer);
          look = () => undefined;
          if (ended) return reject(ended);
          const now = { ms: performance.now(), cpu: cpuOf(child) };
          const took = { ms: now.ms - last.ms, cpu: now.cpu - last.cpu };
          last = now;
          printed = '';
          resolve({ ...took, text: text.slice(0, -wanted.length) });
        };
        look();
      }),
    send(text) {
      last = { ms: performance.now(), cpu: cpuOf(child) };
      child.stdin.write(text);
    },
    printed: ending,
    signal: (name) => void child.kill(name),
    ended: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          end(`did not end in ${limit / 1000} seconds`);
          reject(ended);
        }, limit);
        void closed.then((code) => {
          clearTimeout(timer);
          resolve(code);
        });
      }),
    async close() {
      if (child.pid === undefined) return;
      child.kill('SIGKILL');
      await closed;
    },
  };
}
