/* SPDX-License-Identifier: MIT */
/* parameter.h - values that a fiber inherits from its spawner (Scheme's parameters, SRFI 39). */
#ifndef FIBERS_PARAMETER_H
#define FIBERS_PARAMETER_H

#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_parameter fib_parameter;

/* `initial` is its value wherever none has been set.  What values point to stays the caller's. */
FIB_API fib_parameter *fib_parameter_new(void *initial);
FIB_API fib_parameter *fib_parameter_ref(fib_parameter *parameter);
FIB_API void fib_parameter_unref(fib_parameter *parameter);

FIB_API void *fib_parameter_get(fib_parameter *parameter);

/* Sets it for the calling fiber (or plain thread) and for fibers that it spawns from now on, and
 * for nobody else.  Fails: -ENOMEM, and all is as before; -EINVAL. */
FIB_API int fib_parameter_set(fib_parameter *parameter, void *value);

/* Calls fn(arg) with the parameter set to `value`, and sets it back.  Fails: as above, with fn
 * not called. */
FIB_API int fib_parameterize(fib_parameter *parameter, void *value, fib_fn *fn, void *arg,
                             void **ret);

FIB_END

#endif
