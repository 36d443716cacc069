# Multiboot entry and interrupt stubs for paravirt-pc.c.
        .section .multiboot, "a"
        .align 4
        .long 0x1badb002, 0, -0x1badb002

        .text
        .globl _start
_start:
        mov $stack_top, %esp
        cld
        push %ebx
        push %eax
        call start

        .globl stubs
        .align 8
stubs:
        .set i, 0
        .rept 16
        push $i
        jmp common
        .align 8
        .set i, i + 1
        .endr
common:
        pusha
        cld
        push 32(%esp)
        call interrupt
        add $4, %esp
        popa
        add $4, %esp
        iret

        .bss
        .align 16
        .skip 16384
stack_top:
