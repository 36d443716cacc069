import { describe, expect, it } from 'vitest';
import { compile, lacks, runHere, TARGETS } from './compiled.ts';

/** Signal, si_code and si_addr as Debian's kernel 6.1 for Malta tells them under qemu-system-mipsel 7.2; qemu-user does not do as Linux. */
const EXPECTED = [
  ['break 5', '5 1 0'],
  ['break 6', '8 2 pc'],
  ['break 7', '8 1 pc'],
  ['break 0,6', '8 2 pc'],
  ['break 6,1', '5 1 0'],
  ['break 7,7', '5 1 0'],
  ['teq $0,$0,5', '5 128 0'],
  ['teq $0,$0,6', '8 2 pc'],
  ['teq $0,$0,7', '8 1 pc'],
  ['teqi $0,0', '5 128 0'],
  ['lui $8,0x7fff; ori $8,0xffff; beq $0,$0,1f; addi $9,$8,1; 1: nop', '8 2 pc'],
  ['li $8,0x1234; b 1f; lw $9,0($8); 1: nop', '11 1 1234'],
  ['b 1f; break 7; 1: nop', '8 1 pc'],
  ['lui $8,0x3000; sw $8,0x1000($8)', '11 2 30001000'],
  ['li $8,0x1234; lw $9,2($8)', '11 128 0'],
  ['li $8,0x1234; sh $9,1($8)', '11 128 0'],
  ['li $8,0x1234; lwl $9,1($8)', '11 1 1235'],
  ['li $8,0x1234; lwc1 $f20,1($8)', '11 1 1235'],
  ['lui $8,0x8000; lw $9,0($8)', '10 128 0'],
  ['lui $8,0x8000; sw $9,1($8)', '10 128 0'],
  ['li $8,-1; lb $9,0($8)', '10 128 0'],
  ['lui $8,0x3000; ll $9,1($8)', '10 128 0'],
  ['lui $8,0x3000; ori $8,2; jr $8; nop', '10 128 0'],
  ['li $8,0x1234; jr $8; nop', '11 1 pc'],
  ['lui $8,0x8000; jr $8; nop', '10 128 0'],
  ['mfc0 $8,$12', '4 128 0'],
  ['mfc2 $8,$1', '4 128 0'],
  ['cache 0,0($8)', '4 128 0'],
  ['.word 0x7c00003f', '4 128 0'],
  ['.word 0x00204010', '4 128 0'],
  ['li $8,5; rdhwr $8,$30; tnei $8,5', 'nothing'],
  ['li $8,0x400; ctc1 $8,$31; lui $8,0x3f80; mtc1 $8,$f0; mtc1 $0,$f2; b 1f; div.s $f20,$f0,$f2; 1: nop', '8 3 pc'],
  ['li $8,0xf80; ctc1 $8,$31; lui $8,0x7f7f; mtc1 $8,$f0; mul.s $f20,$f0,$f0', '8 4 pc'],
  ['ctc1 $0,$31; li $8,0x1080; ctc1 $8,$31', '8 6 pc'],
];

for (const target of TARGETS.filter(({ name }) => name !== 'i386')) {
  const missing = lacks(target);
  describe(`what a handler is told of a fault on ${target.name}`, () => {
    it.skipIf(missing)(`is what Linux tells it${missing}`, { timeout: 300_000 }, async () => {
      const file = compile(target, 'mips_faults', true);
      const expected = EXPECTED.map((line) => `${line.join(': ')}\n`).join('');
      for (const executor of ['interpret', 'translate'] as const)
        expect({ executor, stdout: (await runHere(file, { executor })).stdout }).toEqual({ executor, stdout: expected });
    });
  });
}
