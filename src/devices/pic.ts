// Intel 8259A: a master and a slave on its input 2, as in a PC. Offsets 0 and 1 are A0 of the data sheet.
import type { Device, InterruptLine, Saved, Stateful } from './device.ts';

const enum Ocw {
  /** OCW2, bits 7…5: R, SL, EOI. */
  Rotate = 0x80,
  Specific = 0x40,
  EndOfInterrupt = 0x20,
}

/** Input of the master that the slave's output goes to. */
const CASCADE = 2;
const SPURIOUS = 7;

class Chip implements Device {
  readonly widest = 1;
  irr = 0;
  isr = 0;
  imr = 0;
  /** Levels of the inputs. */
  private level = 0;
  /** ICW2: vector of input 0. */
  private base = 0;
  /** Inputs that are level-triggered (ELCR; the chip's own LTIM sets all). */
  elcr = 0;
  private levelAll = false;
  private lowest = 7;
  /** The initialisation word that is expected next, 0 none. */
  private expects = 0;
  private needsIcw4 = false;
  private single = false;
  private autoEnd = false;
  private rotateOnAutoEnd = false;
  private specialMask = false;
  private specialFullyNested = false;
  private readsIsr = false;
  private polled = false;

  constructor(
    readonly name: string,
    private readonly master: boolean,
    private readonly changed: () => void,
  ) {}

  private static readonly FIELDS = ['irr', 'isr', 'imr', 'level', 'base', 'elcr', 'lowest', 'expects'] as const;
  private static readonly FLAGS = [
    'levelAll',
    'needsIcw4',
    'single',
    'autoEnd',
    'rotateOnAutoEnd',
    'specialMask',
    'specialFullyNested',
    'readsIsr',
    'polled',
  ] as const;
  save(): Saved {
    return [...Chip.FIELDS.map((name) => this[name]), ...Chip.FLAGS.map((name) => this[name])];
  }
  restore(saved: Saved): void {
    const values = saved as (number | boolean)[];
    Chip.FIELDS.forEach((name, index) => {
      this[name] = Number(values[index]);
    });
    Chip.FLAGS.forEach((name, index) => {
      this[name] = Boolean(values[Chip.FIELDS.length + index]);
    });
  }

  reset(): void {
    this.restore([0, 0, 0, this.level, 0, 0, 7, 0, ...Chip.FLAGS.map(() => false)]);
  }

  setInput(input: number, high: boolean): void {
    const bit = 1 << input;
    const rises = high && !(this.level & bit);
    this.level = high ? this.level | bit : this.level & ~bit;
    if (this.isLevel(input) ? high : rises) this.irr |= bit;
    else if (!high) this.irr &= ~bit;
    this.changed();
  }
  private isLevel(input: number): boolean {
    return this.levelAll || (this.elcr & (1 << input)) !== 0;
  }

  /** How urgent an input is: 0 is the most urgent. */
  private rank(input: number): number {
    return (input - this.lowest - 1 + 8) & 7;
  }
  private mostUrgent(bits: number): number | undefined {
    for (let rank = 0; rank < 8; rank++) {
      const input = (this.lowest + 1 + rank) & 7;
      if (bits & (1 << input)) return input;
    }
    return undefined;
  }

  /** The input that the processor is to be interrupted for. */
  request(): number | undefined {
    const input = this.mostUrgent(this.irr & ~this.imr);
    if (input === undefined) return undefined;
    // in special mask mode, what is masked does not hold up others
    let service = this.specialMask ? this.isr & ~this.imr : this.isr;
    // fully nested, the slave's further requests pass
    if (this.master && this.specialFullyNested) service &= ~(1 << CASCADE);
    const busy = this.mostUrgent(service);
    return busy === undefined || this.rank(input) < this.rank(busy) ? input : undefined;
  }

  /** The acknowledge cycle: the input that is served now. Without a request it is 7, spurious. */
  acknowledge(): { readonly input: number; readonly spurious: boolean } {
    const input = this.request();
    if (input === undefined) return { input: SPURIOUS, spurious: true };
    const bit = 1 << input;
    if (!this.isLevel(input)) this.irr &= ~bit;
    if (!this.autoEnd) this.isr |= bit;
    else if (this.rotateOnAutoEnd) this.lowest = input;
    this.changed();
    return { input, spurious: false };
  }
  vector(input: number): number {
    return (this.base & 0xf8) | input;
  }

  read(offset: number): number {
    if (this.polled) {
      this.polled = false;
      const requested = this.request() !== undefined;
      const { input } = this.acknowledge();
      return requested ? 0x80 | input : 0;
    }
    return offset & 1 ? this.imr : this.readsIsr ? this.isr : this.irr;
  }

