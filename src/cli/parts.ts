/** See Exports in code-cache.ts. Names have no spaces. */
export const parts = new Set<string>();
