/** Instructions of MIPS32 release 2 (volume II), and its DSP module, that have no row: encoding, text, why. They are reserved, or coprocessor 2 is unusable. */
export const missing: readonly (readonly [encoding: string, text: string, reason: string])[] = [
  ...['bc2f 00', 'bc2fl 10', 'bc2t 01', 'bc2tl 11'].map((row) => {
    const [name, bits] = row.split(' ');
    return [`010010 01000 nnn ${bits} oooooooooooooooo`, `${name} $n$o`, 'no coprocessor 2'] as const;
  }),
  ...['mfc2 00000', 'cfc2 00010', 'mfhc2 00011', 'mtc2 00100', 'ctc2 00110', 'mthc2 00111'].map((row) => {
    const [name, bits] = row.split(' ');
    return [`010010 ${bits} ttttt iiiiiiiiiiiiiiii`, `${name} $t,$i`, 'no coprocessor 2'] as const;
  }),
  ['010010 1 ccccccccccccccccccccccccc', 'cop2 $c', 'no coprocessor 2'],
  ...['lwc2 110010', 'ldc2 110110', 'swc2 111010', 'sdc2 111110'].map((row) => {
    const [name, bits] = row.split(' ');
    return [`${bits} sssss ttttt iiiiiiiiiiiiiiii`, `${name} $t,$i($s)`, 'no coprocessor 2'] as const;
  }),
  ...(
    'add.ps sub.ps mul.ps abs.ps mov.ps neg.ps movf.ps movt.ps movn.ps movz.ps c.cond.ps madd.ps msub.ps nmadd.ps nmsub.ps ' +
    'cvt.ps.s cvt.s.pl cvt.s.pu alnv.ps pll.ps plu.ps pul.ps puu.ps'
  )
    .split(' ')
    .map((name) => ['0100x1 … 10110 or 110', name, 'no paired single: FIR.PS is 0'] as const),
  ['011111 … 010000, 010001, 010010, …', 'DSP module, release 1 (addu.qb, …)', 'no DSP: Config3.DSPP is 0'],
  ['011101 jjjjjjjjjjjjjjjjjjjjjjjjjj', 'jalx $j', 'no MIPS16: Config1.CA is 0'],
  ['011100 kkkkkkkkkkkkkkkkkkkk 111111', 'sdbbp $k', 'no EJTAG: Config1.EP is 0'],
];