  write(offset: number, _bytes: number, value: number): void {
    if (offset & 1) this.writeData(value);
    else if (value & 0x10) this.initialise(value);
    else if (value & 8) this.writeOcw3(value);
    else this.writeOcw2(value);
    this.changed();
  }

  /** ICW1. */
  private initialise(value: number): void {
    this.imr = 0;
    this.isr = 0;
    this.levelAll = (value & 8) !== 0;
    // the edge sense circuit is reset: an input must rise anew
    this.irr = this.levelAll ? this.level : this.level & this.elcr;
    this.lowest = 7;
    this.specialMask = false;
    this.readsIsr = false;
    this.polled = false;
    this.autoEnd = false;
    this.rotateOnAutoEnd = false;
    this.specialFullyNested = false;
    this.single = (value & 2) !== 0;
    this.needsIcw4 = (value & 1) !== 0;
    this.expects = 2;
  }

  private writeData(value: number): void {
    switch (this.expects) {
      case 2:
        this.base = value;
        this.expects = this.single ? (this.needsIcw4 ? 4 : 0) : 3;
        break;
      case 3:
        // which inputs have slaves is wiring
        this.expects = this.needsIcw4 ? 4 : 0;
        break;
      case 4:
        this.autoEnd = (value & 2) !== 0;
        this.specialFullyNested = (value & 0x10) !== 0;
        this.expects = 0;
        break;
      default:
        this.imr = value;
    }
  }

  private writeOcw2(value: number): void {
    const named = value & 7;
    const end = (value & Ocw.EndOfInterrupt) !== 0;
    const rotate = (value & Ocw.Rotate) !== 0;
    if (value & Ocw.Specific) {
      if (end) this.isr &= ~(1 << named);
      // 110 sets priority, 111 rotates on specific EOI; 010 is no operation
      if (rotate) this.lowest = named;
    } else if (end) {
      const input = this.mostUrgent(this.specialMask ? this.isr & ~this.imr : this.isr);
      if (input === undefined) return;
      this.isr &= ~(1 << input);
      if (rotate) this.lowest = input;
    } else {
      this.rotateOnAutoEnd = rotate;
    }
  }

  private writeOcw3(value: number): void {
    if (value & 0x40) this.specialMask = (value & 0x20) !== 0;
    if (value & 4) this.polled = true;
    else if (value & 2) this.readsIsr = (value & 1) !== 0;
  }
}

export interface PicPair extends Stateful {
  readonly master: Device;
  readonly slave: Device;
  /** ELCR1 and ELCR2, offsets 0 and 1 (PIIX data sheet, 2.5.4). */
  readonly elcr: Device;
  /** Inputs 0 … 15; 2 is the cascade. */
  line(input: number): InterruptLine;
  /** The processor's acknowledge cycle: the vector. */
  acknowledge(): number;
}

/** `output` is the processor's INTR. `taken` hears of each input of the master's that the processor takes. */
export function makePicPair(output: InterruptLine, taken: (input: number) => void = () => {}): PicPair {
  let wired = false;
  const settle = (): void => {
    if (!wired) return;
    const cascade = slave.request() !== undefined;
    if (cascade !== cascaded) {
      cascaded = cascade;
      master.setInput(CASCADE, cascade);
    }
    output(master.request() !== undefined);
  };
  let cascaded = false;
  const master = new Chip('pic-master', true, settle);
  const slave = new Chip('pic-slave', false, settle);
  wired = true;
  return {
    name: 'pic',
    master,
    slave,
    elcr: {
      name: 'elcr',
      widest: 1,
      read: (offset) => (offset ? slave : master).elcr,
      write(offset, _bytes, value) {
        // inputs 0, 1, 2, 8 and 13 are edges always
        (offset ? slave : master).elcr = value & (offset ? 0xde : 0xf8);
      },
    },
    line: (input) => (level) => (input < 8 ? master : slave).setInput(input & 7, level),
    acknowledge() {
      const { input, spurious } = master.acknowledge();
      if (input === CASCADE && !spurious) return slave.vector(slave.acknowledge().input);
      if (!spurious) taken(input);
      return master.vector(input);
    },
    reset() {
      master.reset();
      slave.reset();
      cascaded = false;
      settle();
    },
    save: () => [master.save(), slave.save(), cascaded],
    restore(saved) {
      const [first, second, cascade] = saved as [Saved, Saved, boolean];
      master.restore(first);
      slave.restore(second);
      cascaded = cascade;
      settle();
    },
  };
}
