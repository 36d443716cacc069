// Intel 8042 keyboard controller as in an AT, with a keyboard and nothing at the auxiliary port. Offset 0 is port 0x60, 4 is port 0x64.
import type { Device, InterruptLine, Saved, Stateful } from './device.ts';

const enum Status {
  OutputFull = 1,
  System = 4,
  Command = 8,
  Unlocked = 0x10,
  AuxiliaryOutput = 0x20,
}
const enum Config {
  Interrupt = 1,
  AuxiliaryInterrupt = 2,
  System = 4,
  KeyboardOff = 0x10,
  AuxiliaryOff = 0x20,
  Translate = 0x40,
}
const enum Output {
  NotReset = 1,
  A20 = 2,
}
/** Bytes of an AT keyboard's buffer: of what nobody reads, no more is kept. */
const MOST_BYTES = 16;
const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;

export interface I8042 extends Device, Stateful {
  /** Scan codes of set 1, from the embedder. */
  press(codes: readonly number[]): void;
}

export interface I8042Options {
  readonly irq1: InterruptLine;
  readonly irq12: InterruptLine;
  readonly reset: () => void;
  readonly a20: (on: boolean) => void;
}

export function makeI8042(options: I8042Options): I8042 {
  const memory = new Uint8Array(32);
  let output = Output.NotReset | Output.A20;
  /** Bytes for the host: low eight bits, and 0x100 if they are the auxiliary port's. */
  let queue: number[] = [];
  /** Command to the controller that waits for its data byte, or 0. */
  let command = 0;
  /** Command to the keyboard that waits for its data byte, or 0. */
  let keyboardCommand = 0;
  let lastWasCommand = false;
  let scanning = true;

  const settle = (): void => {
    const first = queue[0];
    const auxiliary = first !== undefined && (first & 0x100) !== 0;
    options.irq1(first !== undefined && !auxiliary && (memory[0] & Config.Interrupt) !== 0);
    options.irq12(auxiliary && (memory[0] & Config.AuxiliaryInterrupt) !== 0);
  };
  function send(bytes: readonly number[]): void {
    for (const byte of bytes) if (queue.length < MOST_BYTES) queue.push(byte);
    settle();
  }
  const reply = (...bytes: number[]): void => send(bytes);
  function setOutput(value: number): void {
    output = value;
    options.a20((value & Output.A20) !== 0);
    if (!(value & Output.NotReset)) options.reset();
  }

  function controllerCommand(value: number): void {
    if (value >= 0x20 && value < 0x40) {
      reply(memory[value & 31]);
      return;
    }
    if (value >= 0xf0) {
      // pulses the output bits that are 0
      if (!(value & 1)) options.reset();
      return;
    }
    switch (value) {
      case 0xa7:
        memory[0] |= Config.AuxiliaryOff;
        break;
      case 0xa8:
        memory[0] &= ~Config.AuxiliaryOff;
        break;
      case 0xa9:
        // test of the auxiliary port: nothing is there, its clock line is stuck
        reply(1);
        break;
      case 0xaa:
        memory[0] |= Config.System;
        reply(0x55);
        break;
      case 0xab:
        reply(0);
        break;
      case 0xad:
        memory[0] |= Config.KeyboardOff;
        break;
      case 0xae:
        memory[0] &= ~Config.KeyboardOff;
        break;
      case 0xc0:
        reply(0x80);
        break;
      case 0xd0:
        reply(output);
        break;
      case 0xdd:
        setOutput(output & ~Output.A20);
        break;
      case 0xdf:
        setOutput(output | Output.A20);
        break;
      default:
        if ((value >= 0x60 && value < 0x80) || (value >= 0xd1 && value <= 0xd4)) command = value;
    }
  }

  function controllerData(value: number): void {
    const pending = command;
    command = 0;
    if (pending < 0x80) {
      memory[pending & 31] = value;
      settle();
    } else if (pending === 0xd1) setOutput(value);
    else if (pending === 0xd2) reply(value);
    else if (pending === 0xd3) reply(value | 0x100);
    // 0xd4: for the auxiliary device, which is not there and does not answer
  }

  function keyboardByte(value: number): void {
    if (keyboardCommand) {
      const pending = keyboardCommand;
      keyboardCommand = 0;
      // set 2 is what it sends, whatever is asked for; with 0 the guest asks which
      if (pending === 0xf0 && value === 0) reply(ACK, 2);
      else reply(ACK);
      return;
    }
    switch (value) {
      case 0xed:
      case 0xf0:
      case 0xf3:
        keyboardCommand = value;
        reply(ACK);
        break;
      case 0xee:
        reply(0xee);
        break;
      case 0xf2:
        // translated, as an AT keyboard's 0xab 0x83 arrives
        reply(ACK, 0xab, memory[0] & Config.Translate ? 0x41 : 0x83);
        break;
      case 0xf4:
        scanning = true;
        reply(ACK);
        break;
      case 0xf5:
      case 0xf6:
        scanning = value === 0xf6;
        reply(ACK);
        break;
      case 0xff:
        scanning = true;
        queue = [];
        reply(ACK, SELF_TEST_PASSED);
        break;
      default:
        reply(RESEND);
    }
  }

  return {
    name: 'i8042',
    widest: 1,
    read(offset) {
      if (offset === 4) {
        const first = queue[0];
        return (
          (first === undefined ? 0 : Status.OutputFull | (first & 0x100 ? Status.AuxiliaryOutput : 0)) |
          (memory[0] & Config.System ? Status.System : 0) |
          (lastWasCommand ? Status.Command : 0) |
          Status.Unlocked
        );
      }
      if (offset !== 0) return 0xff;
      const byte = queue.shift() ?? 0;
      // each byte is an edge of its own
      options.irq1(false);
      options.irq12(false);
      settle();
      return byte & 0xff;
    },
    write(offset, _bytes, value) {
      if (offset === 4) {
        lastWasCommand = true;
        command = 0;
        controllerCommand(value);
      } else if (offset === 0) {
        lastWasCommand = false;
        if (command) controllerData(value);
        else keyboardByte(value);
      }
    },
    press(codes) {
      if (scanning && !(memory[0] & Config.KeyboardOff)) send(codes);
    },
    reset() {
      memory.fill(0);
      memory[0] = Config.System;
      queue = [];
      command = keyboardCommand = 0;
      output = Output.NotReset | Output.A20;
      scanning = true;
      settle();
    },
    save: () => ({ memory: memory.slice(), output, queue, command, keyboardCommand, lastWasCommand, scanning }),
    restore(saved) {
      const state = saved as unknown as {
        memory: Uint8Array;
        output: number;
        queue: readonly Saved[];
        command: number;
        keyboardCommand: number;
        lastWasCommand: boolean;
        scanning: boolean;
      };
      memory.set(state.memory);
      output = state.output;
      queue = state.queue.map(Number);
      ({ command, keyboardCommand, lastWasCommand, scanning } = state);
      settle();
    },
  };
}
