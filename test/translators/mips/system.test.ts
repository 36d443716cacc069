// MIPS32 volume III, rule by rule: assembly text in, state out, in both executors.
import { describe, expect, test } from 'vitest';
import type { Executor } from '../../../src/vcpu/vcpu.ts';
import { ExcCode } from '../../../translators/mips/exception-code.ts';
import { mipsel } from '../../../translators/mips/index.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { Cause, Status } from '../../../translators/mips/state.ts';
import { BUS, KERNEL, type MipsSystem, mipsSystem } from '../../support/mips-system.ts';

const REFILL = 0x80000000;
const GENERAL = 0x80000180;
const INTERRUPT = 0x80000200;

type State = Readonly<Record<string, number>>;
/** What is at KERNEL, or all of the code by address. */
type Code = string | Readonly<Record<number, string>>;

describe.each<Executor>(['interpret', 'translate'])('%s', (executor) => {
  /** Runs to a WAIT, which must be met; gives where that stands. */
  async function run(code: Code, state: State = {}): Promise<MipsSystem & { readonly at: number }> {
    const system = await mipsSystem(executor, typeof code === 'string' ? { [KERNEL]: `${code}\nwait` } : code);
    for (const [name, value] of Object.entries(state)) system.set(name, value);
    const exit = system.run();
    expect(exit.kind).toBe('halt');
    return Object.assign(system, { at: (exit.pc - 4) >>> 0 });
  }
  const excCode = (system: MipsSystem): number => (system.get('c0_cause') & Cause.EXC_CODE) >>> 2;
  /** Maps the pages at 0 (even) and 0x1000 (odd) of kuseg to physical 0x40000 and 0x50000, writable, as entry 0. */
  const MAP = `mtc0 zero,c0_index
    mtc0 zero,c0_pagemask
    mtc0 t8,c0_entryhi
    mtc0 t0,c0_entrylo0
    mtc0 t1,c0_entrylo1
    tlbwi`;
  const lo = (physical: number, flags: number): number => ((physical >>> 12) << 6) | flags;
  const G = 1;
  const V = 2;
  const D = 4;
  const MAPPED = { t8: 0, t0: lo(0x40000, V | D), t1: lo(0x50000, V | D) };

  describe('registers', () => {
    test.each([
      ['c0_index', 0x3f],
      ['c0_entrylo0', 0x03ffffff],
      ['c0_entrylo1', 0x03ffffff],
      ['c0_context', 0xff800000],
      ['c0_pagemask', 0x1fffe000],
      ['c0_wired', 0x3f],
      ['c0_hwrena', 0x2000000f],
      ['c0_badvaddr', 0],
      ['c0_entryhi', 0xffffe0ff],
      ['c0_compare', 0xffffffff],
      ['c0_epc', 0xffffffff],
      ['c0_errorepc', 0xffffffff],
      ['c0_prid', 0x00019300],
    ])('%s: the bits that can be written are %x', async (name, mask) => {
      const system = await run(`mtc0 t0,${name}\nmfc0 v0,${name}`, { t0: 0xffffffff });
      expect(system.get('v0')).toBe(mask >>> 0);
    });
    test('Status, Cause, EBase, Config', async () => {
      const text =
        'mtc0 t0,c0_cause\nmfc0 v0,c0_cause\nmtc0 t0,$15,1\nmfc0 v1,$15,1\nmtc0 zero,c0_config\nmfc0 a0,c0_config\nmtc0 t1,c0_status\nmfc0 a1,c0_status';
      const system = await run(text, { t0: 0xffffffff, t1: 0xffffffff & ~(Status.IE | Status.ERL) });
      expect([system.get('v0'), system.get('v1')]).toEqual([0x08800300, 0xbffff000]);
      expect(system.get('a0') & 0x87ffffff).toBe(-0x80000000 | 0x480);
      expect(system.get('a1')).toBe(0x3440ff1a);
    });
    test('Config1 announces 64 TLB entries, caches without aliases and an FPU; Config3 UserLocal', async () => {
      const system = await run('mfc0 v0,$16,1\nmfc0 v1,$16,3');
      expect((system.get('v0') >>> 25) & 63).toBe(63);
      expect(system.get('v0') & 0x7f).toBe(1);
      expect(system.get('v1')).toBe(1 << 13);
    });
    test.each([
      [0x6000, 0x6000],
      [0x1e000, 0x1e000],
      [0x18000, 0],
      [0x2000, 0],
    ])('PageMask %x is as %x', async (value, mask) => {
      expect((await run('mtc0 t0,c0_pagemask\nmfc0 v0,c0_pagemask', { t0: value })).get('v0')).toBe(mask);
    });
    test('what is not implemented reads as zero and is not written', async () => {
      expect((await run('mtc0 t0,c0_watchlo\nmfc0 v0,c0_watchlo\nmfc0 v1,$16,7', { t0: -1, v0: 5, v1: 5 })).get('v0')).toBe(0);
    });
    test('RDPGPR and WRPGPR: one register set', async () => {
      const system = await run('rdpgpr v0,t0\nwrpgpr v1,t0', { t0: 7 });
      expect([system.get('v0'), system.get('v1')]).toEqual([7, 7]);
    });
  });

  describe('TLB', () => {
    test('even and odd page, loads and stores', async () => {
      const system = await run(`${MAP}\nsw t2,16(zero)\nlw v0,16(zero)\nlw v1,4096(zero)`, { ...MAPPED, t2: 0x12345678 });
      expect(system.get('v0')).toBe(0x12345678);
      expect(system.physical.u32(0x40010)).toBe(0x12345678);
    });
    test('TLBR gives what was written, G only if both halves have it', async () => {
      const read = 'tlbr\nmfc0 v0,c0_entrylo0\nmfc0 v1,c0_entrylo1\nmfc0 a0,c0_entryhi';
      const one = await run(`${MAP}\n${read}`, { ...MAPPED, t8: 0x4012, t1: lo(0x50000, V | G) });
      expect([one.get('v0'), one.get('v1'), one.get('a0')]).toEqual([lo(0x40000, V | D), lo(0x50000, V), 0x4012]);
      const both = await run(`${MAP}\n${read}`, { t8: 0x4012, t0: lo(0x40000, V | G), t1: lo(0x50000, V | G) });
      expect([both.get('v0') & G, both.get('v1') & G]).toEqual([G, G]);
    });
    test('TLBP: the entry, or P', async () => {
      const probe = 'mtc0 t3,c0_entryhi\ntlbp\nmfc0 v0,c0_index';
      expect((await run(`${MAP}\n${probe}`, { ...MAPPED, t8: 0x4001, t3: 0x4001 })).get('v0')).toBe(0);
      expect((await run(`${MAP}\n${probe}`, { ...MAPPED, t8: 0x4001, t3: 0x4002 })).get('v0')).toBe(0x80000000);
      expect((await run(`${MAP}\n${probe}`, { ...MAPPED, t8: 0x4001, t3: 0x6001 })).get('v0')).toBe(0x80000000);
    });
    test('ASID: another one does not match, unless the entry is global', async () => {
      const text = `${MAP}\nlw v0,0(zero)\nmtc0 t3,c0_entryhi\nlw v1,0(zero)`;
      const other = await run({ [KERNEL]: `${text}\nwait` }, { ...MAPPED, t8: 1, t3: 2 });
      expect([other.at, excCode(other)]).toEqual([REFILL, ExcCode.TLBL]);
      const global = await run({ [KERNEL]: `${text}\nwait` }, { t8: 1, t3: 2, t0: lo(0x40000, V | D | G), t1: lo(0x50000, V | G) });
      expect(global.at).toBe(KERNEL + 9 * 4);
    });
    test('a page of 16 KiB', async () => {
      const text = `mtc0 t4,c0_pagemask\nmtc0 zero,c0_index\nmtc0 zero,c0_entryhi\nmtc0 t0,c0_entrylo0\nmtc0 t1,c0_entrylo1\ntlbwi
        sw t2,0(a0)\nsw t3,0(a1)`;
      const system = await run(text, { ...MAPPED, t4: 0x6000, a0: 0x3004, a1: 0x4008, t2: 11, t3: 12 });
      expect([system.physical.u32(0x43004), system.physical.u32(0x50008)]).toEqual([11, 12]);
    });
    test('no entry: refill vector, BadVAddr, EntryHi and Context', async () => {
      const system = await run(
        { [KERNEL]: 'mtc0 t3,c0_context\nmtc0 t4,c0_entryhi\nlw v0,0(a0)' },
        { a0: 0x12345678, t3: 0xff800000, t4: 0x55 },
      );
      expect([system.at, excCode(system)]).toEqual([REFILL, ExcCode.TLBL]);
      expect(system.get('c0_badvaddr')).toBe(0x12345678);
      expect(system.get('c0_entryhi')).toBe(0x12344055);
      expect(system.get('c0_context')).toBe(0xff800000 + ((0x12345678 >>> 13) << 4));
      expect(system.get('c0_epc')).toBe(KERNEL + 8);
    });
    test('no entry for a store: TLBS; with EXL, the general vector and EPC stays', async () => {
      expect(excCode(await run({ [KERNEL]: 'sw v0,0(a0)' }, { a0: 0x4000 }))).toBe(ExcCode.TLBS);
      const nested = await run({ [KERNEL]: 'lw v0,0(a0)' }, { a0: 0x4000, c0_status: Status.EXL, c0_epc: 0x1234 });
      expect([nested.at, nested.get('c0_epc')]).toEqual([GENERAL, 0x1234]);
    });
    test('an entry that is not valid: general vector', async () => {
      const system = await run(`${MAP}\nlw v0,0(zero)`, { ...MAPPED, t0: lo(0x40000, D) });
      expect([system.at, excCode(system)]).toEqual([GENERAL, ExcCode.TLBL]);
    });
    test('a store to a page that is not dirty: Mod, and memory stays', async () => {
      const system = await run(`${MAP}\nlw v0,0(zero)\nsw t2,0(zero)`, { ...MAPPED, t0: lo(0x40000, V), t2: 5 });
      expect([system.at, excCode(system), system.physical.u32(0x40000)]).toEqual([GENERAL, ExcCode.Mod, 0]);
    });
    test('TLBWR writes no wired entry', async () => {
      const system = await mipsSystem(executor, {
        [KERNEL]: `mtc0 t0,c0_wired\nmtc0 t2,c0_entryhi\ntlbwr\naddiu t2,t2,8192\naddiu t1,t1,-1\nbne t1,zero,.-16\nnop\nwait`,
      });
      system.set('t0', 60);
      system.set('t1', 200);
      system.set('t2', 0x2000);
      expect(system.run().kind).toBe('halt');
      const words = Array.from({ length: 64 }, (_, i) => system.vcpu.get32(624 + 16 * i));
      expect(words.slice(0, 60).every((hi) => hi === 0)).toBe(true);
      expect(words.slice(60).every((hi) => hi !== 0)).toBe(true);
    });
    test('an entry that is replaced no longer translates', async () => {
      const system = await run(`${MAP}\nlw v0,0(zero)\nmtc0 t3,c0_entrylo0\ntlbwi\nlw v1,0(zero)`, { ...MAPPED, t3: lo(0x60000, V) });
      expect([system.get('v0'), system.get('v1')]).toEqual([system.physical.u32(0x40000), system.physical.u32(0x60000)]);
      // the other entries, all zero, are for ASID 0
      const text = `${MAP}\nlw v0,0(zero)\nmtc0 t3,c0_entryhi\ntlbwi\nlw v1,0(zero)`;
      const gone = await run(text, { ...MAPPED, t8: 1, t3: 0x4001 });
      expect(gone.at).toBe(REFILL);
    });
  });

  describe('segments', () => {
    test('kseg1 is kseg0 without a cache', async () => {
      const system = await run('sw t0,0(a0)\nlw v0,0(a1)', { t0: 77, a0: 0x80040000, a1: 0xa0040000 });
      expect(system.get('v0')).toBe(77);
    });
    test('devices: loads and stores of each width reach the bus', async () => {
      const system = await run('lw v0,8(a0)\nlhu v1,2(a0)\nlbu a1,1(a0)\nsw t0,4(a0)\nsh t0,2(a0)\nsb t0,1(a0)', {
        a0: 0xa0000000 + BUS,
        t0: 0x12345678,
      });
      expect([system.get('v0'), system.get('v1'), system.get('a1')]).toEqual([BUS + 8, (BUS + 2) & 0xffff, (BUS + 1) & 0xff]);
      expect(system.written).toEqual([
        [BUS + 4, 4, 0x12345678],
        [BUS + 2, 2, 0x5678],
        [BUS + 1, 1, 0x78],
      ]);
    });
    test('with ERL, kuseg is not mapped', async () => {
      const system = await run('mtc0 t0,c0_status\nsw t1,0(a0)\nmtc0 zero,c0_status\nlw v0,0(a0)', { t0: Status.ERL, t1: 9, a0: 0x40000 });
      expect(system.physical.u32(0x40000)).toBe(9);
      expect(system.at).toBe(REFILL);
    });
  });

  /** Code at user address 0x1000 (physical 0x50000), entered by ERET. */
  const user = (text: string): Readonly<Record<number, string>> => ({
    [KERNEL]: `${MAP}\nmtc0 t2,c0_epc\nmtc0 t3,c0_status\neret`,
    2147811328: text,
  });
  const USER = { ...MAPPED, t2: 0x1000, t3: (2 << Status.KSU_SHIFT) | Status.EXL };

  describe('modes', () => {
    test('user mode runs mapped code and data; SYSCALL comes back with EPC', async () => {
      const system = await run(user('addiu v0,zero,5\nsw v0,0(zero)\nsyscall'), USER);
      expect([system.at, excCode(system), system.get('c0_epc'), system.get('c0_status') & Status.EXL]).toEqual([
        GENERAL,
        ExcCode.Sys,
        0x1008,
        Status.EXL,
      ]);
      expect(system.physical.u32(0x40000)).toBe(5);
    });
    test('user mode: kernel segments are address errors', async () => {
      const load = await run(user('lui a0,0x8000\nlw v0,0(a0)'), USER);
      expect([excCode(load), load.get('c0_badvaddr'), load.get('c0_epc')]).toEqual([ExcCode.AdEL, 0x80000000, 0x1004]);
      expect(excCode(await run(user('lui a0,0xc000\nsw v0,0(a0)'), USER))).toBe(ExcCode.AdES);
      const jump = await run(user('lui a0,0x8000\njr a0\nnop'), USER);
      expect([excCode(jump), jump.get('c0_badvaddr'), jump.get('c0_epc')]).toEqual([ExcCode.AdEL, 0x80000000, 0x80000000]);
    });
    test('supervisor mode: sseg can be reached, kseg0 cannot', async () => {
      const state = { ...USER, t3: (1 << Status.KSU_SHIFT) | Status.EXL };
      const sseg = await run(user('lui a0,0xc000\nlw v0,0(a0)'), state);
      expect([excCode(sseg), sseg.at]).toEqual([ExcCode.TLBL, REFILL]);
      expect(excCode(await run(user('lui a0,0x8000\nlw v0,0(a0)'), state))).toBe(ExcCode.AdEL);
      expect(excCode(await run(user('lui a0,0xe000\nlw v0,0(a0)'), state))).toBe(ExcCode.AdEL);
    });
    test.each([
      'mfc0 v0,c0_status',
      'mtc0 v0,c0_status',
      'tlbwi',
      'eret',
      'di',
      'cache 0x0,0(zero)',
      'wait',
      'rdpgpr v0,v0',
    ])('user mode: %s needs coprocessor 0', async (text) => {
      const system = await run(user(text), USER);
      expect([excCode(system), (system.get('c0_cause') >>> Cause.CE_SHIFT) & 3, system.get('c0_epc')]).toEqual([ExcCode.CpU, 0, 0x1000]);
    });
    test('user mode with CU0: allowed', async () => {
      const system = await run(user('mfc0 v0,c0_status\nsyscall'), { ...USER, t3: USER.t3 | Status.CU0 });
      expect([excCode(system), system.get('v0')]).toEqual([ExcCode.Sys, Status.CU0 | (2 << Status.KSU_SHIFT)]);
    });
    test('coprocessor 1 needs CU1, in user and in kernel mode', async () => {
      const off = await run(user('mtc1 v0,$f2'), USER);
      expect([excCode(off), (off.get('c0_cause') >>> Cause.CE_SHIFT) & 3]).toEqual([ExcCode.CpU, 1]);
      const on = await run(user('mtc1 t2,$f2\nmfc1 v0,$f2\nsyscall'), { ...USER, t3: USER.t3 | Status.CU1 });
      expect([excCode(on), on.get('v0')]).toEqual([ExcCode.Sys, 0x1000]);
      const kernel = await run({ [KERNEL]: 'mtc1 v0,$f2\nwait' });
      expect([kernel.at, excCode(kernel), kernel.get('c0_epc')]).toEqual([GENERAL, ExcCode.CpU, KERNEL]);
      const usable = await run('mtc0 t0,c0_status\nmtc1 t1,$f3\nmfc1 v0,$f3\nmtc0 zero,c0_status', { t0: Status.CU1 | Status.FR, t1: 3 });
      expect([usable.get('v0'), usable.get('f3')]).toEqual([3, 3]);
    });
    test.each([
      ['MFC2', 0x48020000],
      ['LWC2', 0xc8400000],
    ])('coprocessor 2 is never usable: %s', async (_, word) => {
      const system = await mipsSystem(executor, user('nop'));
      for (const [name, value] of Object.entries(USER)) system.set(name, value);
      system.physical.setU32(0x50000, word);
      expect(system.run().kind).toBe('halt');
      expect([excCode(system), (system.get('c0_cause') >>> Cause.CE_SHIFT) & 3]).toEqual([ExcCode.CpU, 2]);
    });
    test('RDHWR: what HWREna has', async () => {
      const text = 'rdhwr v0,hwr_synci_step\nsyscall';
      expect(excCode(await run(user(text), USER))).toBe(ExcCode.RI);
      const allowed = await run(user(text), { ...USER, c0_hwrena: 2 });
      expect([excCode(allowed), allowed.get('v0')]).toEqual([ExcCode.Sys, 32]);
    });
  });

  describe('exceptions', () => {
    test.each([
      ['break 0x5', ExcCode.Bp],
      ['teq zero,zero', ExcCode.Tr],
      ['add v0,t0,t0', ExcCode.Ov],
      ['deret', ExcCode.RI],
    ])('%s', async (text, code) => {
      const system = await run({ [KERNEL]: `nop\n${text}` }, { t0: 0x7fffffff });
      expect([system.at, excCode(system), system.get('c0_epc'), system.get('c0_cause') >>> 31]).toEqual([GENERAL, code, KERNEL + 4, 0]);
    });
    test('in a delay slot: EPC is the branch, BD', async () => {
      for (const branch of ['beq zero,zero,.+16', 'jr t9', 'bne t0,zero,.+16', 'beql zero,zero,.+16']) {
        const system = await run({ [KERNEL]: `nop\n${branch}\nteq zero,zero` }, { t9: KERNEL, t0: 1 });
        expect([excCode(system), system.get('c0_epc'), system.get('c0_cause') >>> 31]).toEqual([ExcCode.Tr, KERNEL + 4, 1]);
      }
    });
    test('the target of a branch is no delay slot', async () => {
      const system = await run({ [KERNEL]: 'beq zero,zero,.+12\nnop\nbeq zero,zero,.+8\nteq zero,zero' });
      expect([system.get('c0_epc'), system.get('c0_cause') >>> 31]).toEqual([KERNEL + 12, 0]);
    });
    test.each([
      ['lw v0,2(a0)', ExcCode.AdEL, 2],
      ['lh v0,1(a0)', ExcCode.AdEL, 1],
      ['sw v0,1(a0)', ExcCode.AdES, 1],
      ['ll v0,2(a0)', ExcCode.AdEL, 2],
      ['sc v0,2(a0)', ExcCode.AdES, 2],
    ])('%s: address error', async (text, code, offset) => {
      const system = await run({ [KERNEL]: text }, { a0: 0x80040000 });
      expect([system.at, excCode(system), system.get('c0_badvaddr')]).toEqual([GENERAL, code, 0x80040000 + offset]);
    });
    test('a jump to an address that is not a multiple of four', async () => {
      const system = await run({ [KERNEL]: 'jr a0\nnop' }, { a0: 0x80040002 });
      expect([excCode(system), system.get('c0_badvaddr'), system.get('c0_epc')]).toEqual([ExcCode.AdEL, 0x80040002, 0x80040002]);
    });
    test.each([0x80040002, 0x40003])('nor where user mode may not fetch: %x', async (target) => {
      const system = await run(user('jr t2\nnop'), { ...USER, t2: target });
      expect([system.at, excCode(system), system.get('c0_cause') >>> 31]).toEqual([GENERAL, ExcCode.AdEL, 0]);
      expect([system.get('c0_badvaddr'), system.get('c0_epc')]).toEqual([target, target]);
    });
    test('a delay slot on a page that is not there: the branch is executed anew', async () => {
      const code = {
        [KERNEL]: `${MAP}\njr t2\nnop`,
        // the last word of the even page
        2147749884: 'beq zero,zero,.-8',
        [GENERAL]: 'mfc0 v0,c0_badvaddr\nmfc0 v1,c0_epc\nmfc0 a1,c0_cause\nwait',
      };
      const system = await run(code, { ...MAPPED, t1: lo(0x50000, D), t2: 0xffc });
      expect([system.get('v0'), system.get('v1'), system.get('a1') >>> 31]).toEqual([0x1000, 0xffc, 1]);
    });
    test('BEV: vectors in the boot ROM', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'syscall' });
      system.set('c0_status', Status.BEV);
      system.physical.map(0x1fc00000, 0x1000, 0x10000000, false);
      system.physical.setU32(0x380, 0x42000020);
      expect(system.run()).toEqual({ kind: 'halt', pc: 0xbfc00384 });
    });
    test('EBase moves the vectors', async () => {
      const system = await run({ [KERNEL]: 'mtc0 t0,$15,1\nsyscall', 2147549568: 'addiu v0,zero,3\nwait' }, { t0: 0x80010000 });
      expect([system.at, system.get('v0')]).toEqual([0x80010184, 3]);
    });
    test('ERET: from an error to ErrorEPC first; the LL reservation is lost', async () => {
      const system = await run(
        { [KERNEL]: 'mtc0 t0,c0_errorepc\nmtc0 t1,c0_epc\nmtc0 t2,c0_status\nll v0,0(a0)\neret', 2147549184: 'sc t3,0(a0)\nwait' },
        {
          t0: 0x80010000,
          t1: 0x80020000,
          t2: Status.ERL | Status.EXL,
          t3: 1,
          a0: 0x80040000,
        },
      );
      expect([system.at, system.get('t3'), system.get('c0_status')]).toEqual([0x80010004, 0, Status.EXL]);
    });
  });

  describe('interrupts', () => {
    const raise = (system: MipsSystem, line: number, level = true): void => system.vcpu.isa.system!.setInterrupt(system.vcpu, line, level);
    const take = (system: MipsSystem): void => system.vcpu.isa.system!.takeInterrupt(system.vcpu, () => 0);

    test('EI lets a pending one through; DI and EI give the old Status', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'mtc0 t0,c0_status\nei v0\nnop\ndi v1\nwait' });
      system.set('t0', 0x400);
      raise(system, 0);
      expect(system.run()).toEqual({ kind: 'interrupt', pc: KERNEL + 8 });
      take(system);
      expect([system.vcpu.pc >>> 0, system.get('c0_epc'), system.get('v0')]).toEqual([GENERAL, KERNEL + 8, 0x400]);
      expect(system.vcpu.isa.system!.interruptPending(system.vcpu)).toBe(false);
    });
    test('masked, or lowered again: none', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'mtc0 t0,c0_status\nei\nnop\nwait' });
      system.set('t0', 0x800);
      raise(system, 0);
      raise(system, 1);
      raise(system, 1, false);
      expect(system.run().kind).toBe('halt');
      expect(system.get('c0_cause') & Cause.IP).toBe(0x400);
    });
    test('Cause.IV: the vector at 0x200', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'mtc0 t1,c0_cause\nmtc0 t0,c0_status\nnop\nwait' });
      system.set('t0', 0x401);
      system.set('t1', Cause.IV);
      raise(system, 0);
      expect(system.run().kind).toBe('interrupt');
      take(system);
      expect(system.vcpu.pc >>> 0).toBe(INTERRUPT);
    });
    test('software interrupts', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'mtc0 t0,c0_status\nmtc0 t1,c0_cause\nnop\nwait' });
      system.set('t0', 0x201);
      system.set('t1', 0x200);
      expect(system.run()).toEqual({ kind: 'interrupt', pc: KERNEL + 8 });
    });
    test('between a taken branch and its delay slot: the branch is executed anew', async () => {
      const system = await mipsSystem(executor, {
        [KERNEL]: 'mtc0 t0,c0_status\njr t9\nei\nwait',
        2147549184: 'addiu v0,v0,1\nwait',
        [GENERAL]: 'eret',
      });
      system.set('t0', 0x400);
      system.set('t9', 0x80010000);
      raise(system, 0);
      expect(system.run()).toEqual({ kind: 'interrupt', pc: 0x80010000 });
      take(system);
      raise(system, 0, false);
      expect(system.run().kind).toBe('halt');
      expect(system.get('v0')).toBe(1);
    });
    test('Count follows guest time; Compare raises IP7 and a write takes it back', async () => {
      const system = await mipsSystem(executor, {
        [KERNEL]:
          'mtc0 zero,c0_count\nmtc0 t0,c0_compare\nwait\nmfc0 v0,c0_count\nmfc0 v1,c0_cause\nmtc0 t0,c0_compare\nmfc0 a0,c0_cause\nwait',
      });
      const timer = system.vcpu.isa.system!.timer!;
      system.time = 5000;
      system.set('t0', 100);
      system.run();
      expect(timer.next(system.vcpu, system.time)).toBe(6000);
      system.time = 6000;
      timer.tick(system.vcpu, system.time);
      system.run();
      expect(system.get('v0')).toBe(100);
      expect(system.get('v1') & (Cause.IP7 | Cause.TI)).toBe(Cause.IP7 | Cause.TI);
      expect(system.get('a0') & (Cause.IP7 | Cause.TI)).toBe(0);
    });
    test('Cause.DC stops Count', async () => {
      const system = await mipsSystem(executor, { [KERNEL]: 'mtc0 t0,c0_count\nmtc0 t1,c0_cause\nwait\nmfc0 v0,c0_count\nwait' });
      system.set('t0', 42);
      system.set('t1', Cause.DC);
      system.run();
      system.time = 1e6;
      system.run();
      expect(system.get('v0')).toBe(42);
      expect(system.vcpu.isa.system!.timer!.next(system.vcpu, system.time)).toBe(Number.POSITIVE_INFINITY);
    });
  });

  test('sensitive instructions are counted', async () => {
    const system = await run('mfc0 v0,c0_status\nmfc0 v0,c0_cause\nei\ndi\nrdhwr v0,hwr_cpunum');
    const { sensitive, counts } = system.vcpu.isa.system!;
    const executed = Object.fromEntries(counts!(system.vcpu).flatMap((n, i) => (n > 0 ? [[sensitive![i].text, n]] : [])));
    expect(executed).toEqual({ mfc0: 2, ei: 1, di: 1, rdhwr: 1, wait: 1 });
  });

  describe('code', () => {
    test('a store to code takes effect, from its own page and through another address', async () => {
      // the word at 0x80010000 becomes `addiu v0,v0,16`
      const system = await run(
        {
          [KERNEL]: 'jalr t9\nnop\nsw t0,0(a0)\njalr t9\nnop\nsw t1,0(a1)\njalr t9\nnop\nwait',
          2147549184: 'addiu v0,v0,1\njr ra\nnop',
        },
        { t9: 0x80010000, a0: 0x80010000, a1: 0xa0010000, t0: 0x24420010, t1: 0x24420100 },
      );
      expect(system.get('v0')).toBe(0x111);
    });
    test('the same address in another address space is other code', async () => {
      const switchTo = (asid: number, entry: string): string => `addiu t9,zero,${asid}\nmtc0 t9,c0_entryhi\nmtc0 ${entry},c0_entrylo0`;
      const call = 'jalr zero\nnop';
      const system = await run(
        {
          [KERNEL]: `mtc0 zero,c0_index\n${switchTo(1, 't0')}\ntlbwi\nmtc0 t5,c0_index\n${switchTo(2, 't1')}\ntlbwi
          ${call}\naddiu t9,zero,1\nmtc0 t9,c0_entryhi\n${call}\naddiu t9,zero,2\nmtc0 t9,c0_entryhi\n${call}\nwait`,
          2147745792: 'addiu v0,v0,1\njr ra\nnop',
          2147876864: 'addiu v0,v0,16\njr ra\nnop',
        },
        { t0: lo(0x40000, V), t1: lo(0x60000, V), t5: 1 },
      );
      expect(system.get('v0')).toBe(0x21);
    });
    test('what a device writes to code is noticed', async () => {
      const system = await run(
        { [KERNEL]: 'jalr t9\nnop\nwait\njalr t9\nnop\nwait', 2147549184: 'addiu v0,v0,1\njr ra\nnop' },
        { t9: 0x80010000 },
      );
      system.physical.setU32(0x10000, 0x24420010);
      system.run();
      expect(system.get('v0')).toBe(0x11);
    });
  });
});

test('the list of sensitive instructions has all privileged rows', () => {
  const listed = new Set(mipsel.system!.sensitive!.map(({ text }) => text));
  for (const row of ROWS) if (row.group === 'privileged') expect(listed).toContain(row.text.split(' ')[0]);
});
