/** A thread that runs programs in wasmvisor, one after another. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type * as Api from '../../src/index.ts';

export interface Job {
  readonly file: string;
  readonly args: readonly string[];
  readonly executor: 'interpret' | 'translate';
  readonly timeout: number;
}
export interface JobResult {
  /** latin1 */
  readonly stdout: string;
  readonly status: number;
  readonly timeout: boolean;
  readonly warnings: readonly string[];
}

const { library } = workerData as { library: string };
const { exitCode, loadProgram } = (await import(`${library}/index.js`)) as typeof Api;
const runtime = new WebAssembly.Module(readFileSync(new URL(`${library}/runtime.wasm`)));

/** More output than that is an endless loop. */
const MOST = 64 << 20;

async function run({ file, args, executor, timeout }: Job): Promise<JobResult> {
  const chunks: Buffer[] = [];
  const warnings: string[] = [];
  let length = 0;
  try {
    const bytes = readFileSync(file);
    const [main, exit] = executor === 'translate' ? ['main', 'exit'].map((name) => symbol(bytes, name)) : [];
    const program = await loadProgram(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), {
      runtime,
      executor,
      argv: [`./${file.slice(file.lastIndexOf('/') + 1)}`, ...args],
      env: ['PATH=/usr/bin:/bin', 'HOME=/', 'LC_ALL=C', 'TZ=UTC'],
      cwd: '/tmp',
      timeout,
      ...(main !== undefined && { translateFrom: main }),
      ...(exit !== undefined && { translateUntil: exit }),
      stdout: {
        write(chunk) {
          length += chunk.length;
          if (length > MOST) throw Object.assign(new Error('too much output'), { code: 'EPIPE' });
          chunks.push(Buffer.from(chunk));
          return chunk.length;
        },
      },
      onWarning: (text) => warnings.push(text),
    });
    const status = await program.run();
    const timedOut = 'reason' in status && status.reason === 'timeout';
    if ('report' in status && status.report) warnings.push(`${status.name}: ${JSON.stringify(status.report)}`);
    return { stdout: Buffer.concat(chunks).toString('latin1'), status: exitCode(status), timeout: timedOut, warnings };
  } catch (error) {
    return { stdout: '', status: 125, timeout: false, warnings: [`${(error as Error).stack}`] };
  }
}

/** Address of a symbol of a 32-bit ELF file. */
function symbol(elf: Buffer, wanted: string): number | undefined {
  const little = elf[5] === 1;
  const u32 = (at: number): number => (little ? elf.readUInt32LE(at) : elf.readUInt32BE(at));
  const u16 = (at: number): number => (little ? elf.readUInt16LE(at) : elf.readUInt16BE(at));
  const section = (index: number): number => u32(32) + index * u16(46);
  for (let index = 0; index < u16(48); index++) {
    const header = section(index);
    if (u32(header + 4) !== 2) continue; // SHT_SYMTAB
    const names = u32(section(u32(header + 24)) + 16);
    const start = u32(header + 16);
    for (let at = start; at < start + u32(header + 20); at += 16) {
      const name = names + u32(at);
      if (elf.toString('latin1', name, name + wanted.length + 1) === `${wanted}\0`) return u32(at + 4);
    }
  }
  return undefined;
}

parentPort!.on('message', async (job: Job) => parentPort!.postMessage(await run(job)));
