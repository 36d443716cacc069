import { describe, expect, test } from 'vitest';
import { listSensitive } from '../../src/index.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, mipsKernel, out } from './kernel.ts';

const SYSTEM = systemModule();

/** disp32 of an operand in memory */
const AT = little(0x300000);
const FAR = [...AT, 8, 0];
const X86: Readonly<Record<string, readonly number[]>> = {
  'MOV Rv, Sw': [0x8c, 0xd8],
  'MOV Mw, Sw': [0x8c, 0x1d, ...AT],
  INT1: [0xf1],
  INT3: [0xcc],
  'INT Ib': [0xcd, 0x80],
  INTO: [0xce],
  'PUSH ES': [0x06],
  'PUSH CS': [0x0e],
  'PUSH SS': [0x16],
  'PUSH DS': [0x1e],
  'PUSH FS': [0x0f, 0xa0],
  'PUSH GS': [0x0f, 0xa8],
  'PUSHFW/PUSHF': [0x9c],
  'POPFW/POPF': [0x9d],
  'INS Yb, DX': [0x6c],
  'INS Yv, DX': [0x6d],
  'OUTS DX, Xb': [0x6e],
  'OUTS DX, Xv': [0x6f],
  'ARPL Ew, Gw': [0x63, 0xc0],
  HLT: [0xf4],
  CLI: [0xfa],
  STI: [0xfb],
  'IN AL, Ib': [0xe4, 0x60],
  'IN eAX, Ib': [0xe5, 0x60],
  'IN AL, DX': [0xec],
  'IN eAX, DX': [0xed],
  'OUT Ib, AL': [0xe6, 0x80],
  'OUT Ib, eAX': [0xe7, 0x80],
  'OUT DX, AL': [0xee],
  'OUT DX, eAX': [0xef],
  'MOV Sw, Ew': [0x8e, 0xd8],
  'POP ES': [0x07],
  'POP SS': [0x17],
  'POP DS': [0x1f],
  'POP FS': [0x0f, 0xa1],
  'POP GS': [0x0f, 0xa9],
  'LES Gv, Mp': [0xc4, 0x05, ...AT],
  'LDS Gv, Mp': [0xc5, 0x05, ...AT],
  'LSS Gv, Mp': [0x0f, 0xb2, 0x05, ...AT],
  'LFS Gv, Mp': [0x0f, 0xb4, 0x05, ...AT],
  'LGS Gv, Mp': [0x0f, 0xb5, 0x05, ...AT],
  'CALL Ap': [0x9a, ...FAR],
  'JMP Ap': [0xea, ...FAR],
  'CALL Mp': [0xff, 0x1d, ...AT],
  'JMP Mp': [0xff, 0x2d, ...AT],
  RETF: [0xcb],
  'RETF Iw': [0xca, 4, 0],
  'IRETW/IRET': [0xcf],
  'LAR Gv, Ew': [0x0f, 0x02, 0xc0],
  'LSL Gv, Ew': [0x0f, 0x03, 0xc0],
  'VERR Ew': [0x0f, 0x00, 0xe0],
  'VERW Ew': [0x0f, 0x00, 0xe8],
  CPUID: [0x0f, 0xa2],
  RDTSC: [0x0f, 0x31],
  'SLDT Ew': [0x0f, 0x00, 0xc0],
  'STR Ew': [0x0f, 0x00, 0xc8],
  'LLDT Ew': [0x0f, 0x00, 0xd0],
  'LTR Ew': [0x0f, 0x00, 0xd8],
  'SGDT M': [0x0f, 0x01, 0x05, ...AT],
  'SIDT M': [0x0f, 0x01, 0x0d, ...AT],
  'LGDT M': [0x0f, 0x01, 0x15, ...AT],
  'LIDT M': [0x0f, 0x01, 0x1d, ...AT],
  'SMSW Ew': [0x0f, 0x01, 0xe0],
  'LMSW Ew': [0x0f, 0x01, 0xf0],
  'INVLPG Mb': [0x0f, 0x01, 0x3d, ...AT],
  CLTS: [0x0f, 0x06],
  INVD: [0x0f, 0x08],
  WBINVD: [0x0f, 0x09],
  'MOV Rd, Cd': [0x0f, 0x20, 0xc0],
  'MOV Cd, Rd': [0x0f, 0x22, 0xc0],
  'MOV Rd, Dd': [0x0f, 0x21, 0xc0],
  'MOV Dd, Rd': [0x0f, 0x23, 0xc0],
  WRMSR: [0x0f, 0x30],
  RDMSR: [0x0f, 0x32],
  RDPMC: [0x0f, 0x33],
  SYSENTER: [0x0f, 0x34],
  SYSEXIT: [0x0f, 0x35],
  VMCALL: [0x0f, 0x01, 0xc1],
  VMMCALL: [0x0f, 0x01, 0xd9],
};
const MIPS: Readonly<Record<string, number>> = {
  mfc0: 0x40086000,
  mtc0: 0x40886000,
  rdpgpr: 0x41400000,
  wrpgpr: 0x41c00000,
  di: 0x41606000,
  ei: 0x41606020,
  tlbr: 0x42000001,
  tlbwi: 0x42000002,
  tlbwr: 0x42000006,
  tlbp: 0x42000008,
  eret: 0x42000018,
  deret: 0x4200001f,
  wait: 0x42000020,
  hypcall: 0x42000028,
  cache: 0xbc000000,
  rdhwr: 0x7c08003b,
};
/** lui t0,0xbf00; addiu t1,zero,66; sw t1,1280(t0): a reset */
const RESET = [0x3c08bf00, 0x24090042, 0xad090500];

const GUESTS = {
  x86: { machine: 'pc', table: X86, kernel: kernel(...Object.values(X86).flat(), ...out(0xf4, 0)), reason: 'power-off' },
  mips: { machine: 'malta', table: MIPS, kernel: mipsKernel([...Object.values(MIPS), ...RESET]), reason: 'reset' },
} as const;

describe.each(['x86', 'mips'] as const)('each sensitive instruction of %s', (isa) => {
  test.each(['interpret', 'translate'] as const)('is counted and can be hooked: %s', async (executor) => {
    const { machine: name, table, kernel, reason } = GUESTS[isa];
    const texts = listSensitive().flatMap((row) => (row.isa === isa ? [row.text] : []));
    expect(texts.toSorted()).toEqual(Object.keys(table).toSorted());
    const machine = await createMachine({ machine: name, runtime: SYSTEM, memory: 8 << 20, kernel, executor });
    const seen: string[] = [];
    for (const text of texts)
      machine.hook(text, (instruction) => {
        seen.push(instruction.text);
        return seen.length > texts.length ? 'execute' : 'skip';
      });
    expect(await machine.run()).toMatchObject({ reason });
    expect(seen.slice(0, texts.length)).toEqual(Object.keys(table));
    const once = Object.fromEntries(texts.map((text) => [text, text === 'OUT DX, AL' ? 2 : 1]));
    expect(machine.stats.sensitive).toEqual(once);
  });
});
