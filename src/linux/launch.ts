import { PAGE_SIZE } from '../isa/code.ts';
import { GuestMemoryFault } from '../vcpu/guest-memory.ts';
import { ElfError, type ElfFile, shownPath } from './elf.ts';
import { Errno } from './errno.ts';
import type { FileTable } from './fs/file-table.ts';
import { readWhole } from './fs/tree.ts';
import { type Image, loadExecutable, mapStack, mapTrampolines } from './load.ts';
import type { Process } from './process.ts';
import type { Space } from './spaces.ts';
import { At, buildStack } from './stack.ts';
import { SyscallError } from './syscall.ts';

/** Which program a process runs. */
export interface ProgramImage {
  readonly elf: ElfFile;
  /** Absolute guest path. */
  readonly path: string;
  /** As it was asked for. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
}

/** What of a process changes with its program. */
export type Launched = Pick<
  Process,
  'space' | 'vcpu' | 'memory' | 'map' | 'executable' | 'argv' | 'env' | 'name' | 'auxv' | 'images' | 'stack' | 'trampolines'
>;

function auxiliaryBytes(auxiliary: readonly (readonly [number, number])[], little: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer((auxiliary.length + 1) * 8));
  auxiliary.flat().forEach((word, index) => {
    view.setUint32(index * 4, word >>> 0, little);
  });
  return new Uint8Array(view.buffer);
}

function readOrUndefined(files: FileTable, path: string): Uint8Array | undefined {
  try {
    return readWhole(files.namespace, path, files.cwd);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const { errno } = error;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    const why = errno === Errno.EFBIG ? 'is too large' : errno === Errno.EISDIR ? 'is a directory' : `cannot be read (${error.message})`;
    throw new ElfError(`its interpreter ${shownPath(path)} ${why}`);
  }
}

/** Bytes of stack as a limit gives them. */
export const stackBytes = (limit: number, most: number): number => Math.ceil(Math.min(limit, most) / 65536) * 65536;

function buildOrRefuse(...stack: Parameters<typeof buildStack>): number {
  try {
    return buildStack(...stack);
  } catch (error) {
    if (!(error instanceof GuestMemoryFault)) throw error;
    throw new ElfError('a segment of it or of its interpreter lies over the stack');
  }
}

/** Loads a program into an empty address space, with its registers set to start it. Throws ElfError, and E2BIG. */
export function launch(
  p: Pick<Process, 'abi' | 'files' | 'host' | 'credentials'>,
  space: Space,
  { elf, path, name, argv, env }: ProgramImage,
  stackSize: number,
): Launched {
  const { abi, host } = p;
  const { memory, map, vcpu } = space;
  mapStack(map, abi.stackTop, stackSize, elf.executableStack);
  const loaded = loadExecutable(abi, map, elf, path, (name) => readOrUndefined(p.files, name));
  const trampolines = abi.mapBase;
  mapTrampolines(map, abi);
  const { uid, euid, gid, egid } = p.credentials;
  const auxiliary = [
    ...loaded.auxiliary,
    [At.Uid, uid],
    [At.Euid, euid],
    [At.Gid, gid],
    [At.Egid, egid],
    [At.Secure, Number(uid !== euid || gid !== egid)],
  ] as const;
  const random = new Uint8Array(16);
  host.random(random);
  const stackPointer = buildOrRefuse(memory, {
    top: abi.stackTop,
    limit: stackSize / 4,
    argv,
    env,
    executable: name,
    platform: abi.platform,
    random,
    auxiliary,
  });
  const { image, interpreter } = loaded;
  const images: Image[] = interpreter ? [image, interpreter] : [image];
  const launched: Launched = {
    space,
    vcpu,
    memory,
    map,
    executable: path,
    argv,
    env,
    name: name.slice(name.lastIndexOf('/') + 1).slice(0, 15),
    auxv: auxiliaryBytes(auxiliary, abi.isa.endian === 'little'),
    images,
    stack: { low: abi.stackTop - stackSize, neighbourhood: trampolines + PAGE_SIZE },
    trampolines,
  };
  abi.startRegisters({ ...p, ...launched } as Process, loaded.entry, stackPointer, elf, interpreter?.elf);
  return launched;
}
