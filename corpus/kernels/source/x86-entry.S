# Multiboot entry, exception stubs, ways into other privilege levels and modes, for x86-rules.c.
        .section .multiboot, "a"
        .align 4
        .long 0x1badb002, 0, -0x1badb002

        .text
        .globl _start
_start:
        mov $stack_top, %esp
        cld
        call main
1:      hlt
        jmp 1b

# int attempt(void (*f)(void)): the vector that ended it, or -1 if it returned.
        .globl attempt
attempt:
        push %ebx
        push %esi
        push %edi
        push %ebp
        mov resume_esp, %eax
        push %eax
        mov %esp, resume_esp
        mov 24(%esp), %eax
        call *%eax
        mov $-1, %eax
attempt_end:
        mov resume_esp, %esp
        pop %ecx
        mov %ecx, resume_esp
        pop %ebp
        pop %edi
        pop %esi
        pop %ebx
        ret

        .macro stub n
        .if !((\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17))
        push $0
        .endif
        push $\n
        jmp common
        .align 16
        .endm
        .globl stubs
        .align 16
stubs:
        .set i, 0
        .rept 64
        stub i
        .set i, i + 1
        .endr

common:
        pusha
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        cld
        push %esp
        call caught
        add $4, %esp
        mov 32(%esp), %eax
        # back to the stack of attempt, whatever it was
        mov $0x10, %ecx
        mov %ecx, %ss
        pushl $2
        popfl
        jmp attempt_end

# void enter(eip, cs, eflags, esp, ss): IRET to an outer level.
        .globl enter
enter:
        mov 4(%esp), %eax
        mov 8(%esp), %ebx
        mov 12(%esp), %ecx
        mov 16(%esp), %edx
        mov 20(%esp), %esi
        push %esi
        push %edx
        push %ecx
        push %ebx
        push %eax
        mov $0x23, %ecx
        mov %ecx, %ds
        mov %ecx, %es
        iret

# void enter_virtual(cs, ip, ss, sp, eflags, ds)
        .globl enter_virtual
enter_virtual:
        mov 4(%esp), %eax
        mov 8(%esp), %ebx
        mov 12(%esp), %ecx
        mov 16(%esp), %edx
        mov 20(%esp), %esi
        mov 24(%esp), %edi
        pushl $0x7777
        pushl $0x6666
        push %edi
        pushl $0x5555
        push %ecx
        push %edx
        push %esi
        push %eax
        push %ebx
        iret

# void to_real(void): runs `real_code`, which was copied to 0x8000, in real mode and comes back.
        .globl to_real
to_real:
        pusha
        mov %esp, real_esp
        sidt saved_idt
        lidt real_idt
        ljmp $0x38, $0x8000
        .globl from_real
from_real:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov real_esp, %esp
        lidt saved_idt
        popa
        ret

# Runs at 0x8000, first with a 16-bit code segment in protected mode. Results go to 0x9000.
        .code16
        .globl real_code, real_code_end
real_code:
        mov $0x40, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov %cr0, %eax
        and $0xfffffffe, %eax
        mov %eax, %cr0
        ljmp $0x800, $(1f - real_code)
1:      xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $0x7c00, %sp
        # a segment's base is its selector times sixteen
        mov $0x1234, %ax
        mov %ax, %es
        movw $0xbeef, %es:0x10
        mov $0x1200, %ax
        mov %ax, %es
        mov %es:0x350, %ax
        mov %ax, 0x9000
        # SP wraps
        mov $0, %sp
        pushw $0x55aa
        mov %sp, 0x9002
        mov $0x7c00, %sp
        # INT goes through the table at 0
        movw $(2f - real_code), 0x21*4
        movw $0x800, 0x21*4+2
        movw $0, 0x9004
        sti
        int $0x21
        mov %sp, 0x9006
        cli
        # beyond 64 KiB: vector 13, without an error code
        movw $(3f - real_code), 13*4
        movw $0x800, 13*4+2
        movw $0, 0x9008
        mov 0xffff, %ax
        mov %sp, 0x900a
        # far call and return
        lcall $0x800, $(4f - real_code)
        mov %ax, 0x900c
        # string instructions wrap SI
        cld
        movw $0xffff, %si
        lodsb
        mov %si, 0x900e
        # jumps wrap at 16 bits, with a 32-bit base register
        mov $0x9abc, %bx
        addr32 lea 0x10(%ebx), %eax
        mov %ax, 0x9010
        # MOV to a segment register keeps the limit: there is none but 64 KiB
        pushf
        pop %ax
        mov %ax, 0x9012
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmpl $0x08, $from_real
2:      # flags, CS and IP were pushed, IF is clear
        pushf
        pop 0x9004
        iret
3:      incw 0x9008
        push %bp
        mov %sp, %bp
        # past the instruction: a1 ff ff
        addw $3, 2(%bp)
        pop %bp
        iret
4:      mov $0x4444, %ax
        lret
real_code_end:
        .code32

        .data
        .globl resume_esp
resume_esp: .long 0
real_esp: .long 0
saved_idt: .word 0
        .long 0
real_idt: .word 0x3ff
        .long 0
        .bss
        .align 16
        .skip 16384
        .globl stack_top
stack_top:
