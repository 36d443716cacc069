import type { Exit } from '../vcpu/exit.ts';
import type { End } from './vectors.ts';

/** A part of a state image, as it is shown. */
export interface Field {
  readonly name: string;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly bytes: number;
  /** What a tolerance applies to. */
  readonly float?: 'extended' | 'singles';
}

/** How the state of an instruction set is laid out in vectors, whatever our own layout is. Numbers are little-endian. */
export interface Subject {
  readonly imageBytes: number;
  readonly fields: readonly Field[];
  /** Sets all guest state but the pc; `state` is Layout.STATE on. */
  write(state: DataView, image: Uint8Array): void;
  read(state: DataView): Uint8Array;
  /** The end and its pc in the oracle's terms; throws on an exit that no vector may have. */
  endOf(exit: Exit): End & { readonly pc: number };
  /** What two ends that differ have to have in common to count as the same all the same. */
  sameEnd?(expected: End, actual: End): boolean;
}
