import { PagePermission } from '../../assembly/shared/layout.ts';
import { Code, FetchFault } from '../isa/code.ts';
import { type Isa, registerOffset } from '../isa/isa.ts';
import type { Exit } from '../vcpu/exit.ts';
import { type GuestMemory, GuestMemoryFault } from '../vcpu/guest-memory.ts';
import type { Abi } from './abi.ts';
import { decodeName } from './fs/names.ts';
import { pageUp } from './memory-map.ts';
import type { Process } from './process.ts';
import { type MappedElf, mappedElf, symbolsOf } from './report.ts';
import type { Space } from './spaces.ts';

/** A process's memory. Addresses are guest addresses; what is not mapped, or may not be accessed so, throws GuestMemoryFault. */
export type ProgramMemory = Pick<
  GuestMemory,
  'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'setU8' | 'setU16' | 'setU32' | 'setU64' | 'view' | 'write' | 'cString'
>;

/** The thread that met a hook. What it gives holds until the handler is done. */
export interface HookedThread {
  readonly pid: number;
  readonly tid: number;
  readonly memory: ProgramMemory;
  /** A C string in the guest's memory, a character for each byte that is no UTF-8. Throws GuestMemoryFault. */
  text(address: number): string;
  /** So many bytes of new memory for the process, zero, in whole pages; its address. Throws GuestMemoryFault if that is more than it may map. */
  allocate(bytes: number): number;
  /** A 32-bit register by name (eax, esp, v0, a0, sp), unsigned. Throws RangeError on others. */
  get(register: string): number;
  set(register: string, value: number): void;
}

/** An instruction that a thread is about to execute. */
export interface HookedCode extends HookedThread {
  readonly pc: number;
  /** Empty where no instruction can be fetched. */
  readonly assembly: string;
  /** At a function's first instruction: its n-th argument from 0 on, a word each (C's calling convention). */
  argument(n: number): number;
}

/** A system call that a thread is about to make. */
export interface HookedSyscall extends HookedThread {
  readonly name: string;
  /** Eight unsigned words, zero where the ABI has fewer. */
  readonly args: readonly number[];
}

/**
 * What happens in the place of the instruction: it itself (the default); nothing; at a function's first instruction, the
 * function returns that word; or the thread goes on at another address.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing
export type CodeHookResult = 'execute' | 'skip' | { readonly returns: number } | { readonly goto: number } | void;
/** While a promise is pending, the program stands still. What it throws, `run` rejects with. */
export type CodeHook = (code: HookedCode) => CodeHookResult | Promise<CodeHookResult>;
/** A number is the result in place of the call, −errno on failure (Linux's generic numbers); else the call is made. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing
export type SyscallHook = (call: HookedSyscall) => number | void | Promise<number | void>;

/** What an embedder looks at before the guest does it, in all processes of a system. */
export interface Hooks {
  addCode(where: number | string, handler: CodeHook): () => void;
  addSyscall(name: string, handler: SyscallHook): () => void;
  /** A file's code was mapped there. */
  mapped(p: Process, address: number): void;
  /** The process has begun a program. */
  began(p: Process): void;
  /** A thread is left before a hooked place. An Exit if what it then did left. */
  meet(p: Process): Exit | undefined | Promise<Exit | undefined>;
  /** The result, if the call is not to be made. */
  answer(p: Process, name: string, args: readonly number[]): number | undefined | Promise<number | undefined>;
  /** Whether any call is hooked. */
  readonly hasSyscalls: boolean;
  /** Hooks of functions that no file had. */
  readonly unmet: readonly string[];
}

interface Entry {
  readonly where: number | string;
  readonly file: string | undefined;
  readonly place: number | string;
  readonly handler: CodeHook;
  isPlaced: boolean;
}

/** What the first handler gives that decides; those after it are not asked. */
function firstDecision<A, R>(
  handlers: Iterable<(about: A) => R | Promise<R>>,
  about: A,
  isDecision: (result: R) => boolean,
): R | undefined | Promise<R | undefined> {
  const waiting = [...handlers];
  const next = (): R | undefined | Promise<R | undefined> => {
    for (let handler = waiting.shift(); handler; handler = waiting.shift()) {
      const result = handler(about);
      if (result instanceof Promise) return result.then((settled) => (isDecision(settled) ? settled : next()));
      if (isDecision(result)) return result;
    }
    return undefined;
  };
  return next();
}

