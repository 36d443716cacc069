import { describe, expect, it } from 'vitest';
import { wasmvisor } from './support.ts';

describe('lockstep', () => {
  it('runs a program, and says how often it compared', async () => {
    const { code, stdout, stderr } = await wasmvisor('lockstep', '--slice', '100', 'corpus/programs/mips/hello');
    expect(stdout).toMatch(/^hello 1: Hello from a guest!/);
    expect(stderr).toMatch(/^wasmvisor: no difference in \d+ instructions, compared \d+ times\n$/);
    expect(code).toBe(0);
  }, 300_000);

  it.each([
    [['lockstep', '--slice', '0', 'x'], "wasmvisor: option '--slice <n>' argument '0' is invalid. A number of instructions.\n"],
    [
      ['run', '--check-sample', '5', 'x'],
      "wasmvisor: option '--check-sample <1/n>' argument '5' is invalid. One of so many, as in 1/1000.\n",
    ],
  ])('%j is refused', async (args, message) => {
    expect(await wasmvisor(...args)).toMatchObject({ code: 2, stderr: message });
  });

  it('checks a sample of an ordinary run', async () => {
    const { code, stdout, stderr } = await wasmvisor('run', '--check-sample', '1/2', 'corpus/programs/x86/sha256', '1');
    expect(stdout).toMatch(/^sha256 1: /);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  }, 300_000);
});
