export { run, runBlock } from './dispatch';
export { checkAccess } from './memory';
export { mips_cycles, mips_synci } from './mips';
export { x86_cpuid } from './x86/cpuid';
export { x86_rdtsc } from './x86/cycles';
export { x86_access_rights, x86_load_segment, x86_segment_limit } from './x86/segment';
export { sse_compute, sse_fxrstor, sse_fxsave, sse_load_mxcsr, sse_masked_store } from './x86/sse';
export { x86_rep_cmps, x86_rep_lods, x86_rep_movs, x86_rep_scas, x86_rep_stos } from './x86/strings';
export * from './x86/x87';
