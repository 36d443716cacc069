import { describe, expect, test } from 'vitest';
import { listInstructions, listMissingInstructions } from '../../src/index.ts';

/** The names of the manuals' chapters: SDM volume 2, up to SSE2 (FSTCW and the like are FWAIT and FNSTCW); MIPS32 volume II, release 2. */
const X86 = `
  AAA AAD AAM AAS ADC ADD ADDPD ADDPS ADDSD ADDSS AND ANDNPD ANDNPS ANDPD ANDPS ARPL BOUND BSF BSR BSWAP BT BTC BTR BTS CALL CBW CDQ
  CLC CLD CLFLUSH CLI CLTS CMC CMOVcc CMP CMPPD CMPPS CMPS CMPSD CMPSS CMPXCHG CMPXCHG8B COMISD COMISS CPUID CVTDQ2PD CVTDQ2PS
  CVTPD2DQ CVTPD2PI CVTPD2PS CVTPI2PD CVTPI2PS CVTPS2DQ CVTPS2PD CVTPS2PI CVTSD2SI CVTSD2SS CVTSI2SD CVTSI2SS CVTSS2SD CVTSS2SI
  CVTTPD2DQ CVTTPD2PI CVTTPS2DQ CVTTPS2PI CVTTSD2SI CVTTSS2SI CWD CWDE DAA DAS DEC DIV DIVPD DIVPS DIVSD DIVSS EMMS ENTER F2XM1 FABS
  FADD FADDP FIADD FBLD FBSTP FCHS FNCLEX FCMOVB FCMOVE FCMOVBE FCMOVU FCMOVNB FCMOVNE FCMOVNBE FCMOVNU FCOM FCOMP FCOMPP FCOMI
  FCOMIP FUCOMI FUCOMIP FCOS FDECSTP FDIV FDIVP FIDIV FDIVR FDIVRP FIDIVR FFREE FICOM FICOMP FILD FINCSTP FNINIT FIST FISTP FLD FLD1
  FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ FLDCW FLDENV FMUL FMULP FIMUL FNOP FPATAN FPREM FPREM1 FPTAN FRNDINT FRSTOR FNSAVE FSCALE
  FSIN FSINCOS FSQRT FST FSTP FNSTCW FNSTENV FNSTSW FSUB FSUBP FISUB FSUBR FSUBRP FISUBR FTST FUCOM FUCOMP FUCOMPP FXAM FXCH FXRSTOR
  FXSAVE FXTRACT FYL2X FYL2XP1 HLT IDIV IMUL IN INC INS INT INT3 INTO INVD INVLPG IRET Jcc JECXZ JMP LAHF LAR LDMXCSR LDS LES LFS
  LGS LSS LEA LEAVE LFENCE LGDT LIDT LLDT LMSW LODS LOOP LOOPE LOOPNE LSL LTR MASKMOVDQU MASKMOVQ MAXPD MAXPS MAXSD MAXSS MFENCE
  MINPD MINPS MINSD MINSS MOV MOVAPD MOVAPS MOVD MOVDQA MOVDQU MOVDQ2Q MOVHLPS MOVHPD MOVHPS MOVLHPS MOVLPD MOVLPS MOVMSKPD MOVMSKPS
  MOVNTDQ MOVNTI MOVNTPD MOVNTPS MOVNTQ MOVQ MOVQ2DQ MOVS MOVSD MOVSS MOVSX MOVUPD MOVUPS MOVZX MUL MULPD MULPS MULSD MULSS NEG NOP
  NOT OR ORPD ORPS OUT OUTS PACKSSWB PACKSSDW PACKUSWB PADDB PADDW PADDD PADDQ PADDSB PADDSW PADDUSB PADDUSW PAND PANDN PAUSE PAVGB
  PAVGW PCMPEQB PCMPEQW PCMPEQD PCMPGTB PCMPGTW PCMPGTD PEXTRW PINSRW PMADDWD PMAXSW PMAXUB PMINSW PMINUB PMOVMSKB PMULHUW PMULHW
  PMULLW PMULUDQ POP POPA POPF POR PREFETCHT0 PREFETCHT1 PREFETCHT2 PREFETCHNTA PSADBW PSHUFD PSHUFHW PSHUFLW PSHUFW PSLLDQ PSLLW
  PSLLD PSLLQ PSRAW PSRAD PSRLDQ PSRLW PSRLD PSRLQ PSUBB PSUBW PSUBD PSUBQ PSUBSB PSUBSW PSUBUSB PSUBUSW PUNPCKHBW PUNPCKHWD
  PUNPCKHDQ PUNPCKHQDQ PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ PUSH PUSHA PUSHF PXOR RCL RCR ROL ROR RCPPS RCPSS RDMSR RDPMC RDTSC
  RET RETF RSM RSQRTPS RSQRTSS SAHF SHL SAL SAR SHR SBB SCAS SETcc SFENCE SGDT SHLD SHRD SHUFPD SHUFPS SIDT SLDT SMSW SQRTPD SQRTPS
  SQRTSD SQRTSS STC STD STI STMXCSR STOS STR SUB SUBPD SUBPS SUBSD SUBSS SYSENTER SYSEXIT TEST UCOMISD UCOMISS UD2 UNPCKHPD UNPCKHPS
  UNPCKLPD UNPCKLPS VERR VERW FWAIT WBINVD WRMSR XADD XCHG XLAT XOR XORPD XORPS
`;
const MIPS = `
  abs.s abs.d abs.ps add add.s add.d add.ps addi addiu addu alnv.ps and andi bc1f bc1fl bc1t bc1tl bc2f bc2fl bc2t bc2tl beq beql
  bgez bgezal bgezall bgezl bgtz bgtzl blez blezl bltz bltzal bltzall bltzl bne bnel break c.cond.s c.cond.d c.cond.ps cache
  ceil.l.s ceil.l.d ceil.w.s ceil.w.d cfc1 cfc2 clo clz cop2 ctc1 ctc2 cvt.d.s cvt.d.w cvt.d.l cvt.l.s cvt.l.d cvt.ps.s cvt.s.d
  cvt.s.w cvt.s.l cvt.s.pl cvt.s.pu cvt.w.s cvt.w.d deret di div div.s div.d divu ei eret ext floor.l.s floor.l.d floor.w.s
  floor.w.d ins j jal jalr jalr.hb jalx jr jr.hb lb lbu ldc1 ldc2 ldxc1 lh lhu ll lui luxc1 lw lwc1 lwc2 lwl lwr lwxc1 madd madd.s
  madd.d madd.ps maddu mfc0 mfc1 mfc2 mfhc1 mfhc2 mfhi mflo mov.s mov.d mov.ps movf movf.s movf.d movf.ps movn movn.s movn.d movn.ps
  movt movt.s movt.d movt.ps movz movz.s movz.d movz.ps msub msub.s msub.d msub.ps msubu mtc0 mtc1 mtc2 mthc1 mthc2 mthi mtlo mul
  mul.s mul.d mul.ps mult multu neg.s neg.d neg.ps nmadd.s nmadd.d nmadd.ps nmsub.s nmsub.d nmsub.ps nor or ori pll.ps plu.ps pref
  prefx pul.ps puu.ps rdhwr rdpgpr recip.s recip.d rotr rotrv round.l.s round.l.d round.w.s round.w.d rsqrt.s rsqrt.d sb sc sdbbp
  sdc1 sdc2 sdxc1 seb seh sh sll sllv slt slti sltiu sltu sqrt.s sqrt.d sra srav srl srlv sub sub.s sub.d sub.ps subu suxc1 sw swc1
  swc2 swl swr swxc1 sync synci syscall teq teqi tge tgei tgeiu tgeu tlbp tlbr tlbwi tlbwr tlt tlti tltiu tltu tne tnei trunc.l.s
  trunc.l.d trunc.w.s trunc.w.d wait wrpgpr wsbh xor xori
`;
/** Names for the same encoding. */
const ALIASES: Readonly<Record<string, string>> = { SAL: 'SHL', rotr: 'ror', rotrv: 'rorv' };

const words = (list: string): string[] => list.trim().split(/\s+/);
const namesOf = (rows: readonly { readonly isa: string; readonly text: string }[], isa: string): Set<string> =>
  new Set(rows.filter((row) => row.isa === isa).flatMap((row) => row.text.split(' ')[0].replace('$C', 'cond').split('/')));

describe.each([
  ['x86', X86],
  ['mips', MIPS],
])('%s', (isa, list) => {
  const here = namesOf(listInstructions(), isa);
  const missing = namesOf(listMissingInstructions(), isa);

  test('each instruction of the manual is implemented or listed as missing', () => {
    expect(words(list).filter((name) => !here.has(ALIASES[name] ?? name) && !missing.has(name))).toEqual([]);
  });
  test('what is listed as missing is missing', () => {
    const implemented = new Set(listInstructions().map(({ text }) => text));
    expect(listMissingInstructions().filter(({ text }) => implemented.has(text))).toEqual([]);
    expect(missing.size).toBeGreaterThan(0);
  });
});
