/* SPDX-License-Identifier: MIT */
/* context-x86_64.S - the switch for x86-64 (System V).
 *
 * The frame of a suspended flow, from its stack pointer upwards:
 *
 *       0  mxcsr              4 bytes
 *       4  x87 control word   2 bytes, and 2 unused
 *       8  r15
 *      16  r14
 *      24  r13
 *      32  r12                a new flow: the argument
 *      40  rbx                a new flow: the entry function
 *      48  rbp                a new flow: 0, where chains of frame pointers end
 *      56  where to continue  a new flow: in context_trampoline
 *      64  128 bytes the suspended function may be using (the red zone)
 *
 * Both stacks have this frame when the stack pointer moves from one to the other, so one
 * description of it (CFI) holds before and after and an unwinder is right at any instruction.
 *
 * The jump to the other flow is `notrack`, since no endbr64 awaits it.  A shadow stack would
 * need one per flow: the note at the end promises indirect branch tracking only.
 */
#if defined(__x86_64__)

        .text
/* context_switch_last(from: rdi, to: rsi).  Its caller's return address is where to continue; so
 * nothing of the calls that led here is left for a `ret` to be predicted from. */
        .globl  context_switch_last
        .hidden context_switch_last
        .type   context_switch_last, @function
        .balign 64
context_switch_last:
        .cfi_startproc
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rdx
        .cfi_endproc
        .size   context_switch_last, . - context_switch_last
                                        /* and on into: */

        .globl  context_jump
        .hidden context_jump
        .type   context_jump, @function
context_jump:                           /* rdi: from, rsi: to, rdx: where to continue from */
        .cfi_startproc
        .cfi_def_cfa %rsp, 0
        .cfi_register %rip, %rdx
        leaq    -128(%rsp), %rsp
        .cfi_adjust_cfa_offset 128
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rip, 0
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movl    (%rsp), %eax
        movzwl  4(%rsp), %ecx

        movq    %rsp, (%rdi)
        movq    (%rsi), %rsp                    /* now on the other stack, in the same frame */

        /* Loading either control word costs more than the whole rest, and they rarely differ. */
        xorl    (%rsp), %eax
        xorw    4(%rsp), %cx
        andl    $~0x3f, %eax                    /* the status bits may differ */
        orl     %ecx, %eax
        movq    8(%rsi), %rax                   /* what context_switch_last() returns there */
        jnz     .Lload_control
        .cfi_remember_state
.Lcontrol_loaded:
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rdx
        leaq    128(%rsp), %rsp
        .cfi_adjust_cfa_offset -128
        notrack jmp *%rdx

.Lload_control:
        .cfi_restore_state
        ldmxcsr (%rsp)
        fnclex                                  /* what one flow has raised, the other may trap */
        fldcw   4(%rsp)
        jmp     .Lcontrol_loaded
        .cfi_endproc
        .size   context_jump, . - context_jump

/* Where a new flow begins.  Its caller is undefined: unwinders stop here. */
        .globl  context_trampoline
        .hidden context_trampoline
        .type   context_trampoline, @function
        .balign 16
context_trampoline:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64                                 /* a new flow begins behind this: see context.c */
        movq    %r12, %rdi
        callq   *%rbx                           /* rsp is the top of the stack: aligned */
        ud2                                     /* an entry never returns */
        .cfi_endproc
        .size   context_trampoline, . - context_trampoline

        .section .note.gnu.property, "a", @note
        .balign 8
        .long   4                               /* of the name */
        .long   16                              /* of the properties */
        .long   5                               /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002                      /* GNU_PROPERTY_X86_FEATURE_1_AND */
        .long   4
        .long   1                               /* IBT */
        .long   0
#endif

        .section .note.GNU-stack, "", %progbits
