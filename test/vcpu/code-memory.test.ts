import { expect, it } from 'vitest';
import { createRuntime } from '../../src/backend/runtime.ts';
import * as compile from '../../src/backend/wasm/compile.ts';
import { exitCode } from '../../src/linux/program.ts';
import { CallSlots } from '../../src/vcpu/call-slots.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { Vcpu } from '../../src/vcpu/vcpu.ts';
import { corpusGuest } from '../support/guest.ts';
import { runProgram } from '../support/run-program.ts';
import { runtimeModule } from '../support/runtime.ts';
import { selfModifying, selfModifyingResult } from '../support/self-modifying.ts';

it('a guest that makes code all the time has as much of it as it may, and runs right', { timeout: 300_000 }, async () => {
  const functions = 400;
  const { status, stats } = await runProgram(selfModifying(functions), {
    hotThreshold: 1000,
    // loaded already, so that it is there in time
    loadCompiler: async () => compile,
    makeVcpu: (options) => new Vcpu({ ...options, codeLimit: { bytes: 1 << 20, modules: 50, dropped: 100 } }),
  });
  expect(exitCode(status)).toBe(selfModifyingResult(functions));
  expect(stats.modules).toBeGreaterThan(200);
  // each time, half of them go
  expect(stats.evictions).toBeGreaterThan(4);
  expect(stats.evictions).toBeLessThan(20);
});

it.each(['x86', 'mips'] as const)('a guest on %s whose code is taken from it in the midst runs as without', {
  timeout: 300_000,
}, async (isa) => {
  const results = [];
  for (const codeLimit of [undefined, { bytes: 1, modules: 1, dropped: 3 }, { bytes: 1 << 20, modules: 3, dropped: 10 }]) {
    const guest = await corpusGuest(isa, 'states', ['1'], { executor: 'tiered', hotThreshold: 20, ...(codeLimit && { codeLimit }) });
    while (guest.exitCode === undefined) {
      const exit = guest.vcpu.run(20_000);
      if (exit.kind === 'syscall') guest.systemCall();
      await new Promise((resolve) => setImmediate(resolve));
    }
    results.push([guest.output, guest.exitCode, guest.vcpu.retired]);
    expect(guest.vcpu.stats.evictions > 0).toBe(codeLimit !== undefined);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

it('entries of the function table are used again when nobody has their index any more', () => {
  const runtime = createRuntime(runtimeModule(), new GuestMemory(0x1000000, 'little'));
  const slots = new CallSlots(runtime);
  const code = runtime.exports.run;
  const index = slots.fill(0x1000, code);
  slots.hold([index]);
  slots.empty(0x1000);
  slots.forget(0x1000);
  // a module may still call it
  expect([slots.of(0x1000), slots.of(0x2000) === index, slots.size]).toEqual([index, false, 2]);
  slots.release([index]);
  expect([slots.get(0x1000), slots.of(0x3000)]).toEqual([undefined, index]);
  const { length } = runtime.table;
  for (let key = 1; key < 10_000; key++) {
    slots.fill(key, code);
    slots.empty(key);
    slots.forget(key);
  }
  expect(runtime.table.length).toBe(length);
});
