import type { Exit } from '../vcpu/exit.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { End } from './vectors.ts';

/** A part of a state image, as it is shown. */
export interface Field {
  readonly name: string;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly bytes: number;
  /** What a tolerance applies to. */
  readonly float?: 'extended' | 'singles' | 'double';
}

/** How the state of an instruction set is laid out in vectors, whatever our own layout is. Numbers are little-endian. */
export interface Subject {
  readonly imageBytes: number;
  readonly fields: readonly Field[];
  /** Once, before all else. */
  start?(vcpu: Vcpu): void;
  /** Before code is translated for such a state. */
  prepare?(vcpu: Vcpu, image: Uint8Array): void;
  /** Sets all guest state but the pc. */
  write(vcpu: Vcpu, image: Uint8Array): void;
  read(vcpu: Vcpu): Uint8Array;
  /** The end and its pc in the oracle's terms; throws on an exit that no vector may have. */
  endOf(exit: Exit): End & { readonly pc: number };
  /** Bits of a word that translated code may leave stale where a budget ends, since nobody reads them before they are written. */
  readonly transient?: { readonly offset: number; readonly bits: number };
  /** What two ends that differ have to have in common to count as the same all the same. */
  sameEnd?(expected: End, actual: End): boolean;
}
