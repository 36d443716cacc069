import { Code } from '../isa/code.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { FaultSignal, MemoryFault, SignalInfo } from './abi.ts';
import { fault } from './deliver.ts';
import type { Process } from './process.ts';
import { SiCode } from './signals.ts';

const hex = (address: number): string => `0x${(address >>> 0).toString(16).padStart(8, '0')}`;

const isStackOverflow = (p: Process, address: number | undefined): boolean =>
  address !== undefined && address < p.stack.low && address >= p.stack.neighbourhood && p.map.areas.at(address) === undefined;
const overflowText = (p: Process, address: number): string =>
  `stack overflow: ${hex(address)} lies below the stack, which ends at ${hex(p.stack.low)}`;

/** x86's page-fault error code, which signal frames show: present, write, user, instruction fetch. */
const PAGE_FAULT = 14;

function memoryFault(p: Process, exit: MemoryFault): void {
  const { pc } = exit;
  const more = p.abi.pageFault?.(p, exit);
  if (more && 'signal' in more) {
    exception(p, more.signal, pc, { number: more.number, error: 0 });
    return;
  }
  const access = more ? 'write' : exit.access;
  const address = more ? more.writesTo : exit.address;
  const kind = address === undefined ? 'unmapped' : p.map.faultKind(address);
  const what = access === 'execute' ? 'execution' : access;
  const where = address === undefined ? 'an address outside user space' : hex(address);
  const why = {
    unmapped: 'which is not mapped',
    permission: 'which its page does not permit',
    'beyond-file': 'beyond the end of the mapped file',
  };
  const text = isStackOverflow(p, address)
    ? overflowText(p, address!)
    : `${what} ${access === 'write' ? 'to' : access === 'read' ? 'from' : 'at'} ${where}, ${address === undefined ? 'such as a null pointer' : why[kind]}`;
  // a page that may not be accessed at all is not present
  const isPresent = kind === 'permission' && p.map.areas.at(address!)!.permission !== 0;
  const error = (isPresent ? 1 : 0) | (access === 'write' ? 2 : 0) | 4 | (access === 'execute' ? 16 : 0);
  const code = kind === 'beyond-file' ? SiCode.BusAddress : kind === 'permission' ? SiCode.NotPermitted : SiCode.NotMapped;
  const info = { code, address: address ?? 0, trap: { number: PAGE_FAULT, error } };
  fault(p, kind === 'beyond-file' ? 'SIGBUS' : 'SIGSEGV', info, pc, text);
}

/** si_addr: a signal that the kernel sends as such (SI_KERNEL) has none. */
const addressOf = (code: number, address: number): number => (code === SiCode.Kernel ? 0 : address);

function exception(p: Process, of: FaultSignal, pc: number, trap: NonNullable<SignalInfo['trap']>): void {
  const { signal, code, text, withoutAddress } = of;
  const at = of.trap ? pc + p.abi.isa.disassemble(new Code(p.memory.codePage), pc).length : p.abi.faultPc(p, pc);
  fault(p, signal, { code, address: withoutAddress ? 0 : addressOf(code, at), trap }, pc, text, at);
}

/** What Linux does about each way that guest code stops, budget and system calls aside. */
export function handleFault(p: Process, exit: Exclude<Exit, { kind: 'budget' | 'syscall' }>): void {
  const { pc } = exit;
  switch (exit.kind) {
    case 'memory-fault':
      memoryFault(p, exit);
      return;
    case 'code-written':
      p.vcpu.invalidate(exit.address, exit.bytes);
      return;
    case 'illegal':
      if (p.abi.ignores?.(p, pc)) {
        p.vcpu.pc = pc + 4;
        return;
      }
      fault(p, 'SIGILL', { ...p.abi.illegal, address: pc }, pc, 'illegal or not implemented instruction');
      return;
    case 'exception':
      if (p.abi.beginsSteps?.(exit.number)) {
        // done as a step, it is not left for that
        p.vcpu.step();
        return;
      }
      exception(p, p.abi.exceptionSignal(p, exit.number, exit.code), pc, { number: exit.number, error: exit.code });
      return;
    case 'breakpoint':
      exception(p, p.abi.breakpointSignal(p, exit.code), pc, { number: 3, error: 0 });
      return;
    case 'privileged':
    case 'halt':
    case 'hypercall':
    case 'port-io':
    case 'memory-io': {
      const { signal, code } = p.abi.privilegedSignal;
      fault(
        p,
        signal,
        { code, address: addressOf(code, pc), trap: { number: 13, error: 0 } },
        pc,
        'instruction that user mode may not execute',
      );
      return;
    }
  }
}

/**
 * With direct memory nothing stops a stack that grows past its end. Seen after each slice: a stack pointer between the
 * stack and the mappings below it, or down to where there is no memory for it. True if it has raised SIGSEGV for that.
 */
export function checkStack(p: Process): boolean {
  const pointer = p.abi.stackPointer(p);
  const isOnStack = pointer >= p.stack.low && pointer < p.abi.stackTop;
  if (isOnStack ? p.map.growStack(pointer) : !isStackOverflow(p, pointer)) return false;
  fault(
    p,
    'SIGSEGV',
    { code: SiCode.NotMapped, address: pointer, trap: { number: PAGE_FAULT, error: 6 } },
    p.vcpu.pc,
    isOnStack ? `the stack grew to ${hex(pointer)}, beyond the memory limit` : overflowText(p, pointer),
  );
  return true;
}
