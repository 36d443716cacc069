import { describe, expect, test } from 'vitest';
import { ExitKind, FaultAccess } from '../../../assembly/shared/exit.ts';
import { Layout, PagePermission } from '../../../assembly/shared/layout.ts';
import { OPS, TYPE_SIZES, Type } from '../../../src/ir/ops.ts';
import { GuestMemory } from '../../../src/vcpu/guest-memory.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa, V } from '../../support/toy.ts';

const PC = 0x20000;
const TOP = 0x50000;
/** Readable and writable; the page after it only readable, the one after that nothing. */
const PAGE = 0x30000;
const isa = toyIsa();

const models = ['direct', 'checked'] as const;
const memoryOps = OPS.map((info, number) => ({ ...info, number })).filter((info) => info.memory);
const signed = (name: string): boolean => name.endsWith('_s');

for (const model of models) {
  const machine = makeMachine(isa, { memoryModel: model, top: TOP });
  const { bytes, data, memory } = Object.assign({ memory: machine.memory }, { bytes: machine.memory.bytes, data: machine.memory.data });
  memory.map(PAGE, 0x1000, PagePermission.Read | PagePermission.Write);
  memory.map(PAGE + 0x1000, 0x1000, PagePermission.Read);
  const header = (address: number): number => data.getUint32(address, true);

  describe(`memory model ${model}`, () => {
    for (const info of memoryOps) {
      for (const bigEndian of info.bytes > 1 ? [false, true] : [false]) {
        /** One access by the third of four instructions; r0 + displacement is the address, v2 the value. */
        const access = (address: number, displacement: number): { kind: ExitKind; spent: number } => {
          machine.install(
            block(isa, PC, (b) => {
              b.insn(PC, 4);
              b.set(R(8), b.i32(1));
              b.insn(PC + 4, 4);
              b.set(R(9), b.i32(2));
              b.insn(PC + 8, 4);
              const at = b.add(b.get(Type.I32, R(0)), b.i32(displacement));
              if (info.memory === 'load') b.set(V(1), b.load(info.number, at, bigEndian));
              else b.store(info.number, at, b.get(info.operands[1] as Type, V(2)), bigEndian);
              b.insn(PC + 12, 4);
              b.set(R(10), b.i32(3));
              b.goto(PC + 16);
            }),
          );
          for (const n of [8, 9, 10]) machine.set(`r${n}`, 0);
          machine.set('r0', address - displacement);
          machine.pc = PC;
          return { kind: machine.enter(100), spent: 100 - machine.budget };
        };
        const fails = (address: number, displacement: number, first: number): void => {
          bytes.fill(0x5a, Layout.STATE + V(1), Layout.STATE + V(1) + 16);
          const before = bytes.slice(Layout.WINDOW, Layout.WINDOW + TOP - Layout.FLOOR);
          const where = `${info.bytes} bytes at 0x${address.toString(16)}`;
          expect(access(address, displacement), where).toEqual({ kind: ExitKind.MemoryFault, spent: 2 });
          expect([machine.pc, header(Layout.EXIT_ARG0), header(Layout.EXIT_ARG1)], where).toEqual([
            PC + 8,
            first,
            info.memory === 'load' ? FaultAccess.Read : FaultAccess.Write,
          ]);
          expect([machine.get('r8'), machine.get('r9'), machine.get('r10')]).toEqual([1, 2, 0]);
          expect(machine.word(V(1))).toBe(0x5a5a5a5a);
          expect(Buffer.compare(before, bytes.subarray(Layout.WINDOW, Layout.WINDOW + TOP - Layout.FLOOR))).toBe(0);
        };

        test(`${info.name}${bigEndian ? ' big-endian' : ''}`, () => {
          const index = GuestMemory.index(PAGE + 0x21);
          const { bytes: size } = info;
          for (const start of [0x01, 0x7f, 0x80, 0xf3]) {
            const pattern = Uint8Array.from({ length: 16 }, (_, i) => start + i * 29);
            const ordered = bigEndian ? pattern.slice(0, size).reverse() : pattern.slice(0, size);
            if (info.memory === 'load') {
              bytes.set(ordered, index);
              expect(access(PAGE + 0x21, start)).toEqual({ kind: ExitKind.Miss, spent: 4 });
              const expected = new Uint8Array(TYPE_SIZES[info.result]).fill(signed(info.name) && pattern[size - 1] >= 0x80 ? 0xff : 0);
              expected.set(pattern.slice(0, size));
              expect(machine.memory.bytes.slice(Layout.STATE + V(1), Layout.STATE + V(1) + expected.length)).toEqual(expected);
            } else {
              bytes.fill(0xcc, index - 1, index + 17);
              bytes.set(pattern, Layout.STATE + V(2));
              expect(access(PAGE + 0x21, -start)).toEqual({ kind: ExitKind.Miss, spent: 4 });
              expect(bytes.slice(index, index + size)).toEqual(ordered);
              expect([bytes[index - 1], bytes[index + size]]).toEqual([0xcc, 0xcc]);
            }
          }
          const { bytes: n } = info;
          for (const displacement of [0, 4, -0x7000, 0x20000]) {
            fails(0, displacement, 0);
            fails(Layout.FLOOR - 1, displacement, Layout.FLOOR - 1);
            fails(TOP, displacement, TOP);
            fails(0xffffffff, displacement, 0xffffffff);
            fails(0xfffffff0, displacement, 0xfffffff0);
            if (n > 1) {
              if (model === 'direct') fails(TOP - n + 1, displacement, TOP);
            }
          }
          const last = PAGE + 0x1000 - n;
          expect(access(last, 0).kind).toBe(ExitKind.Miss);
          const write = info.memory === 'store';
          if (model === 'direct') {
            expect(access(Layout.FLOOR, 0).kind).toBe(ExitKind.Miss);
            expect(access(TOP - n, 0).kind).toBe(ExitKind.Miss);
            expect(access(PAGE + 0x1000, 0).kind).toBe(ExitKind.Miss);
            return;
          }
          fails(Layout.FLOOR, 0, Layout.FLOOR);
          if (write) {
            fails(PAGE + 0x1000, 0, PAGE + 0x1000);
            if (n > 1) fails(PAGE + 0x1001 - n, 0, PAGE + 0x1000);
          } else {
            expect(access(PAGE + 0x1001 - n, 0).kind).toBe(ExitKind.Miss);
            expect(access(PAGE + 0x2000 - n, 0).kind).toBe(ExitKind.Miss);
            fails(PAGE + 0x2000, 0, PAGE + 0x2000);
            if (n > 1) fails(PAGE + 0x2001 - n, 0, PAGE + 0x2000);
          }
          fails(PAGE - 1, 0, PAGE - 1);
        });
      }
    }

    test('a constant stored at a constant address', () => {
      for (const bigEndian of [false, true]) {
        machine.install(
          block(isa, PC, (b) => {
            b.insn(PC, 4);
            b.store(
              OPS.findIndex((o) => o.name === 'i32.store'),
              b.i32(PAGE),
              b.i32(0x12345678),
              bigEndian,
            );
            b.goto(PC + 4);
          }),
        );
        machine.pc = PC;
        expect(machine.enter(1)).toBe(ExitKind.Miss);
        expect(data.getUint32(GuestMemory.index(PAGE), !bigEndian)).toBe(0x12345678);
      }
    });
  });
}
