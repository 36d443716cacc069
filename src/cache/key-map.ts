const FREE = -1;
const WORD = 0x1_0000_0000;

/** A map by `CodePlaces.key`, whole numbers from 0 to 2^53. V8's own takes several times as long where they have more than 31 bits. */
export class KeyMap<T> {
  private count = 0;
  private keys = new Float64Array(256).fill(FREE);
  private found: (T | undefined)[] = new Array(256).fill(undefined);

  get size(): number {
    return this.count;
  }

  /** Where a key is looked for first. */
  private home(key: number): number {
    const mixed = Math.imul((key >>> 0) ^ Math.imul(key / WORD, 0x85eb_ca6b), 0x9e37_79b1);
    return (mixed ^ (mixed >>> 15)) & (this.keys.length - 1);
  }
  /** Where the key is, or would be. */
  private at(key: number): number {
    const { keys } = this;
    let i = this.home(key);
    while (keys[i] !== key && keys[i] !== FREE) i = (i + 1) & (keys.length - 1);
    return i;
  }

  get(key: number): T | undefined {
    return this.found[this.at(key)];
  }
  set(key: number, value: T): void {
    const i = this.at(key);
    this.found[i] = value;
    if (this.keys[i] === key) return;
    this.keys[i] = key;
    this.count++;
    if (2 * this.count > this.keys.length) this.grow();
  }
  private grow(): void {
    const { keys, found } = this;
    this.keys = new Float64Array(4 * keys.length).fill(FREE);
    this.found = new Array(4 * keys.length).fill(undefined);
    for (let n = 0; n < keys.length; n++) {
      if (keys[n] === FREE) continue;
      const i = this.at(keys[n]);
      this.keys[i] = keys[n];
      this.found[i] = found[n];
    }
  }
  delete(key: number): void {
    const { keys, found } = this;
    const mask = keys.length - 1;
    let free = this.at(key);
    if (keys[free] === FREE) return;
    this.count--;
    // those behind it that would no longer be found move up
    for (let i = (free + 1) & mask; keys[i] !== FREE; i = (i + 1) & mask) {
      if (((i - this.home(keys[i])) & mask) < ((i - free) & mask)) continue;
      keys[free] = keys[i];
      found[free] = found[i];
      free = i;
    }
    keys[free] = FREE;
    found[free] = undefined;
  }
  clear(): void {
    this.count = 0;
    this.keys.fill(FREE);
    this.found.fill(undefined);
  }

  allKeys(): number[] {
    return [...this.keys].filter((key) => key !== FREE);
  }
  values(): T[] {
    return this.found.filter((value) => value !== undefined);
  }
}
