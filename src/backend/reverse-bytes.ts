/** A 32-bit word in the other byte order. */
export const reverseBytes = (n: number): number => (n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24);
