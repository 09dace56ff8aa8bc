/* SPDX-License-Identifier: MIT */
/* waiter.c - committing waiters, for operations that are defined outside the library. */
#include <assert.h>
#include <errno.h>
#include "op/perform.h"

/* Whether the caller is the performer itself, in `block`. */
static bool is_self(const struct fib_perform *perform)
{
        return *parker_slot() == perform->parker;
}

static bool commit(fib_waiter *waiter, fib_value value, int status)
{
        struct fib_perform *perform = waiter->perform;

        if (!commit_sync(&perform->commit))
                return false;
        waiter->value = value;
        perform->status = status;
        if (is_self(perform))
                perform_done_by_self(perform, waiter);
        else
                perform_wake(perform, waiter, false);
        return true;
}

bool fib_waiter_commit(fib_waiter *waiter, fib_value value)
{
        return commit(waiter, value, 0);
}

bool fib_waiter_fail(fib_waiter *waiter, int error)
{
        return commit(waiter, fib_num(0), error < 0 ? error : -EINVAL);
}

int fib_waiter_commit_both(fib_waiter *mine, fib_value my_value, fib_waiter *theirs,
                           fib_value their_value)
{
        int r;

        if (mine->perform == theirs->perform)
                return -EAGAIN;
        r = commit_pair(&mine->perform->commit, &theirs->perform->commit);
        if (r < 0)
                return r;
        mine->value = my_value;
        perform_done_by_self(mine->perform, mine);
        theirs->value = their_value;
        perform_wake(theirs->perform, theirs, false);
        return 0;
}
