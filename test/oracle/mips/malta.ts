import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianKernel } from '../../real/kernels.ts';
import { FPUS, pack, type Record, runner, SIZE, unpack } from './record.ts';

// Records run under Linux on QEMU's Malta, since qemu-user does not treat accesses that are not aligned as Linux does.

const [FPU] = FPUS;
/** Milliseconds for the machine. */
const PATIENCE = 600_000;

/** An entry of a RAM disk (cpio, "newc"). */
function entry(name: string, mode: number, data: Uint8Array = new Uint8Array(0), device: readonly [number, number] = [0, 0]): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length + 1, 0];
  const head = Buffer.from(`070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}${name}\0`, 'latin1');
  const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
  return Buffer.concat([padded(head), padded(data)]);
}

/** Undefined where two runs differ. */
export interface Outcomes {
  /** As Linux makes good for them. */
  readonly fixed: (Record | undefined)[];
  /** After sysmips(MIPS_FIXADE, 0). */
  readonly refused: (Record | undefined)[];
  /** What Linux says of itself. */
  readonly kernel: string;
}

/** Runs records on a little-endian Malta; a string says why that is not possible here. */
export function runOnMalta(records: readonly Record[]): Outcomes | string {
  const kernel = debianKernel('4kc-malta');
  if ('missing' in kernel) return kernel.missing;
  const program = runner('mipsel', FPU);
  if (typeof program !== 'string') return program.missing;
  const folder = mkdtempSync(join(tmpdir(), 'malta-'));
  try {
    const init = join(folder, 'init');
    execFileSync('mipsel-linux-gnu-gcc', ['-O1', '-static', '-o', init, fileURLToPath(new URL('./malta-init.c', import.meta.url))]);
    const disk = Buffer.concat([
      entry('dev', 0o40755),
      entry('dev/console', 0o20600, undefined, [5, 1]),
      entry('init', 0o100755, readFileSync(init)),
      entry('runner', 0o100755, readFileSync(program)),
      entry('records', 0o100644, pack(records, true)),
      entry('TRAILER!!!', 0),
    ]);
    writeFileSync(join(folder, 'kernel'), kernel.kernel);
    writeFileSync(join(folder, 'disk'), disk);
    const files = ['-kernel', join(folder, 'kernel'), '-initrd', join(folder, 'disk'), '-append', 'console=ttyS0 quiet loglevel=0'];
    const ran = spawnSync('qemu-system-mipsel', ['-M', 'malta', '-m', '256', '-nographic', '-no-reboot', ...files], {
      encoding: 'latin1',
      input: '',
      timeout: PATIENCE,
      maxBuffer: 1 << 28,
    });
    if (ran.error) return `qemu-system-mipsel: ${ran.error.message}`;
    const part = (name: string): (Record | undefined)[] => {
      const text = new RegExp(`<${name}>([\\s\\S]*?)<end>`).exec(ran.stdout)?.[1] ?? '';
      const lines = text.split(/\r?\n/).filter((line) => line !== '');
      if (lines.length !== records.length) throw new Error(`the machine showed ${lines.length} outcomes: ${ran.stdout.slice(-400)}`);
      return lines.map((line, k) => {
        const bytes = Buffer.from(line, 'hex');
        return bytes.length === SIZE ? unpack([records[k]], bytes, true)[0] : undefined;
      });
    };
    return {
      fixed: part('fixed'),
      refused: part('refused'),
      kernel: /Linux version (\S+)/.exec(Buffer.from(kernel.kernel).toString('latin1'))?.[1] ?? 'of Debian 12',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
