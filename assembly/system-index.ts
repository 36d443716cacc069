// The runtime of system mode: build/system.wasm.
export * from './index';
export { codeEntry, codePhysical, flushTlb, protectCode, samePage, slowRead, slowWrite } from './paged';
export { goesOn } from './system';
