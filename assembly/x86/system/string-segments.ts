// Segments of repeated string instructions: what RepForm.SEGMENTED says of source and destination.

import { Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { System } from '../../../translators/x86/system/state';
import { RepForm } from '../../shared/rep';
import { get, raise } from './core';
import { segmentFault } from './descriptors';

function sourceSegment(form: u32): u32 {
  return (form >>> RepForm.SEGMENT_SHIFT) & 7;
}
export function sourceBase(form: u32): u32 {
  return form & RepForm.SEGMENTED ? get(X86.ES_BASE + sourceSegment(form) * 4) : 0;
}
export function destinationBase(form: u32): u32 {
  return form & RepForm.SEGMENTED ? get(X86.ES_BASE) : 0;
}
/** Whether an element lies beyond its segment: then #GP or #SS is recorded. */
export function sourceFault(form: u32, offset: u32, size: u32): bool {
  const segment = sourceSegment(form);
  if (!(form & RepForm.SEGMENTED) || !segmentFault(segment, offset, size)) return false;
  raise(segment === Segment.SS ? Vector.SS : Vector.GP, 0);
  return true;
}
export function destinationFault(form: u32, offset: u32, size: u32, write: bool): bool {
  if (!(form & RepForm.SEGMENTED)) return false;
  if (!segmentFault(Segment.ES, offset, size) && (!write || get(System.WRITABLE))) return false;
  raise(Vector.GP, 0);
  return true;
}
