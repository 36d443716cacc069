/** A file of an archive: type and permissions as in st_mode; content, or a link's target. */
export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly content?: string | Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

const padded = (bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  all.set(bytes);
  return all;
};

/** A "newc" archive (Linux Documentation/driver-api/early-userspace/buffer-format.rst), which a kernel takes as initramfs. */
export function makeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = [...entries, { name: 'TRAILER!!!', mode: 0 } satisfies CpioEntry].flatMap((entry: CpioEntry, i) => {
    const { name, mode, content = '', device = [0, 0] } = entry;
    const data = typeof content === 'string' ? encoder.encode(content) : content;
    const fields = [i + 1, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    return [padded(encoder.encode(header)), padded(data)];
  });
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
