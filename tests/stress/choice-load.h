/* SPDX-License-Identifier: MIT */
/* choice-load.h - how often each arm of a choice is done. */
#ifndef TESTS_STRESS_CHOICE_LOAD_H
#define TESTS_STRESS_CHOICE_LOAD_H

#include <fibers.h>
#include "tests/harness.h"
#include "tests/probe.h"

enum fair_shape { FAIR_FLAT, FAIR_NESTED, FAIR_BESIDE_OTHERS };

struct fair_load {
        struct probe probes[4];
        enum fair_shape shape;
        unsigned long performs;
};

static inline fib_op *fair_choice(struct fair_load *load)
{
        fib_op *op[4];

        for (int i = 0; i < 4; i++)
                op[i] = probe_op(&load->probes[i]);
        switch (load->shape) {
        case FAIR_FLAT: return fib_choice(op[0], op[1], op[2], op[3]);
        case FAIR_NESTED: return fib_choice(op[0], fib_choice(op[1], fib_choice(op[2], op[3])));
        default:
                return fib_choice(op[0], op[1], fib_sleep_op(FIB_SECOND), fib_never(), op[2],
                                  fib_sleep_op(FIB_SECOND), fib_sleep_op(FIB_SECOND), op[3]);
        }
}

static inline void *fair_first(void *arg)
{
        struct fair_load *load = arg;
        fib_op *op = fair_choice(load);
        unsigned long done[4] = { 0 };
        fib_value value;

        ck_assert_ptr_nonnull(op);
        for (unsigned long i = 0; i < load->performs; i++) {
                ck_assert_int_ge(fib_perform(fib_op_ref(op), &value), 0);
                done[value.num]++;
        }
        fib_op_unref(op);
        for (int i = 0; i < 4; i++) {
                double percent = 100.0 * (double)done[i] / (double)load->performs;

                ck_assert_msg(percent > 23.5 && percent < 26.5,
                              "%.1f, %.1f, %.1f, %.1f %% of %lu performs did each arm",
                              100.0 * (double)done[0] / (double)load->performs,
                              100.0 * (double)done[1] / (double)load->performs,
                              100.0 * (double)done[2] / (double)load->performs,
                              100.0 * (double)done[3] / (double)load->performs, load->performs);
        }
        return NULL;
}

/* Four arms that are ready in this way, among others or not; each is done 25 +- 1.5 % of the
 * time.  Not scaled below 30,000: the bounds are then six standard deviations away. */
static inline void fair_choices(unsigned workers, enum probe_mode mode, enum fair_shape shape,
                                unsigned long performs)
{
        struct fair_load load = { .shape = shape, .performs = scaled(performs) };

        if (load.performs < 30000)
                load.performs = 30000;
        for (int i = 0; i < 4; i++) {
                load.probes[i].mode = mode;
                load.probes[i].value = i;
        }
        run_fibers(workers, fair_first, &load);
}

#endif
