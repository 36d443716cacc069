import { describe, expect, it } from 'vitest';
import type { Executor, Vcpu } from '../../src/vcpu/vcpu.ts';
import { X86 } from '../../translators/x86/state.ts';
import { corpusGuest } from '../support/guest.ts';

const FROM = X86.FC1;
const BYTES = X86.XMM - X86.FC1;

/** Each ends with mov eax, 1; int 0x80. Operands are at EBP. */
const CODES: Readonly<Record<string, string>> = {
  // fld1; fld st(0); faddp; fldz; fxch; fstp st(1)
  stack: 'd9 e8 d9 c0 de c1 d9 ee d9 c9 dd d9',
  // fxch st(3); fchs; fld st(2); fabs; fst st(5); fstp st(0)
  moves: 'd9 cb d9 e0 d9 c2 d9 e1 dd d5 dd d8',
  // fld m64; fmul m64; fsub m32; fdivrp st(1); fsubr st(0), st(2); fadd st(3), st(0)
  arithmetic: 'dd 45 00 dc 4d 08 d8 65 10 de f1 d8 ea dc c3',
  // fld m32; fcomip st(1); jb +2; fxch st(2); fild m32; fdivr m64; fistp m32
  branch: 'd9 45 10 df f1 72 02 d9 ca db 45 10 dc 7d 00 db 5d 20',
  // fldcw; fmul st(0), st(1); emms; fld1; fstp m64
  control: 'd9 6d 18 d8 c9 0f 77 d9 e8 dd 5d 20',
};
const END = [0xb8, 1, 0, 0, 0, 0xcd, 0x80];

describe('x87 code that is lifted for a top of the stack', () => {
  it.each(['interpret', 'translate'] as Executor[])('does what single instructions do, whatever it finds: %s', {
    timeout: 300_000,
  }, async (executor) => {
    const { vcpu } = await corpusGuest('x86', 'hello', [], { executor });
    const { state, memory } = vcpu;
    const page = vcpu.pc & ~0xfff;
    const operands = vcpu.get32(X86.ESP) - 0x1000;
    let seed = 1;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    const x87 = (): Uint8Array => new Uint8Array(state.buffer, state.byteOffset + FROM, BYTES);
    const contents = (): unknown => {
      // the upper half of a register's last word is nobody's
      const bytes = x87().slice();
      for (let n = 0; n < 8; n++) bytes.fill(0, X86.ST - FROM + 16 * n + 10, X86.ST - FROM + 16 * n + 16);
      // of tags only empty and not empty count
      const tags = vcpu.get32(X86.FTW);
      bytes.fill(0, X86.FTW - FROM, X86.FTW - FROM + 4);
      return [tags & (tags >>> 1) & 0x5555, [...bytes], [...memory.view(operands, 48, 'read')]];
    };
    for (const [name, text] of Object.entries(CODES)) {
      const code = [...text.split(' ').map((digits) => Number.parseInt(digits, 16)), ...END];
      memory.poke(page, Uint8Array.from(code));
      vcpu.invalidate(page, code.length);
      for (let n = 0; n < 30; n++) {
        vcpu.set32(X86.EBP, operands);
        // most often a top that was there before, so that what was assumed holds
        vcpu.set32(X86.FTOP, random(10) < 7 ? 3 : random(8));
        vcpu.set32(X86.FTW, random(2) ? 0 : random(0x10000));
        if (random(2)) vcpu.set32(X86.FTW, 0xf03f);
        vcpu.set32(X86.FCW, random(8) === 0 ? 0x340 : random(8) === 0 ? 0x27f : 0x37f);
        vcpu.set32(X86.FSW, random(20) === 0 && vcpu.get32(X86.FCW) === 0x340 ? 0x8081 : 0);
        for (let r = 0; r < 8; r++) {
          state.setBigUint64(X86.ST + 16 * r, random(6) === 0 ? 0n : (1n << 63n) | (BigInt(random(2 ** 31)) << 20n), true);
          state.setUint32(X86.ST + 16 * r + 8, random(12) === 0 ? 0x7fff : (random(2) << 15) | (0x3ff0 + random(32)), true);
        }
        const values = new DataView(new ArrayBuffer(48));
        for (const at of [0, 8]) values.setFloat64(at, random(5) === 0 ? 0 : random(1000) - 500 + random(100) / 64, true);
        values.setFloat32(16, random(1000) / 8, true);
        values.setUint16(24, random(3) === 0 ? 0xf7f : 0x37f, true);
        const start = [x87().slice(), vcpu.get32(X86.EBP)] as const;
        const run = (step: () => ReturnType<Vcpu['run']>): unknown => {
          x87().set(start[0]);
          memory.poke(operands, new Uint8Array(values.buffer));
          vcpu.pc = page;
          let exit = step();
          while (exit.kind === 'budget') exit = step();
          return [exit, contents()];
        };
        expect(
          run(() => vcpu.run(1000)),
          `${name} ${n}`,
        ).toEqual(run(() => vcpu.step()));
      }
    }
    if (executor === 'translate') expect(vcpu.stats.regions).toBeGreaterThan(0);
  });
});
