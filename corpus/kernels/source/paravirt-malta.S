# Entry, exception handler and idle for paravirt-malta.c.
        .set noreorder
        .text
        .globl _start
_start:
        lui $29, %hi(stack_top - 32)
        jal start
        addiu $29, $29, %lo(stack_top - 32)

# goes to 0x80000180
        .globl vector, vector_end
vector:
        lui $26, %hi(handler)
        addiu $26, $26, %lo(handler)
        jr $26
        nop
vector_end:

handler:
        .set noat
        addiu $29, $29, -112
        sw $1, 24($29)
        sw $2, 28($29)
        sw $3, 32($29)
        sw $4, 36($29)
        sw $5, 40($29)
        sw $6, 44($29)
        sw $7, 48($29)
        sw $8, 52($29)
        sw $9, 56($29)
        sw $10, 60($29)
        sw $11, 64($29)
        sw $12, 68($29)
        sw $13, 72($29)
        sw $14, 76($29)
        sw $15, 80($29)
        sw $24, 84($29)
        sw $25, 88($29)
        sw $31, 92($29)
        mfhi $8
        sw $8, 96($29)
        mflo $8
        jal interrupted
        sw $8, 100($29)
        # an interrupt between EI and WAIT must not leave the processor waiting for it
        mfc0 $8, $14
        lui $9, %hi(idling)
        addiu $9, $9, %lo(idling)
        subu $9, $8, $9
        sltiu $9, $9, waited - idling
        beqz $9, 1f
        lui $8, %hi(waited)
        addiu $8, $8, %lo(waited)
        mtc0 $8, $14
1:
        lw $8, 96($29)
        mthi $8
        lw $8, 100($29)
        mtlo $8
        lw $1, 24($29)
        lw $2, 28($29)
        lw $3, 32($29)
        lw $4, 36($29)
        lw $5, 40($29)
        lw $6, 44($29)
        lw $7, 48($29)
        lw $8, 52($29)
        lw $9, 56($29)
        lw $10, 60($29)
        lw $11, 64($29)
        lw $12, 68($29)
        lw $13, 72($29)
        lw $14, 76($29)
        lw $15, 80($29)
        lw $24, 84($29)
        lw $25, 88($29)
        lw $31, 92($29)
        addiu $29, $29, 112
        eret
        .set at

        .globl idle
idle:
        ei
idling:
        ehb
        wait
waited:
        di
        jr $31
        ehb

        .bss
        .align 4
        .skip 16384
stack_top:
