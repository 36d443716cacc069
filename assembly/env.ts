// What the host gives the runtime of system mode (imports of module `env`, which this file's name makes it). Bytes: 1, 2 or 4.

/** A load from physical addresses where there is no memory. */
export declare function busRead(physical: u32, bytes: u32): u32;
export declare function busWrite(physical: u32, bytes: u32, value: u32): void;
/** x86 IN and OUT. */
export declare function portRead(port: u32, bytes: u32): u32;
export declare function portWrite(port: u32, bytes: u32, value: u32): void;
/** A hypercall, whose number and arguments are in the guest's registers: 1 if the guest has to wait for its result. */
export declare function hypercall(): u32;
/** Guest time in nanoseconds since the machine was switched on. */
export declare function now(): f64;
/** The guest has nothing to do for so many nanoseconds, but takes an interrupt. */
export declare function rest(nanoseconds: f64): void;
/** A model-specific register of KVM's, by its newer number, was written; or TSC was. */
export declare function msrWritten(register: u32, value: u32, tscOffset: u64): void;
