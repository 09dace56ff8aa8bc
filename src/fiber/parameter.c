/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <fibers/parameter.h>
#include "fiber/fiber.h"
#include "fiber/parameter.h"
#include "platform/thread-local.h"

struct fib_parameter {
        atomic_uint refs;
        void *initial;
};

struct binding {
        fib_parameter *parameter; /* a reference */
        void *value;
};

/* Not changed while refs > 1. */
struct environment {
        atomic_uint refs;
        size_t count;
        struct binding bindings[];
};

static _Thread_local struct environment *thread_environment;
static pthread_key_t unref_key; /* drops it when the thread ends */
static bool has_unref_key;
static pthread_once_t unref_once = PTHREAD_ONCE_INIT;

static void unref_at_exit(void *environment)
{
        environment_unref(environment);
}

static void make_unref_key(void)
{
        has_unref_key = !pthread_key_create(&unref_key, unref_at_exit);
}

static NOINLINE struct environment **thread_slot(void)
{
        return LAUNDER(&thread_environment);
}

/* Where the caller's environment is. */
static struct environment **slot(void)
{
        struct frame *frame = frame_current();

        return frame ? &frame->fiber->environment : thread_slot();
}

static void set_slot(struct environment **where, struct environment *environment)
{
        *where = environment;
        if (where != thread_slot())
                return;
        pthread_once(&unref_once, make_unref_key);
        if (has_unref_key)
                pthread_setspecific(unref_key, environment);
}

struct environment *environment_inherit(void)
{
        struct environment *environment = *slot();

        if (environment)
                atomic_fetch_add_explicit(&environment->refs, 1, memory_order_relaxed);
        return environment;
}

void environment_unref(struct environment *environment)
{
        if (!environment ||
            atomic_fetch_sub_explicit(&environment->refs, 1, memory_order_acq_rel) != 1)
                return;
        for (size_t i = 0; i < environment->count; i++)
                fib_parameter_unref(environment->bindings[i].parameter);
        free(environment);
}

static struct binding *find(struct environment *environment, const fib_parameter *parameter)
{
        for (size_t i = 0; environment && i < environment->count; i++) {
                if (environment->bindings[i].parameter == parameter)
                        return &environment->bindings[i];
        }
        return NULL;
}

/* Return: a copy with room for the parameter; NULL without memory. */
static struct environment *copy_with(const struct environment *old, fib_parameter *parameter,
                                     void *value)
{
        size_t count = old ? old->count : 0;
        struct environment *copy = malloc(sizeof(*copy) + (count + 1) * sizeof(copy->bindings[0]));

        if (!copy)
                return NULL;
        atomic_init(&copy->refs, 1);
        copy->count = 0;
        for (size_t i = 0; i < count; i++) {
                if (old->bindings[i].parameter == parameter)
                        continue;
                copy->bindings[copy->count] = old->bindings[i];
                fib_parameter_ref(copy->bindings[copy->count++].parameter);
        }
        copy->bindings[copy->count++] = (struct binding){ fib_parameter_ref(parameter), value };
        return copy;
}

fib_parameter *fib_parameter_new(void *initial)
{
        fib_parameter *parameter = malloc(sizeof(*parameter));

        if (!parameter)
                return NULL;
        atomic_init(&parameter->refs, 1);
        parameter->initial = initial;
        return parameter;
}

fib_parameter *fib_parameter_ref(fib_parameter *parameter)
{
        if (parameter)
                atomic_fetch_add_explicit(&parameter->refs, 1, memory_order_relaxed);
        return parameter;
}

void fib_parameter_unref(fib_parameter *parameter)
{
        if (parameter && atomic_fetch_sub_explicit(&parameter->refs, 1, memory_order_acq_rel) == 1)
                free(parameter);
}

void *fib_parameter_get(fib_parameter *parameter)
{
        struct binding *binding;

        if (!parameter)
                return NULL;
        binding = find(*slot(), parameter);
        return binding ? binding->value : parameter->initial;
}

int fib_parameter_set(fib_parameter *parameter, void *value)
{
        struct environment **where = slot();
        struct environment *environment = *where;
        struct environment *copy;
        struct binding *binding;

        if (!parameter)
                return -EINVAL;
        binding = find(environment, parameter);
        /* Acquire: whoever shared it has read it; pairs with the step in environment_unref. */
        if (binding && atomic_load_explicit(&environment->refs, memory_order_acquire) == 1) {
                binding->value = value;
                return 0;
        }
        copy = copy_with(environment, parameter, value);
        if (!copy)
                return -ENOMEM;
        environment_unref(environment);
        set_slot(where, copy);
        return 0;
}

int fib_parameterize(fib_parameter *parameter, void *value, fib_fn *fn, void *arg, void **ret)
{
        struct environment *copy, *before;
        struct environment **where;
        void *result;

        if (!parameter || !fn)
                return -EINVAL;
        where = slot();
        before = *where;
        copy = copy_with(before, parameter, value);
        if (!copy)
                return -ENOMEM;
        set_slot(where, copy);
        result = fn(arg);
        /* As before, whatever fn has set; perhaps in another kernel thread. */
        where = slot();
        environment_unref(*where);
        set_slot(where, before);
        if (ret)
                *ret = result;
        return 0;
}
