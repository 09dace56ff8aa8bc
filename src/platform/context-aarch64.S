/* SPDX-License-Identifier: MIT */
/* context-aarch64.S - the switch for aarch64 (AAPCS64).
 *
 * The frame of a suspended flow, from its stack pointer upwards:
 *
 *       0  x29                a new flow: 0, where chains of frame pointers end
 *       8  x30                where to continue; a new flow: context_trampoline
 *      16  x19                a new flow: the entry function
 *      24  x20                a new flow: the argument
 *      32  x21 ... x28
 *      96  fpcr, and 8 unused bytes
 *
 * Both stacks have this frame when the stack pointer moves from one to the other, so one
 * description of it (CFI) holds before and after and an unwinder is right at any instruction.
 *
 * Of the vector registers a function keeps only the lower halves of eight for its caller.
 * context_switch() names all as changed, so the compiler saves what it uses.
 */
#if defined(__aarch64__)

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define LANDING hint 36 /* bti j */
#else
#define LANDING
#endif

        .text
        .globl  context_jump
        .hidden context_jump
        .type   context_jump, %function
        .balign 64
context_jump:                                   /* x0: from, x1: to, x30: where to continue from */
        .cfi_startproc
        stp     x29, x30, [sp, #-112]!
        .cfi_def_cfa_offset 112
        .cfi_offset x29, -112
        .cfi_offset x30, -104
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -96
        .cfi_offset x20, -88
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -80
        .cfi_offset x22, -72
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -64
        .cfi_offset x24, -56
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -48
        .cfi_offset x26, -40
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -32
        .cfi_offset x28, -24
        mrs     x9, fpcr
        str     x9, [sp, #96]

        mov     x10, sp
        str     x10, [x0]
        ldr     x10, [x1]
        mov     sp, x10                         /* now on the other stack, in the same frame */

        /* Writing fpcr may drain the pipeline, and it rarely differs. */
        ldr     x10, [sp, #96]
        cmp     x9, x10
        b.ne    .Lload_control
        .cfi_remember_state
.Lcontrol_loaded:
        ldp     x27, x28, [sp, #80]
        .cfi_restore x27
        .cfi_restore x28
        ldp     x25, x26, [sp, #64]
        .cfi_restore x25
        .cfi_restore x26
        ldp     x23, x24, [sp, #48]
        .cfi_restore x23
        .cfi_restore x24
        ldp     x21, x22, [sp, #32]
        .cfi_restore x21
        .cfi_restore x22
        ldp     x19, x20, [sp, #16]
        .cfi_restore x19
        .cfi_restore x20
        ldp     x29, x16, [sp], #112
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_register x30, x16
        br      x16

.Lload_control:
        .cfi_restore_state
        msr     fpcr, x10
        b       .Lcontrol_loaded
        .cfi_endproc
        .size   context_jump, . - context_jump

/* Where a new flow begins.  Its caller is undefined: unwinders stop here. */
        .globl  context_trampoline
        .hidden context_trampoline
        .type   context_trampoline, %function
        .balign 16
context_trampoline:
        .cfi_startproc
        .cfi_undefined x30
        nop                                     /* a new flow begins behind this: see context.c */
        LANDING
        mov     x0, x20
        blr     x19                             /* sp is the top of the stack: aligned */
        brk     #0                              /* an entry never returns */
        .cfi_endproc
        .size   context_trampoline, . - context_trampoline

#if defined(__ARM_FEATURE_BTI_DEFAULT)
        .section .note.gnu.property, "a", %note
        .balign 8
        .word   4                               /* of the name */
        .word   16                              /* of the properties */
        .word   5                               /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .word   0xc0000000                      /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
        .word   4
        .word   1                               /* BTI */
        .word   0
#endif
#endif

        .section .note.GNU-stack, "", %progbits
