/* SPDX-License-Identifier: MIT */
/* context-riscv64.S - the switch for riscv64 (lp64d).
 *
 * The frame of a suspended flow, from its stack pointer upwards:
 *
 *       0  frm                the rounding mode, the only floating point control
 *       8  fs11 ... fs0
 *     104  s11 ... s3
 *     176  s2                 a new flow: the argument
 *     184  s1                 a new flow: the entry function
 *     192  s0                 a new flow: 0, where chains of frame pointers end
 *     200  ra                 where to continue; a new flow: context_trampoline
 *
 * Both stacks have this frame when the stack pointer moves from one to the other, so one
 * description of it (CFI) holds before and after and an unwinder is right at any instruction.
 *
 * The jump goes through t1: through ra or t0 it would count as a return.
 */
#if defined(__riscv) && __riscv_xlen == 64

#if !defined(__riscv_float_abi_double)
#error "only lp64d is supported"
#endif

        .macro  save register, offset
        sd      \register, \offset(sp)
        .cfi_rel_offset \register, \offset
        .endm

        .macro  save_double register, offset
        fsd     \register, \offset(sp)
        .cfi_rel_offset \register, \offset
        .endm

        .macro  restore register, offset
        ld      \register, \offset(sp)
        .cfi_restore \register
        .endm

        .macro  restore_double register, offset
        fld     \register, \offset(sp)
        .cfi_restore \register
        .endm

        .text
        .globl  context_jump
        .hidden context_jump
        .type   context_jump, @function
        .balign 64
context_jump:                                   # a0: from, a1: to, ra: where to continue from
        .cfi_startproc
        addi    sp, sp, -208
        .cfi_def_cfa_offset 208
        save    ra, 200
        save    s0, 192
        save    s1, 184
        save    s2, 176
        save    s3, 168
        save    s4, 160
        save    s5, 152
        save    s6, 144
        save    s7, 136
        save    s8, 128
        save    s9, 120
        save    s10, 112
        save    s11, 104
        save_double fs0, 96
        save_double fs1, 88
        save_double fs2, 80
        save_double fs3, 72
        save_double fs4, 64
        save_double fs5, 56
        save_double fs6, 48
        save_double fs7, 40
        save_double fs8, 32
        save_double fs9, 24
        save_double fs10, 16
        save_double fs11, 8
        frrm    t0
        sd      t0, 0(sp)

        sd      sp, 0(a0)
        ld      sp, 0(a1)                       # now on the other stack, in the same frame

        # Writing frm may drain the pipeline, and it rarely differs.
        ld      t2, 0(sp)
        bne     t0, t2, .Lload_control
        .cfi_remember_state
.Lcontrol_loaded:
        restore_double fs11, 8
        restore_double fs10, 16
        restore_double fs9, 24
        restore_double fs8, 32
        restore_double fs7, 40
        restore_double fs6, 48
        restore_double fs5, 56
        restore_double fs4, 64
        restore_double fs3, 72
        restore_double fs2, 80
        restore_double fs1, 88
        restore_double fs0, 96
        restore s11, 104
        restore s10, 112
        restore s9, 120
        restore s8, 128
        restore s7, 136
        restore s6, 144
        restore s5, 152
        restore s4, 160
        restore s3, 168
        restore s2, 176
        restore s1, 184
        restore s0, 192
        ld      t1, 200(sp)
        .cfi_register ra, t1
        addi    sp, sp, 208
        .cfi_def_cfa_offset 0
        jr      t1

.Lload_control:
        .cfi_restore_state
        fsrm    t2
        j       .Lcontrol_loaded
        .cfi_endproc
        .size   context_jump, . - context_jump

# Where a new flow begins.  Its caller is undefined: unwinders stop here.
        .globl  context_trampoline
        .hidden context_trampoline
        .type   context_trampoline, @function
        .balign 16
context_trampoline:
        .cfi_startproc
        .cfi_undefined ra
        .option push
        .option norvc
        nop                                     # a new flow begins behind this: see context.c
        .option pop
        mv      a0, s2
        jalr    s1                              # sp is the top of the stack: aligned
        unimp                                   # an entry never returns
        .cfi_endproc
        .size   context_trampoline, . - context_trampoline
#endif

        .section .note.GNU-stack, "", %progbits
