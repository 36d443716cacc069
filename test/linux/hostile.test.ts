import { describe, expect, it } from 'vitest';
import { compile, type Ended, lacks, placeIn, runElsewhere, runHere, TARGETS } from './compiled.ts';

const EXECUTORS = ['interpret', 'translate', 'tiered'] as const;

/**
 * Where qemu-user 7.2 is not what Linux on a MIPS32 processor is (arch/mips/kernel/traps.c, do_trap_or_bp; unaligned.c, do_ade): it
 * ignores the codes of traps, jumps to odd addresses as to MIPS16 code, and takes the kernel's addresses for unmapped ones.
 */
const MIPS_BY_THE_BOOK: Readonly<Record<string, Ended>> = {
  divide: { stdout: '', code: 136 },
  break6: { stdout: '', code: 136 },
  break7: { stdout: '', code: 136 },
  trap7: { stdout: '', code: 136 },
  top_read: { stdout: '', code: 138 },
  top_write: { stdout: '', code: 138 },
  kernel_read: { stdout: '', code: 138 },
  top_jump: { stdout: '', code: 138 },
  odd_jump: { stdout: '', code: 138 },
  even_jump: { stdout: '', code: 138 },
  odd_wild_jump: { stdout: '', code: 138 },
  frame_ones: { stdout: '', code: 138 },
  frame_rt_ones: { stdout: '', code: 138 },
  frame_rt_kernel: { stdout: '', code: 138 },
};

/** Where the guest jumped, if that is where it ends. */
const JUMPS: Readonly<Record<string, number>> = { null_call: 0, wild_jump: 0x30000000, top_jump: 0xfffffff0, low_jump: 0x100 };
/** Where its own code is overwritten, since only checked memory protects that. */
const OVERWRITES = new Set(['rep_down']);
const withoutSize = (mnemonic: string): string => mnemonic.replace(/^([ls][ig]dt)d$/, '$1');
/** What only checked memory finds: pages are there, or would be; whether an address is the kernel's. */
const CHECKED = new Set(['write_constant', 'write_code', 'read_wild', 'top_read', 'top_write', 'kernel_read']);

describe.each(TARGETS)('a program that goes wrong on $name', (target) => {
  const missing = lacks(target);
  const file = missing ? '' : compile(target, 'hostile');
  const names = missing ? ['any'] : runElsewhere(target, file).stdout.trim().split('\n');
  const placed = new Set<string>();
  const ofLinux = (name: string): Ended => (target.name !== 'i386' && MIPS_BY_THE_BOOK[name]) || runElsewhere(target, file, name);

  it.skipIf(missing).each(names)(`ends as on Linux: %s${missing}`, { timeout: 300_000 }, async (name) => {
    const expected = ofLinux(name);
    for (const executor of EXECUTORS) {
      const { status, ...ended } = await runHere(file, {
        executor,
        argv: ['hostile', name],
        hotThreshold: 5,
        memoryLimit: 256 << 20,
        ...(CHECKED.has(name) && { memoryModel: 'checked' }),
      });
      expect({ executor, ...ended }).toEqual({ executor, ...expected });
      if ('code' in status || status.name === 'SIGKILL') continue;
      expect(status.reason).toBe('signal');
      expect(status.report?.text).toMatch(new RegExp(`^${status.name}: .+\n  at 0x[0-9a-f]{8}`));
      if (name in JUMPS) expect(status.report?.location).toMatchObject({ pc: JUMPS[name], symbol: undefined });
      // binutils says what is there
      const { report } = status;
      const place = report && !OVERWRITES.has(name) && placeIn(target, file, report.location.pc);
      if (!place) continue;
      expect({ executor, symbol: report.location.symbol }).toEqual({ executor, symbol: place.symbol });
      const mnemonic = withoutSize(report.instruction?.split(' ')[0] ?? '');
      // what binutils shows may all the same be illegal for the processor
      if (!(mnemonic === '(bad)' && (status.name === 'SIGILL' || name === 'long_prefix')))
        expect({ executor, mnemonic }).toEqual({ executor, mnemonic: withoutSize(place.mnemonic) });
      expect(report.text).toContain(` ${place.symbol}`);
      expect(report.text).toContain(`\n     ${report.instruction}\n`);
      placed.add(name);
    }
  });

  it.skipIf(missing)(`is told with function and instruction${missing}`, () => {
    expect([...placed]).toEqual(
      expect.arrayContaining(['null_read', 'null_write', 'illegal', 'privileged', 'divide', 'recurse', 'heap_end']),
    );
    expect(placed.size).toBeGreaterThan(20);
  });

  it.skipIf(missing)(`leaves the memory of the host bounded${missing}`, () => {
    expect(process.memoryUsage.rss()).toBeLessThan(1800 << 20);
  });
});

describe('system calls with hostile pointers', () => {
  const processor = TARGETS.find(({ name }) => name === 'i386')!;
  const missing = lacks(processor);
  // the kernel of this machine is the reference for all ABIs: qemu-user checks pointers in its own way
  const expected = missing ? '' : runElsewhere(processor, compile(processor, 'pointers', true)).stdout;

  it.each(TARGETS)('fail as they do on Linux: $name', { timeout: 300_000 }, async (target) => {
    if (missing || lacks(target)) return;
    const file = compile(target, 'pointers', true);
    // translating all of a C library’s start says nothing about system calls
    for (const executor of ['interpret', 'tiered'] as const) {
      expect(await runHere(file, { executor })).toMatchObject({ stdout: expected, code: 0 });
    }
  });
});
