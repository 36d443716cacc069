/** What reserve.ts made before the command was loaded. */
export const reserved: { memory?: WebAssembly.Memory | undefined } = {};
