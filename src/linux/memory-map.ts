import { Layout } from '../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import { type Area, Areas, type Backing } from './areas.ts';
import type { ReadableFile } from './elf-symbols.ts';
import { Errno } from './errno.ts';
import type { Futexes } from './futexes.ts';
import { STACK_LIMIT } from './limits.ts';
import { SyscallError } from './syscall.ts';

/** What a mapping needs of a file. */
export interface MappableFile extends ReadableFile {
  readonly name: string;
  /** Where it is, if it is in any file system. */
  readonly fileSystem?: object;
  /** Whether it may not be written any more, though it was opened for that (F_SEAL_WRITE). */
  isSealed?(): boolean;
  /** Writes back a shared mapping. Absent: the file was not opened for writing. */
  write?(from: Uint8Array, position: number): number;
  /** Called when the last area of an address space that shows it is gone. Not called if map() fails. */
  release?(map?: MemoryMap): void;
  /** Another address space, a copy of one that has its turn, shows it, too. */
  retain?(from: MemoryMap, to: MemoryMap): void;
  /** Present if shared mappings of it are the same memory to all processes: whether there are, or were, others. */
  isCommon?(): boolean;
  /** Of what has no file, which charges for itself and moves only what was written. */
  readonly common?: {
    /** An address space has its turn. False if there is not the memory for what it has to take over. */
    take(map: MemoryMap): boolean;
    /** What it has stored counts. */
    settle(map: MemoryMap): void;
  };
  /** The same for all ways to the file, and for no two files. */
  identity?(): string;
  /** Who waits at its words, by position. */
  readonly futexes?: Futexes;
}

/** A part of a file, and where a mapping shows it. */
interface Shown {
  readonly area: Area;
  readonly file: MappableFile;
  readonly address: number;
  readonly position: number;
  readonly length: number;
}

export interface MemoryMapOptions {
  /** Exclusive top of user addresses. */
  readonly top: number;
  /** Where mappings without a hint end: they are placed below it, downwards. */
  readonly base: number;
  /** What may be mapped with any permission; beyond that calls fail with ENOMEM. */
  readonly budget: MemoryBudget;
  /** Translations of a range are void. */
  readonly invalidate: (start: number, length: number) => void;
  /** Where Wasm memory holds bytes other than zero between two indexes, in whole pages. */
  readonly filled: (from: number, to: number) => Iterable<readonly [from: number, to: number]>;
}

export interface MapRequest {
  /** 0: anywhere. */
  readonly address: number;
  readonly length: number;
  /** PagePermission bits (which are PROT_READ, PROT_WRITE, PROT_EXEC). */
  readonly permission: number;
  readonly placement: 'hint' | 'fixed' | 'fixed-noreplace';
  readonly shared?: boolean;
  readonly backing?: Backing;
  readonly name?: string;
  /** Bytes of it that are charged for. Default: all. */
  readonly charged?: number;
  readonly locked?: boolean;
}

/** What of a MemoryMap is not its areas. */
export interface MapLayout {
  readonly stackStart: number;
  readonly breakStart: number;
  readonly breakEnd: number;
}

/** Bytes that all processes may map together. */
export class MemoryBudget {
  used = 0;
  /** The most there has been. */
  peak = 0;
  constructor(readonly limit: number) {}

  /** False if that is too much, unless it has to be. */
  charge(bytes: number, isForced = false): boolean {
    if (bytes > 0 && this.used + bytes > this.limit && !isForced) return false;
    this.used += bytes;
    this.peak = Math.max(this.peak, this.used);
    return true;
  }
}

/** Bytes of a stack that are charged for at first, and with which it grows. */
const STACK_CHARGED = 1 << 17;
const STACK_STEP = 1 << 16;

