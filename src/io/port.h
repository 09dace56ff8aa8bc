/* SPDX-License-Identifier: MIT */
/* port.h - the inside of a port: two buffers that come and go. */
#ifndef IO_PORT_H
#define IO_PORT_H

#include <stdint.h>
#include <fibers/port.h>
#include "io/transfer.h"

/* What is in flight is data[start .. end - 1]; data == NULL: nothing is. */
struct port_side {
        char *data;
        size_t capacity;
        size_t start;
        size_t end;
        int64_t timeout; /* 0 or less: none */
        int error;       /* for the next call to tell; 0: none */
};

struct fib_port {
        int fd; /* it, and what follows up to `reader`, changes no more */
        enum transfer_kind kind;
        size_t buffer_size;
        bool flush_before_wait;
        struct port_side reader;      /* whoever reads, alone */
        bool drained;                 /* the reader's: the last attempt said nothing is left */
        struct port_side writer;      /* whoever writes, alone */
        fib_port_buffering buffering; /* the writer's */
};

/* What lasts for one call of the user's. */
struct port_call {
        int64_t expiry;  /* 0: it has not waited yet */
        unsigned futile; /* see transfer_wait() */
};

static inline size_t port_length(const struct port_side *side)
{
        return side->end - side->start;
}

/* Gives a side that holds nothing its buffer.  Fails: -ENOMEM. */
int port_allocate(struct fib_port *port, struct port_side *side);

/* Frees the buffer. */
void port_release(struct port_side *side);

/* An error of the last call that it could not tell itself. */
static inline int port_take_error(struct port_side *side)
{
        int error = side->error;

        side->error = 0;
        return error;
}

/* Waits for POLLIN or POLLOUT within the side's timeout.  Fails: -ETIMEDOUT. */
int port_wait(struct fib_port *port, struct port_side *side, short events, struct port_call *call);

/* fib_port_flush() as a part of another call. */
int port_flush(struct fib_port *port, struct port_call *call);

#endif
