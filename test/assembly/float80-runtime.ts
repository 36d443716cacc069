import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import asc from 'assemblyscript/asc';
import { Layout } from '../../assembly/shared/layout.ts';
import { X86 } from '../../translators/x86/state.ts';
import { IMAGE } from './float80-native.ts';

/** What assembly/x86/x87.ts exports; u64 parameters and results are BigInt. */
export type Helpers = Record<string, (...args: (number | bigint)[]) => number | bigint | undefined>;

export interface Runtime {
  readonly helpers: Helpers;
  readonly state: DataView;
  readonly memory: DataView;
}

/** A guest address that the runtime's memory has. */
export const GUEST_ADDRESS = 0x11000;

export const GUEST_INDEX = Layout.WINDOW + GUEST_ADDRESS - Layout.FLOOR;

/** Compiles the x87 part of the AssemblyScript runtime alone. */
export async function buildRuntime(): Promise<Runtime> {
  const folder = mkdtempSync(join(tmpdir(), 'float80-asc-'));
  try {
    const config = join(folder, 'asconfig.json');
    writeFileSync(config, '{}');
    const out = join(folder, 'x87.wasm');
    const { error, stderr } = await asc.main([
      'assembly/x86/x87.ts',
      ...['--config', relative('.', config), '--outFile', relative('.', out), '--runtime', 'stub', '-O3', '--noAssert'],
      ...['--use', 'PAGED=0', '--importMemory', '--initialMemory', '4098', '--memoryBase', String(Layout.RUNTIME_DATA)],
    ]);
    if (error) throw new Error(`asc: ${error.message}\n${stderr}`);
    const memory = new WebAssembly.Memory({ initial: 4098 });
    const { instance } = await WebAssembly.instantiate(readFileSync(out), {
      env: {
        memory,
        abort: () => {
          throw new Error('abort');
        },
      },
    });
    const view = new DataView(memory.buffer);
    view.setUint32(Layout.TOP, Layout.FLOOR + 0x20000, true);
    return { helpers: instance.exports as Helpers, state: new DataView(memory.buffer, Layout.STATE, X86.SIZE), memory: view };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** FRSTOR */
export function loadImage(state: DataView, image: DataView): void {
  const status = image.getUint16(IMAGE.status, true);
  const top = (status >>> 11) & 7;
  const tags = image.getUint16(IMAGE.tags, true);
  state.setUint32(X86.FCW, image.getUint16(IMAGE.control, true), true);
  state.setUint32(X86.FSW, status & ~0x3a00, true);
  state.setUint32(X86.FC1, status & 0x200, true);
  state.setUint32(X86.FTOP, top, true);
  let stored = 0;
  for (let r = 0; r < 8; r++) if (((tags >>> (r * 2)) & 3) === 3) stored |= 3 << (r * 2);
  state.setUint32(X86.FTW, stored, true);
  for (let i = 0; i < 8; i++) {
    const at = X86.ST + ((top + i) & 7) * 16;
    state.setBigUint64(at, image.getBigUint64(IMAGE.registers + i * 10, true), true);
    state.setUint16(at + 8, image.getUint16(IMAGE.registers + i * 10 + 8, true), true);
  }
}

/** Control, status and tag word and ST(0)…ST(7) as text; a tag shows only whether the register is empty. */
export function describeState(state: DataView): string {
  const top = state.getUint32(X86.FTOP, true);
  const tags = state.getUint32(X86.FTW, true);
  const lines: string[] = [];
  for (let i = 0; i < 8; i++) {
    const r = (top + i) & 7;
    lines.push(
      describeRegister(
        ((tags >>> (r * 2)) & 3) === 3,
        state.getBigUint64(X86.ST + r * 16, true),
        state.getUint16(X86.ST + r * 16 + 8, true),
      ),
    );
  }
  return `${describeWords(state.getUint32(X86.FCW, true), (state.getUint32(X86.FSW, true) & ~0x3a00) | state.getUint32(X86.FC1, true) | (top << 11))} ${lines.join(' ')}`;
}
export function describeImage(image: DataView): string {
  const status = image.getUint16(IMAGE.status, true);
  const tags = image.getUint16(IMAGE.tags, true);
  const lines: string[] = [];
  for (let i = 0; i < 8; i++) {
    const r = (((status >>> 11) & 7) + i) & 7;
    const at = IMAGE.registers + i * 10;
    lines.push(describeRegister(((tags >>> (r * 2)) & 3) === 3, image.getBigUint64(at, true), image.getUint16(at + 8, true)));
  }
  return `${describeWords(image.getUint16(IMAGE.control, true), status)} ${lines.join(' ')}`;
}
const hex = (n: number | bigint, digits: number) => n.toString(16).padStart(digits, '0');
function describeRegister(empty: boolean, sig: bigint, se: number): string {
  return empty ? '-' : `${hex(se, 4)}:${hex(sig, 16)}`;
}
function describeWords(control: number, status: number): string {
  const names = ['IE', 'DE', 'ZE', 'OE', 'UE', 'PE', 'SF', 'ES', 'C0', 'C1', 'C2', '', '', '', 'C3', 'B'];
  const set = names.filter((name, bit) => name && (status >>> bit) & 1).join(',');
  return `fcw=${hex(control, 4)} top=${(status >>> 11) & 7} [${set}]`;
}
