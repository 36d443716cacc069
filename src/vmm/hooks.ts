import { CodeMode } from '../../assembly/shared/layout.ts';
import type { Memory } from '../devices/device.ts';
import { type Isa, registerOffset } from '../isa/isa.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { HookedExit } from './loop.ts';

/** A sensitive instruction that the guest is about to execute, at any privilege. */
export interface HookedInstruction {
  /** Its form, as listSensitive has it. */
  readonly text: string;
  readonly assembly: string;
  readonly pc: number;
  /** Whether it is in user mode. */
  readonly user: boolean;
  /** A 32-bit register by name (eax, cr3, v0, c0_status), unsigned. Throws RangeError on others. */
  get(register: string): number;
  set(register: string, value: number): void;
  /** By physical addresses. */
  readonly memory: Memory;
}

/** Whether the guest executes the instruction (the default), or goes on after it as if it had. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing
export type HookResult = 'execute' | 'skip' | void;
/** While a promise is pending, the guest's processor waits. */
export type HookHandler = (instruction: HookedInstruction) => HookResult | Promise<HookResult>;

export interface Hooks {
  add(name: string, handler: HookHandler): () => void;
  /** An Exit if the instruction was executed and left. */
  handle(exit: HookedExit): Exit | undefined | Promise<Exit | undefined>;
}

export function makeHooks(vcpu: Vcpu, isa: Isa, memory: Memory): Hooks {
  const handlers = new Map<number, Set<HookHandler>>();
  const list = isa.system?.sensitive ?? [];
  const offsetOf = (name: string): number => registerOffset(isa, name);
  /** `POPFW/POPF` has two mnemonics. */
  const mnemonics = (text: string): readonly string[] => text.split(' ')[0].split('/');
  const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

  return {
    add(name, handler) {
      const exact = list.filter(({ text }) => isSame(text, name));
      const found = exact.length > 0 ? exact : list.filter(({ text }) => mnemonics(text).some((mnemonic) => isSame(mnemonic, name)));
      if (found.length === 0)
        throw new RangeError(`no sensitive instruction of ${isa.name} is called ${name}; see wasmvisor list sensitive, or listSensitive`);
      // each call has its own entry, also for one handler twice
      const own: HookHandler = (instruction) => handler(instruction);
      for (const { number } of found) handlers.set(number, (handlers.get(number) ?? new Set()).add(own));
      vcpu.hook(new Set(handlers.keys()));
      return () => {
        for (const { number } of found) {
          handlers.get(number)?.delete(own);
          if (handlers.get(number)?.size === 0) handlers.delete(number);
        }
        vcpu.hook(new Set(handlers.keys()));
      };
    },
    handle({ pc, number }) {
      // MIPS marks delay slots in the low bits
      const instruction: HookedInstruction = {
        text: list[number].text,
        pc: isa.alignedAccess ? (pc & ~3) >>> 0 : pc,
        get assembly() {
          return vcpu.disassemble(instruction.pc);
        },
        user: (vcpu.mode & CodeMode.User) !== 0,
        get: (name) => vcpu.get32(offsetOf(name)) >>> 0,
        set: (name, value) => vcpu.set32(offsetOf(name), value),
        memory,
      };
      const results = [...(handlers.get(number) ?? [])].map((handler) => handler(instruction));
      const pass = (all: readonly HookResult[]): Exit | undefined => vcpu.passHooked(pc, all.includes('skip'));
      return results.some((result) => result instanceof Promise) ? Promise.all(results).then(pass) : pass(results as HookResult[]);
    },
  };
}
