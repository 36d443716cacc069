// The runtime of system mode: build/system.wasm.
export * from './index';
export { stopSoon } from './leave';
export {
  mips_count,
  mips_enable,
  mips_eret,
  mips_kernel_float,
  mips_mtc0,
  mips_mtc0_time,
  mips_next,
  mips_timer_next,
  mips_timer_tick,
} from './mips/coprocessor0';
export { mips_hypercall, mips_interrupt_pending, mips_line, mips_take_interrupt } from './mips/privileged';
export { mips_check_store, mips_random, mips_tlbp, mips_tlbr, mips_tlbwi, mips_tlbwr } from './mips/tlb';
export { codeEntry, codePhysical, flushTlb, protectCode, regionRead, regionWrite, samePage } from './paged';
export { goesOn } from './system';
export { unfilter_x86 } from './unpack/bcj-x86';
export { crc32, crc32_tables } from './unpack/crc32';
export { x86_modifies } from './x86/modifies';
export {
  x86_clts,
  x86_hypercall,
  x86_invlpg,
  x86_load_msw,
  x86_pause,
  x86_rdmsr,
  x86_system_cpuid,
  x86_time_stamp,
  x86_write_control,
  x86_wrmsr,
} from './x86/system/control';
export {
  x86_breakpoint,
  x86_debug_access,
  x86_hold_interrupt,
  x86_read_debug,
  x86_stepped,
  x86_stepped_into,
  x86_stepped_on,
  x86_watch,
  x86_write_debug,
} from './x86/system/debug';
export { x86_lldt, x86_ltr, x86_update_mode } from './x86/system/descriptors';
export {
  x86_deliver,
  x86_interrupt_pending,
  x86_line,
  x86_nmi_pending,
  x86_software_interrupt,
  x86_take_interrupt,
} from './x86/system/interrupts';
export { x86_in, x86_ins, x86_out, x86_outs, x86_port_permission } from './x86/system/io';
export { x86_sysenter, x86_sysexit } from './x86/system/transfer';
