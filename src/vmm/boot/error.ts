/** A kernel, initrd or option that cannot be booted: what is wrong with it. */
export class BootError extends Error {
  override name = 'BootError';
}
