/**
 * wasmvisor's public API; nothing else is public. It runs wherever JavaScript and WebAssembly do; `wasmvisor/node` adds
 * host files, standard streams and the runtime for Node.
 */
import {
  type InstructionRow,
  instructionRows,
  type MissingInstruction,
  missingInstructions,
  type SensitiveRow,
  sensitiveRows,
} from './isas.ts';
import type { AbiName } from './linux/abi.ts';
import { ABIS, type ListedSyscall, listSyscalls as listOf } from './linux/abis.ts';
import type { ProgramOptions } from './linux/program.ts';
import type { CheckedProgram, CheckOptions } from './lockstep/index.ts';
import type { TranslateOptions, Translation } from './translate.ts';

export type {
  Clock,
  Device,
  InterruptLine,
  Memory,
  Saved,
  Stateful,
  Timer,
} from './devices/device.ts';
export { PhysicalMemoryFault } from './devices/device.ts';
export { type HostNetworkOptions, makeHostNetwork, type NetworkHost, type Published, parsePublished } from './devices/net/host-network.ts';
export { makeNat, type Nat, type NatHost } from './devices/net/nat.ts';
export { type NatRule, parseNatRule } from './devices/net/rules.ts';
export { type Disk, memoryDisk, overlayDisk } from './devices/virtio/block.ts';
export type { VirtioDevice, VirtioType } from './devices/virtio/device.ts';
export { Hub, type NetPort } from './devices/virtio/net.ts';
export type { Chain, Queue } from './devices/virtio/queue.ts';
export { type CodeOptions, disassemble, type PlacedDisassembly } from './disassemble.ts';
export type { Block } from './ir/block.ts';
export type { Disassembly } from './isa/isa.ts';
export type { InstructionRow, IsaName, MissingInstruction, SensitiveRow } from './isas.ts';
export type { AbiName } from './linux/abi.ts';
export { ElfError } from './linux/elf.ts';
export { MemoryFileSystem } from './linux/fs/memory-fs.ts';
export type { Output, Stdin, TerminalHost } from './linux/fs/stdio.ts';
export type { MountPoint } from './linux/fs/tree.ts';
export type { FileSystem } from './linux/fs/vfs.ts';
export type { CodeHook, CodeHookResult, HookedCode, HookedSyscall, HookedThread, ProgramMemory, SyscallHook } from './linux/hooks.ts';
export type { Host } from './linux/host.ts';
export {
  type ExitStatus,
  exitCode,
  loadProgram,
  type Program,
  type ProgramOptions,
  type ProgramStats,
} from './linux/program.ts';
export type { CheckedProgram, CheckOptions, Divergence } from './lockstep/index.ts';
export { SnapshotError } from './snapshot/file.ts';
export type { TranslateOptions, Translation } from './translate.ts';
export type { Executor, MemoryModel } from './vcpu/vcpu.ts';
export { BootError } from './vmm/boot/error.ts';
export type { HookedInstruction, HookHandler } from './vmm/hooks.ts';
export {
  type ArgumentTypes,
  defineHypercall,
  type Grant,
  type Hypercalls,
  type ParameterType,
  type UserHypercall,
} from './vmm/hypercalls.ts';
export { createMachine, type Machine } from './vmm/machine.ts';
export type { MachineName } from './vmm/machines/index.ts';
export {
  type DeviceContext,
  type DriveOptions,
  HYPERCALL_CONSOLE,
  type MachineEnd,
  type MachineEvents,
  type MachineOptions,
  type MachineStats,
  type NetworkOptions,
  type OwnDevice,
  type ShareOptions,
  VIRTIO_CONSOLE,
} from './vmm/options.ts';

/**
 * Translates the guest function at the start of `bytes` and gives it at every stage: disassembly, IR, WebAssembly bytes and
 * text. Control that leaves the bytes leaves the function. Rejects with RangeError on an address or ISA that does not exist.
 */
export async function translate(bytes: Uint8Array, options: TranslateOptions): Promise<Translation> {
  return (await import('./translate.ts')).translate(bytes, options);
}

/**
 * Loads a program as `loadProgram` does, and runs its guest code twice: as `executor` says (default: translate) and in the
 * interpreter, all of it or a sample. Where they differ, `run` rejects with a Divergence, whose `explain` tells where and how.
 */
export async function loadChecked(elf: Uint8Array, options: ProgramOptions & CheckOptions): Promise<CheckedProgram> {
  return (await import('./lockstep/index.ts')).loadChecked(elf, options);
}

/** Instructions that are implemented: group, encoding and assembly text of each row. Both byte orders of MIPS share their rows. */
export function listInstructions(): readonly InstructionRow[] {
  return instructionRows();
}

/**
 * Instructions that are not: those of MIPS32 release 2 and of the x86 processors up to SSE2, with the reason. What came later (AVX,
 * release 6, 64-bit forms, MSA) is neither here nor there.
 */
export function listMissingInstructions(): readonly MissingInstruction[] {
  return missingInstructions();
}

/** Privileged and sensitive instructions of whole machines. */
export function listSensitive(): readonly SensitiveRow[] {
  return sensitiveRows();
}

/** System calls that are implemented, by ABI; `note` says what a partial one lacks. */
export function listSyscalls(): readonly (ListedSyscall & { readonly abi: AbiName })[] {
  return (Object.keys(ABIS) as AbiName[]).flatMap((abi) => listOf(abi).map((row) => ({ abi, ...row })));
}
