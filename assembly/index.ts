export { run, runBlock, runBlocks } from './dispatch';
export { exitOnStackFault, exitRegion } from './leave';
export { lowerBlock } from './lower/lower';
export { setConstants } from './lower/slots';
export { assembleBlock, assembleSlot } from './lower/templates';
export { checkAccess, firstCleanPage, firstDirtyPage } from './memory';
export { mips_cfc1, mips_ctc1 } from './mips/fcsr';
export { mips_float } from './mips/float';
export { mips_cycles, mips_synci } from './mips/system';
export { x86_cpuid } from './x86/cpuid';
export { x86_rdtsc } from './x86/cycles';
export { sse_approximate, sse_fxrstor, sse_fxsave, sse_load_mxcsr, sse_masked_store, sse_see_mxcsr, sse_slow } from './x86/sse';
export { x86_rep_cmps, x86_rep_lods, x86_rep_movs, x86_rep_scas, x86_rep_stos } from './x86/strings';
export {
  x86_descriptor_limit,
  x86_descriptor_rights,
  x86_restore_code,
  x86_segment_fault,
  x86_set_segment,
  x86_verify_descriptor,
} from './x86/system/descriptors';
export { x86_far_call, x86_far_jump, x86_far_return, x86_iret } from './x86/system/transfer';
export { x86_probe_write, x86_store16_if } from './x86/writes';
export * from './x86/x87';
export * from './x86/x87-double';
export * from './x86/x87-known';