/** Bytes that are compared at once. */
const STORE_STEP = 1 << 16;
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Where no call can give them: what a file does not take is lost, what it does not give stays as it was. */
export function ignoringErrors(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

/** vm.max_map_count */
const MAX_AREAS = 65530;

export const pageUp = (value: number): number => Math.ceil(value / PAGE_SIZE) * PAGE_SIZE;
export const pageDown = (value: number): number => value - (value % PAGE_SIZE);
export const isPageAligned = (value: number): boolean => value % PAGE_SIZE === 0;

/** What a mapping is charged. */
const cost = (permission: number, length: number, backing: Backing | undefined): number =>
  permission === 0 || backing?.file.common ? 0 : length;

/** The address space of a program: what mmap and its relatives work on. Results are addresses or 0, or −errno. */
export class MemoryMap {
  readonly areas = new Areas();
  /** Bytes mapped with any permission. */
  used = 0;
  /** The most there has been. */
  peak = 0;
  /** The stack is charged for from here on, and further down as it grows. */
  private stackStart = 0;
  private breakStart = 0;
  private breakEnd = 0;
  /** What is common with others is here as it is now. */
  private entered = false;
  /** What is mapped from now on is locked (MCL_FUTURE). */
  locksNew = false;

  constructor(
    readonly memory: GuestMemory,
    readonly options: MemoryMapOptions,
  ) {}

  /** The bytes of a range as they lie in Wasm memory, whatever its permissions. */
  private raw(start: number, length: number): Uint8Array {
    const index = GuestMemory.index(start);
    return this.memory.bytes.subarray(index, index + length);
  }

  private inUserSpace(start: number, length: number): boolean {
    return start >= Layout.FLOOR && start + length <= this.options.top;
  }

  private charge(bytes: number): boolean {
    if (!this.options.budget.charge(bytes)) return false;
    this.used += bytes;
    this.peak = Math.max(this.peak, this.used);
    return true;
  }

  /** Maps the stack of a new program. */
  mapStack(request: MapRequest): number {
    const charged = Math.min(request.length, STACK_CHARGED);
    this.stackStart = request.address + request.length - charged;
    return this.map({ ...request, charged });
  }

  /** The stack reaches down to this address; false if that is more memory than there may be. */
  growStack(pointer: number): boolean {
    if (pointer >= this.stackStart) return true;
    const start = pointer - (pointer % STACK_STEP);
    if (!this.charge(this.stackStart - start)) return false;
    this.stackStart = start;
    return true;
  }

  private chargedWithin(start: number, end: number): number {
    let bytes = 0;
    for (const area of this.areas.within(start, end)) bytes += cost(area.permission, area.end - area.start, area.backing);
    return bytes;
  }

  /** Where a mapping of `length` bytes would go that asks for `hint` (0: nothing); undefined if there is no room. */
  private place(hint: number, length: number): number | undefined {
    const wanted = pageUp(hint);
    if (hint !== 0 && this.inUserSpace(wanted, length) && this.areas.isFree(wanted, wanted + length)) return wanted;
    return (
      this.areas.highestGap(length, Layout.FLOOR, this.options.base) ?? this.areas.highestGap(length, this.options.base, this.options.top)
    );
  }

  map(request: MapRequest): number {
    const length = pageUp(request.length);
    if (request.length <= 0) return -Errno.EINVAL;
    if (length > this.options.top) return -Errno.ENOMEM;
    let start = request.address;
    if (request.placement === 'hint') {
      const place = this.place(start, length);
      if (place === undefined) return -Errno.ENOMEM;
      start = place;
    } else {
      if (!isPageAligned(start)) return -Errno.EINVAL;
      if (start + length > this.options.top) return -Errno.ENOMEM;
      // vm.mmap_min_addr
      if (start < Layout.FLOOR) return -Errno.EPERM;
      if (request.placement === 'fixed-noreplace' && !this.areas.isFree(start, start + length)) return -Errno.EEXIST;
    }
    const end = start + length;
    if (this.areas.count >= MAX_AREAS) return -Errno.ENOMEM;
    const freed = this.chargedWithin(start, end);
    const { backing } = request;
    if (!this.charge(cost(request.permission, request.charged ?? length, backing) - freed)) return -Errno.ENOMEM;
    if (backing?.file.common) this.peak = Math.max(this.peak, this.used + length);
    this.drop(start, end);
    const fileEnd = backing && start + Math.max(0, pageUp(backing.file.size() - backing.offset));
    this.memory.map(start, length, request.permission);
    const gone = this.areas.within(start, end);
    this.areas.replace(start, end, [
      {
        start,
        end,
        permission: request.permission,
        shared: request.shared ?? false,
        backing,
        name: request.name ?? backing?.file.name ?? '',
        fileEnd: fileEnd !== undefined && fileEnd < end ? fileEnd : undefined,
        ...((request.locked || this.locksNew) && { locked: true }),
      },
    ]);
    if (backing) this.fill(start, end, backing, fileEnd!);
    this.release(gone);
    return start;
  }

  /** Lets go of files that only areas which are gone showed. */
  private release(gone: readonly Area[]): void {
    const files = new Set<MappableFile>();
    for (const area of gone) if (area.backing) files.add(area.backing.file);
    if (files.size === 0) return;
    for (const area of this.areas) if (area.backing) files.delete(area.backing.file);
    for (const file of files) file.release?.(this);
  }

  private fill(start: number, end: number, backing: Backing, fileEnd: number): void {
    // a part of a mapping may be beyond the end of the file altogether
    const shownEnd = Math.max(start, Math.min(end, fileEnd));
    const into = this.raw(start, shownEnd - start);
    this.memory.use(start, into.length);
    for (let done = 0; done < into.length; ) {
      const count = backing.file.read(into.subarray(done), backing.offset + done);
      if (count <= 0) break;
      done += count;
    }
    if (shownEnd < end) this.memory.protect(shownEnd, end - shownEnd, 0);
  }

  /** Before areas go or change their content: shared changes are written back, translations voided. */
  private drop(start: number, end: number): void {
    for (const area of this.areas.within(start, end)) ignoringErrors(() => this.writeBack(area));
    this.options.invalidate(start, end - start);
  }

  private writeBack(area: Area): void {
    const { backing } = area;
    if (backing?.file.isCommon?.()) backing.file.common?.settle(this);
    if (!area.shared || !backing?.file.write || backing.file.common || !(area.permission & PagePermission.Write)) return;
    if (backing.file.isCommon?.() && !this.entered) return;
    const length = Math.min(area.end - area.start, backing.file.size() - backing.offset);
    if (length <= 0) return;
    const stored = this.raw(area.start, length);
    // memory is written sooner than compared
    if (backing.file.futexes) backing.file.write(stored, backing.offset);
    else this.store(backing.file, stored, backing.offset);
  }

  unmap(start: number, byteLength: number): number {
    const length = pageUp(byteLength);
    if (!isPageAligned(start) || length === 0 || start + length > this.options.top) return -Errno.EINVAL;
    const end = start + length;
    if (this.areas.isFree(start, end)) return 0;
    this.charge(-this.chargedWithin(start, end));
    this.drop(start, end);
    const gone = this.areas.within(start, end);
    for (const area of gone) this.memory.unmap(area.start, area.end - area.start);
    this.areas.replace(start, end, []);
    this.release(gone);
    return 0;
  }

  protect(start: number, byteLength: number, permission: number): number {
    const length = pageUp(byteLength);
    if (!isPageAligned(start)) return -Errno.EINVAL;
    if (length === 0) return 0;
    const end = start + length;
    if (end > this.options.top || !this.areas.covers(start, end)) return -Errno.ENOMEM;
    const areas = this.areas.within(start, end);
    for (const area of areas)
      if (area.shared && area.backing && permission & PagePermission.Write) {
        if (!area.backing.file.write) return -Errno.EACCES;
        if (!(area.permission & PagePermission.Write) && area.backing.file.isSealed?.()) return -Errno.EACCES;
      }
    let charged = 0;
    for (const area of areas) charged += cost(permission, area.end - area.start, area.backing);
    if (!this.charge(charged - this.chargedWithin(start, end))) return -Errno.ENOMEM;
    this.options.invalidate(start, length);
    for (const area of areas) {
      if (!(permission & PagePermission.Write)) this.writeBack(area);
      const open = area.fileEnd === undefined ? area.end : Math.max(area.start, Math.min(area.end, area.fileEnd));
      if (open > area.start) this.memory.protect(area.start, open - area.start, permission);
    }
    this.areas.replace(
      start,
      end,
      areas.map((area) => ({ ...area, permission })),
    );
    return 0;
  }

  /** What is noted of whole pages: mlock(2), madvise(2). */
  mark(start: number, end: number, properties: Pick<Area, 'locked'> | Pick<Area, 'inChild'>): void {
    this.areas.replace(
      start,
      end,
      this.areas.within(start, end).map((area) => ({ ...area, ...properties })),
    );
  }
  /** Bytes of a range that are locked. */
  lockedWithin(start = 0, end = this.options.top): number {
    let bytes = 0;
    for (const area of this.areas.within(start, end)) if (area.locked) bytes += area.end - area.start;
    return bytes;
  }

  /** mremap(2). `fixed` is the address that MREMAP_FIXED gives. */
  remap(start: number, oldBytes: number, newBytes: number, mayMove: boolean, fixed?: number): number {
    const [oldLength, newLength] = [pageUp(oldBytes), pageUp(newBytes)];
    if (!isPageAligned(start) || newLength === 0) return -Errno.EINVAL;
    const area = this.areas.at(start);
    if (!area) return -Errno.EFAULT;
    // an old length of zero duplicates a shared mapping
    if (oldLength === 0) return -Errno.EINVAL;
    if (start + oldLength > area.end) return -Errno.EFAULT;
    if (newLength > this.options.top) return -Errno.ENOMEM;
    if (fixed !== undefined) {
      if (!mayMove || !isPageAligned(fixed) || (fixed < start + oldLength && start < fixed + newLength)) return -Errno.EINVAL;
      if (!this.inUserSpace(fixed, newLength)) return -Errno.EINVAL;
      return this.move(area, start, oldLength, newLength, fixed);
    }
    if (newLength <= oldLength) {
      if (newLength < oldLength) this.unmap(start + newLength, oldLength - newLength);
      return start;
    }
    const grows = start + oldLength === area.end && start + newLength <= this.options.top;
    if (grows && this.areas.isFree(area.end, start + newLength)) {
      const backing = area.backing && { ...area.backing, offset: area.backing.offset + (area.end - area.start) };
      const { permission, shared, name, locked = false } = area;
      const grown = this.map({
        address: area.end,
        length: newLength - oldLength,
        permission,
        shared,
        name,
        locked,
        placement: 'fixed',
        ...(backing && { backing }),
      });
      return grown < 0 ? grown : start;
    }
    if (!mayMove) return -Errno.ENOMEM;
    const place = this.place(0, newLength);
    return place === undefined ? -Errno.ENOMEM : this.move(area, start, oldLength, newLength, place);
  }

  private move(area: Area, from: number, oldLength: number, newLength: number, to: number): number {
    const backing = area.backing && { ...area.backing, offset: area.backing.offset + (from - area.start) };
    const kept = Math.min(oldLength, newLength);
    // the old pages are freed below, so only growth counts
    const { permission, shared, name, locked = false } = area;
    const { budget } = this.options;
    const grows = cost(permission, Math.max(0, newLength - oldLength), backing);
    if (grows > 0 && budget.used + grows > budget.limit) return -Errno.ENOMEM;
    const moving = cost(permission, kept, backing);
    this.charge(-moving);
    const request = { address: to, length: newLength, permission, shared, name, locked };
    const placed = this.map({ ...request, placement: 'fixed', ...(backing && { backing }) });
    this.used += moving;
    budget.used += moving;
    if (placed < 0) return placed;
    const into = this.raw(to, kept);
    const content = this.raw(from, kept);
    // where a file shows, zeros are content, too
    for (const [first, last] of backing ? [[0, kept]] : this.filled({ start: from, end: from + kept })) {
      into.set(content.subarray(first, last), first);
      this.memory.use(to + first, last - first);
    }
    this.unmap(from, oldLength);
    return to;
  }

  /** madvise(MADV_DONTNEED): anonymous private pages read as zero again, file pages as the file. */
  discard(start: number, byteLength: number): number {
    const end = start + pageUp(byteLength);
    if (!isPageAligned(start)) return -Errno.EINVAL;
    if (end > this.options.top) return -Errno.ENOMEM;
    this.options.invalidate(start, end - start);
    for (const area of this.areas.within(start, end)) {
      if (area.shared) continue;
      this.memory.map(area.start, area.end - area.start, area.permission);
      if (area.backing) this.fill(area.start, area.end, area.backing, area.fileEnd ?? area.end);
    }
    return this.areas.covers(start, end) ? 0 : -Errno.ENOMEM;
  }

  /** msync(2), and the end of the program: shared changes reach their files. */
  sync(start = 0, byteLength = this.options.top): number {
    const end = start + pageUp(byteLength);
    if (!isPageAligned(start)) return -Errno.EINVAL;
    for (const area of this.areas.within(start, end)) this.writeBack(area);
    return this.areas.covers(start, end) ? 0 : -Errno.ENOMEM;
  }

  /** What shared mappings show of a file between two positions. */
  private *shownOf(identity: () => string, from: number, to: number): Generator<Shown> {
    if (!this.areas.haveShownShared) return;
    let wanted: string | undefined;
    for (const area of this.areas) {
      const { shared, backing } = area;
      if (!shared || !backing?.file.identity) continue;
      const first = Math.max(from, backing.offset);
      const last = Math.min(to, backing.offset + area.end - area.start);
      if (first >= last) continue;
      wanted ??= identity();
      if (backing.file.identity() !== wanted) continue;
      yield { area, file: backing.file, address: area.start + first - backing.offset, position: first, length: last - first };
    }
  }
  /** Before a part of a file is read: what this process has stored through mappings is in it, if nobody else may have done so since. */
  beforeRead(identity: () => string, from: number, to: number): void {
    for (const { area, file, address, position, length } of this.shownOf(identity, from, to)) {
      if (!file.write || !(area.permission & PagePermission.Write) || (file.isCommon?.() && !this.entered)) continue;
      this.store(file, this.raw(address, Math.min(length, file.size() - position)), position);
    }
  }

  /** Writes what the file does not have already. */
  private store(file: MappableFile, stored: Uint8Array, position: number): void {
    const known = new Uint8Array(Math.min(stored.length, STORE_STEP));
    for (let at = 0; at < stored.length; at += STORE_STEP) {
      const part = stored.subarray(at, at + STORE_STEP);
      const before = known.subarray(0, part.length);
      let count = 0;
      while (count < part.length) {
        const read = file.read(before.subarray(count), position + at + count);
        if (read <= 0) break;
        count += read;
      }
      if (count < part.length || !isSame(part, before)) file.write!(part, position + at);
    }
  }
  /** After a part of a file was written: mappings show it. */
  afterWrite(identity: () => string, from: number, to: number): void {
    const shown = [...this.shownOf(identity, from, to)];
    for (const { area, file, address, position, length } of shown) {
      if (area.fileEnd !== undefined && address + length > area.fileEnd) this.openTo(area, Math.min(area.end, pageUp(address + length)));
      file.read(this.raw(address, length), position);
      this.memory.use(address, length);
      if (area.permission & PagePermission.Execute) this.options.invalidate(address, length);
    }
  }
  /** The file has grown, and more of its mapping can be used. */
  private openTo(area: Area, fileEnd: number): void {
    const from = Math.max(area.start, area.fileEnd!);
    this.memory.protect(from, fileEnd - from, area.permission);
    this.areas.replace(area.start, area.end, [{ ...area, fileEnd: fileEnd < area.end ? fileEnd : undefined }]);
  }

  private common(): readonly Area[] {
    return [...this.areas].filter(({ shared, backing }) => shared && backing?.file.isCommon?.());
  }
  get hasCommon(): boolean {
    return this.common().length > 0;
  }
  /** The processor goes on in this address space. False if there is not the memory for what others have left. */
  enter(): boolean {
    this.entered = true;
    let enough = true;
    for (const { start, end, backing, fileEnd = end } of this.common()) {
      const { file } = backing!;
      if (!file.common) ignoringErrors(() => this.fill(start, end, backing!, fileEnd));
      else enough = file.common.take(this) && enough;
    }
    return enough;
  }
  /** It goes on in another one. */
  leave(): void {
    for (const area of this.common()) if (!area.backing!.file.common) ignoringErrors(() => this.writeBack(area));
    this.entered = false;
  }

  /** Its areas that show a file, with their bytes as they lie in Wasm memory. */
  *showing(file: MappableFile): Generator<{ readonly area: Area; readonly memory: Uint8Array }> {
    for (const area of this.areas) if (area.backing?.file === file) yield { area, memory: this.raw(area.start, area.end - area.start) };
  }
  /** Where in an area there are bytes other than zero, from its start, in whole pages. */
  *filled({ start, end }: Pick<Area, 'start' | 'end'>): Generator<readonly [from: number, to: number]> {
    const index = GuestMemory.index(start);
    for (const [from, to] of this.options.filled(index, index + end - start)) yield [from - index, to - index];
  }

  /** Where brk starts. */
  setBreakStart(address: number): void {
    this.breakStart = pageUp(address);
    this.breakEnd = this.breakStart;
  }
  get heap(): { readonly start: number; readonly end: number } {
    return { start: this.breakStart, end: this.breakEnd };
  }

  /** brk(2): the new break, or the old one if it cannot be moved. */
  setBreak(address: number): number {
    if (address < this.breakStart || address > this.options.top) return this.breakEnd;
    const [oldEnd, newEnd] = [pageUp(this.breakEnd), pageUp(address)];
    if (newEnd < oldEnd) this.unmap(newEnd, oldEnd - newEnd);
    else if (newEnd > oldEnd) {
      if (!this.areas.isFree(oldEnd, newEnd)) return this.breakEnd;
      const permission = PagePermission.Read | PagePermission.Write;
      const placed = this.map({ address: oldEnd, length: newEnd - oldEnd, permission, placement: 'fixed', name: '[heap]' });
      if (placed < 0) return this.breakEnd;
    }
    this.breakEnd = address;
    return address;
  }

  /** Why an access faults, as si_code of SIGSEGV or SIGBUS tells it. */
  faultKind(address: number): 'unmapped' | 'permission' | 'beyond-file' {
    const area = this.areas.at(address);
    if (!area) return 'unmapped';
    return area.fileEnd !== undefined && address >= area.fileEnd && area.permission !== 0 ? 'beyond-file' : 'permission';
  }

  /** All mappings go, after shared changes have been written back. `wipe` makes a part of the Wasm memory zero. */
  clear(wipe: (start: number, end: number) => void): void {
    const areas = [...this.areas];
    for (const area of areas) ignoringErrors(() => this.writeBack(area));
    for (const { start, end } of areas) wipe(GuestMemory.index(start), GuestMemory.index(start) + end - start);
    this.areas.replace(0, this.options.top, []);
    this.release(areas);
    this.charge(-this.used);
  }

  /** Where its parts are, for `restore`. */
  get layout(): MapLayout {
    const { stackStart, breakStart, breakEnd } = this;
    return { stackStart, breakStart, breakEnd };
  }
  /** An empty one has these areas. What they show is for the caller to fill in, but for what is shared with a file. Throws ENOMEM beyond the budget. */
  restore(areas: readonly Area[], layout: MapLayout): void {
    const { top } = this.options;
    this.areas.replace(0, top, areas);
    const stack = this.areas.at(layout.stackStart);
    const uncharged = stack?.permission ? Math.min(layout.stackStart - stack.start, STACK_LIMIT) : 0;
    if (!this.charge(this.chargedWithin(0, top) - uncharged)) throw new SyscallError(Errno.ENOMEM);
    for (const { start, end, permission, shared, backing, fileEnd = end } of areas) {
      this.memory.map(start, end - start, permission);
      if (shared && backing?.file.identity) this.fill(start, end, backing, fileEnd);
      else if (fileEnd < end) this.memory.protect(Math.max(start, fileEnd), end - Math.max(start, fileEnd), 0);
    }
    this.stackStart = layout.stackStart;
    this.breakStart = layout.breakStart;
    this.breakEnd = layout.breakEnd;
  }

  /** Becomes what another one is. `copy` copies a part of the Wasm memory. Throws ENOMEM beyond the budget. */
  copyFrom(from: MemoryMap, copy: (start: number, end: number) => void): void {
    const all = [...from.areas];
    let missing = 0;
    for (const { inChild, permission, start, end, backing } of all) {
      if (inChild !== 'nothing') continue;
      const charged = start <= from.stackStart && from.stackStart < end ? from.stackStart : start;
      missing += cost(permission, end - charged, backing);
    }
    if (!this.charge(Math.max(0, from.used - missing))) throw new SyscallError(Errno.ENOMEM);
    // locks are not inherited
    const areas = all.filter(({ inChild }) => inChild !== 'nothing').map((area) => (area.locked ? { ...area, locked: false } : area));
    const files = new Set<MappableFile>();
    for (const { start, end, backing, inChild } of areas) {
      const index = GuestMemory.index(start);
      if (inChild !== 'zeros') copy(index, index + end - start);
      this.memory.copyPages(from.memory, start, end);
      if (backing) files.add(backing.file);
    }
    for (const file of files) file.retain?.(from, this);
    this.areas.replace(0, this.options.top, areas);
    this.stackStart = from.stackStart;
    this.breakStart = from.breakStart;
    this.breakEnd = from.breakEnd;
  }
}