/** `processes` gives one thread of each process that runs. */
export function makeHooks(abi: Abi, processes: () => Iterable<Process>): Hooks {
  const entries = new Set<Entry>();
  const calls = new Map<string, Set<SyscallHook>>();
  /** What is hooked where; of a process that has just been forked not yet. */
  const spaces = new WeakMap<Space, Map<number, Set<Entry>>>();

  function addresses(entry: Entry, { elf, bias, path }: MappedElf): number[] {
    const { file, place } = entry;
    if (file !== undefined && file !== path && file !== path.slice(path.lastIndexOf('/') + 1)) return [];
    if (typeof place === 'number') return file === undefined ? [] : [(place + bias) >>> 0];
    return symbolsOf(elf).flatMap(({ name, address }) => (name === place ? [(address + bias) >>> 0] : []));
  }
  function put(places: Map<number, Set<Entry>>, address: number, entry: Entry): void {
    entry.isPlaced = true;
    places.set(address, (places.get(address) ?? new Set()).add(entry));
  }
  function search(places: Map<number, Set<Entry>>, file: MappedElf): void {
    for (const entry of entries) for (const address of addresses(entry, file)) put(places, address, entry);
  }
  function look(p: Process): Map<number, Set<Entry>> {
    const places = new Map<number, Set<Entry>>();
    for (const entry of entries) if (typeof entry.where === 'number') put(places, entry.where, entry);
    for (const image of p.images) search(places, image);
    for (const { start, permission, backing } of p.map.areas) {
      if (!backing || !(permission & PagePermission.Execute) || p.images.some((image) => start >= image.start && start < image.end))
        continue;
      const file = mappedElf(p, start);
      if (file) search(places, file);
    }
    spaces.set(p.space, places);
    p.space.vcpu.hookPlaces(new Set(places.keys()));
    return places;
  }
  const lookEverywhere = (): void => {
    for (const p of processes()) look(p);
  };

  function threadOf(p: Process): HookedThread {
    const { vcpu, memory, pid, tid } = p;
    return {
      pid,
      tid,
      memory,
      text: (address) => decodeName(memory.cString(address)),
      allocate(bytes) {
        const request = {
          address: 0,
          length: pageUp(bytes),
          permission: PagePermission.Read | PagePermission.Write,
          placement: 'hint',
          name: '',
        } as const;
        const address = p.map.map(request);
        if (address < 0) throw new GuestMemoryFault(0, 'write');
        return address;
      },
      get: (register) => vcpu.get32(registerOffset(vcpu.isa, register)) >>> 0,
      set: (register, value) => vcpu.set32(registerOffset(vcpu.isa, register), value),
    };
  }
  /** Undefined where no instruction can be fetched. */
  function disassemble({ vcpu, memory }: Process, pc: number): ReturnType<Isa['disassemble']> | undefined {
    try {
      return vcpu.isa.disassemble(new Code(memory.codePage), pc, vcpu.mode);
    } catch (error) {
      if (error instanceof FetchFault) return undefined;
      throw error;
    }
  }
  /** An Exit if the return address cannot be read. */
  function returnFrom(p: Process, result: number): Exit | undefined {
    try {
      abi.returnFrom(p, result);
    } catch (error) {
      if (!(error instanceof GuestMemoryFault)) throw error;
      const { address, access } = error;
      return { kind: 'memory-fault', pc: p.vcpu.pc, address, access };
    }
    return undefined;
  }

  function carryOut(p: Process, result: CodeHookResult): Exit | undefined {
    if (p.group.end) return undefined;
    const skipped = result === 'skip' ? disassemble(p, p.vcpu.pc) : undefined;
    if (skipped) p.vcpu.pc = (p.vcpu.pc + skipped.length) >>> 0;
    else if (typeof result !== 'object') return p.space.vcpu.passPlace();
    else if ('goto' in result) p.vcpu.pc = result.goto >>> 0;
    else return returnFrom(p, result.returns);
    return undefined;
  }

  return {
    addCode(where, handler) {
      const [, file, name] = typeof where === 'string' ? (/^(?:(.+):)?([^:]+)$/.exec(where) ?? []) : [];
      if (typeof where === 'number' ? !(where >= 0 && where < 2 ** 32) : name === undefined)
        throw new RangeError(`hook ${where}: neither an address nor [file:]function nor file:address`);
      const place = typeof where === 'number' ? where : /^0x[0-9a-f]{1,8}$/i.test(name) ? Number(name) : name;
      if (typeof where === 'string' && typeof place === 'number' && file === undefined)
        throw new RangeError(`hook ${where}: give the address as a number, or with the file that it is in`);
      const entry: Entry = { where, file, place, handler, isPlaced: false };
      entries.add(entry);
      lookEverywhere();
      return () => {
        entries.delete(entry);
        lookEverywhere();
      };
    },
    addSyscall(name, handler) {
      if (!(name in abi.numbers)) throw new RangeError(`${abi.name} has no system call ${name}`);
      // each call has its own entry, also for one handler twice
      const own: SyscallHook = (call) => handler(call);
      calls.set(name, (calls.get(name) ?? new Set()).add(own));
      return () => void calls.get(name)?.delete(own);
    },
    mapped(p, address) {
      const file = entries.size > 0 ? mappedElf(p, address) : undefined;
      if (!file) return;
      const places = spaces.get(p.space) ?? look(p);
      const before = places.size;
      search(places, file);
      if (places.size !== before) p.space.vcpu.hookPlaces(new Set(places.keys()));
    },
    began(p) {
      if (entries.size > 0) look(p);
    },
    meet(p) {
      const { pc } = p.vcpu;
      const code: HookedCode = {
        ...threadOf(p),
        pc,
        get assembly() {
          return disassemble(p, pc)?.text ?? '';
        },
        argument: (n) => abi.functionArgument(p, n),
      };
      const handlers = [...((spaces.get(p.space) ?? look(p)).get(pc) ?? [])].map(({ handler }) => handler);
      const decision = firstDecision(handlers, code, (result) => result !== undefined && result !== 'execute');
      return decision instanceof Promise ? decision.then((result) => carryOut(p, result)) : carryOut(p, decision);
    },
    answer(p, name, args) {
      const handlers = calls.get(name);
      if (!handlers?.size) return undefined;
      const call: HookedSyscall = { ...threadOf(p), name, args };
      const decision = firstDecision(handlers, call, (result) => typeof result === 'number');
      return decision as number | undefined | Promise<number | undefined>;
    },
    get hasSyscalls() {
      return calls.size > 0;
    },
    get unmet() {
      return [...entries].filter(({ isPlaced }) => !isPlaced).map(({ where }) => `${where}`);
    },
  };
}
