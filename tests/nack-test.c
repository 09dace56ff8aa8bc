/* SPDX-License-Identifier: MIT */
/* nack-test.c - who made an arm is told when another one was done: once, and only then. */
#include <fibers.h>
#include "tests/harness.h"
#include "tests/probe.h"

/* An arm that keeps its nack, to be looked at afterwards. */
struct offer {
        fib_op *inner; /* what it offers; a reference is made for each perform */
        fib_op *nack;  /* of the last perform */
        int calls;
        fib_fiber *caller;
};

static fib_op *make_offer(fib_op *nack, void *arg)
{
        struct offer *offer = arg;

        fib_op_unref(offer->nack);
        offer->nack = nack;
        offer->calls++;
        offer->caller = fib_self();
        return fib_op_ref(offer->inner);
}

static fib_op *offer_op(struct offer *offer)
{
        return fib_with_nack(make_offer, offer);
}

/* Whether it has become ready. */
static bool nacked(const struct offer *offer)
{
        int r = fib_try(fib_op_ref(offer->nack), NULL);

        ck_assert(r == 0 || r == -EAGAIN);
        return r == 0;
}

static void forget(struct offer *offer)
{
        fib_op_unref(offer->inner);
        fib_op_unref(offer->nack);
}

TEST(an_arm_that_was_done_is_not_nacked)
{
        struct offer offer = { fib_always(fib_num(4)) };
        fib_value value;

        ck_assert_int_eq(fib_perform(offer_op(&offer), &value), 0);
        ck_assert_int_eq(value.num, 4);
        ck_assert_int_eq(offer.calls, 1);
        ck_assert(!nacked(&offer));
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), offer_op(&offer)), NULL), 1);
        ck_assert(!nacked(&offer));
        forget(&offer);
}

TEST(an_arm_that_was_not_done_is_nacked)
{
        struct offer offer = { fib_never() };

        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), fib_always(fib_num(0))), NULL),
                         1);
        ck_assert(nacked(&offer));
        ck_assert(nacked(&offer)); /* and stays so */
        forget(&offer);
}

static void *lose_after_waiting(void *arg)
{
        struct offer offer = { fib_never() };

        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), fib_sleep_op(FIB_MILLISECOND)),
                                     NULL),
                         1);
        ck_assert(nacked(&offer));
        ck_assert_ptr_eq(offer.caller, fib_self());
        fib_op_unref(offer.inner);
        offer.inner = fib_sleep_op(FIB_MILLISECOND);
        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), fib_never()), NULL), 0);
        ck_assert(!nacked(&offer));
        forget(&offer);
        return NULL;
}

TEST_WORKERS(a_nack_is_as_true_after_waiting)
{
        run_fibers(workers, lose_after_waiting, NULL);
}

static int expect_nacked(fib_value *value, void *arg)
{
        ck_assert(nacked(arg));
        return 0;
}

TEST(the_nack_comes_before_the_wraps_of_the_winner)
{
        struct offer offer = { fib_never() };
        fib_op *winner = fib_wrap(fib_always(fib_num(0)), expect_nacked, &offer);

        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), winner), NULL), 1);
        forget(&offer);
}

TEST(each_perform_has_a_nack_of_its_own)
{
        struct offer offer = { fib_never() };
        fib_op *op = fib_choice(offer_op(&offer), fib_always(fib_num(0)));
        fib_op *first;

        ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 1);
        first = fib_op_ref(offer.nack);
        fib_op_unref(offer.inner);
        offer.inner = fib_always(fib_num(0));
        while (fib_perform(fib_op_ref(op), NULL) != 0)
                ck_assert(nacked(&offer));
        ck_assert(!nacked(&offer));
        ck_assert_int_eq(fib_try(first, NULL), 0);
        fib_op_unref(op);
        forget(&offer);
}

TEST(who_tries_in_vain_gives_up)
{
        struct offer offer = { fib_never() };

        ck_assert_int_eq(fib_try(offer_op(&offer), NULL), -EAGAIN);
        ck_assert(nacked(&offer));
        fib_op_unref(offer.inner);
        offer.inner = fib_always(fib_num(0));
        ck_assert_int_eq(fib_try(offer_op(&offer), NULL), 0);
        ck_assert(!nacked(&offer));
        forget(&offer);
}

static fib_op *give_nothing(void *arg)
{
        return NULL;
}

static fib_op *refuse(fib_op *nack, void *arg)
{
        fib_op **kept = arg;

        *kept = nack;
        return NULL;
}

TEST(a_perform_that_fails_nacks_all)
{
        struct offer offer = { fib_always(fib_num(0)) };
        struct probe probe = { PROBE_FAILS_AT_TRY, .value = -EPROTO };
        fib_op *nack;

        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), fib_guard(give_nothing, NULL)),
                                     NULL),
                         -ENOMEM);
        ck_assert(nacked(&offer));
        fib_op_unref(offer.inner);
        offer.inner = fib_never();
        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), probe_op(&probe)), NULL),
                         -EPROTO);
        ck_assert(nacked(&offer));
        probe.mode = PROBE_FAILS_AT_BLOCK;
        ck_assert_int_eq(fib_perform(fib_choice(offer_op(&offer), probe_op(&probe)), NULL),
                         -EPROTO);
        ck_assert(nacked(&offer));
        ck_assert_int_eq(fib_perform(fib_with_nack(refuse, &nack), NULL), -ENOMEM);
        ck_assert_int_eq(fib_try(nack, NULL), 0);
        forget(&offer);
}

/* outer = with_nack(choice(x, inner = with_nack(y))), beside z: does the which-th. */
static void nest(int which, bool outer_nacked, bool inner_nacked)
{
        struct probe probes[3] = { { PROBE_NEVER }, { PROBE_NEVER }, { PROBE_NEVER } };
        struct offer inner = { probe_op(&probes[1]) };
        struct offer outer = { fib_choice(probe_op(&probes[0]), offer_op(&inner)) };

        for (enum probe_mode mode = PROBE_AT_TRY; mode <= PROBE_AT_BLOCK; mode++) {
                probes[which].mode = mode;
                ck_assert_int_eq(fib_perform(fib_choice(fib_never(), offer_op(&outer),
                                                        probe_op(&probes[2])),
                                             NULL),
                                 which == 2 ? 2 : 1);
                ck_assert_int_eq(nacked(&outer), outer_nacked);
                ck_assert_int_eq(nacked(&inner), inner_nacked);
        }
        ck_assert_int_eq(outer.calls, 2);
        ck_assert_int_eq(inner.calls, 2);
        forget(&outer);
        forget(&inner);
}

TEST(nested_nacks_tell_what_was_done)
{
        nest(0, false, true);
        nest(1, false, false);
        nest(2, true, true);
}

static fib_op *ignore_nack(fib_op *nack, void *arg)
{
        fib_op_unref(nack);
        return fib_op_ref(arg);
}

TEST(a_nack_need_not_be_looked_at)
{
        fib_op *never = fib_never();

        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_perform(fib_choice(fib_with_nack(ignore_nack, never),
                                                        fib_always(fib_num(0))),
                                             NULL),
                                 1);
        fib_op_unref(never);
}

/*
 * The book's reason for nacks: a client asks a server for something, and may turn to another
 * arm before it has got it.  The server serves the next one instead.
 */

struct server {
        fib_channel *requests;
        unsigned served, refused;
};

struct request {
        fib_channel *reply;
        fib_op *nack;
};

static fib_op *ask(fib_op *nack, void *arg)
{
        struct server *server = arg;
        fib_channel *reply = fib_channel_new();
        struct request request = { reply, nack };
        fib_op *get = fib_get_op(reply);

        fib_put(server->requests, fib_ptr(&request));
        fib_get(reply); /* it has been copied */
        fib_channel_unref(reply);
        return get;
}

static void *serve(void *arg)
{
        struct server *server = arg;
        struct request request;
        fib_value message;

        while ((message = fib_get(server->requests)).ptr) {
                request = *(struct request *)message.ptr;
                fib_channel_ref(request.reply);
                fib_put(request.reply, fib_num(0));
                if (fib_perform(fib_choice(fib_put_op(request.reply, fib_num(42)), request.nack),
                                NULL) == 0)
                        server->served++;
                else
                        server->refused++;
                fib_channel_unref(request.reply);
        }
        return NULL;
}

static void *impatient_client(void *arg)
{
        struct server server = { fib_channel_new() };
        struct crew crew = { .count = 0 };
        unsigned served = 0, rounds = (unsigned)scaled(2000);
        fib_value value;

        crew_add_elsewhere(&crew, serve, &server);
        for (unsigned i = 0; i < rounds; i++) {
                fib_op *other = i % 3 == 0   ? fib_always(fib_num(0))
                                : i % 3 == 1 ? fib_sleep_op(FIB_MICROSECOND)
                                             : fib_never();

                if (fib_perform(fib_choice(fib_with_nack(ask, &server), other), &value) == 0) {
                        ck_assert_int_eq(value.num, 42);
                        served++;
                }
        }
        fib_put(server.requests, fib_ptr(NULL));
        crew_join(&crew);
        ck_assert_uint_eq(server.served, served);
        ck_assert_uint_eq(server.refused, rounds - served);
        ck_assert_uint_ge(served, rounds / 3);
        fib_channel_unref(server.requests);
        return NULL;
}

TEST_WORKERS(a_server_sees_that_its_client_has_given_up)
{
        run_fibers(workers, impatient_client, NULL);
}

/* The crew waits for the nack before, while and after it comes. */
struct watched_offer {
        struct crew crew;
        fib_op *nack;
};

static void *wait_for_nack(void *arg)
{
        ck_assert_int_eq(fib_perform(fib_op_ref(arg), NULL), 0);
        return NULL;
}

static fib_op *offer_to_watchers(fib_op *nack, void *arg)
{
        struct watched_offer *offer = arg;

        offer->nack = nack;
        for (int i = 0; i < 16; i++)
                crew_add_parallel(&offer->crew, wait_for_nack, nack);
        return fib_never();
}

static void *many_wait_for_nack(void *arg)
{
        struct watched_offer offer = { .nack = NULL };
        fib_op *op = fib_with_nack(offer_to_watchers, &offer);

        ck_assert_int_eq(fib_perform(fib_choice(op, fib_sleep_op(FIB_MILLISECOND)), NULL), 1);
        for (int i = 0; i < 16; i++)
                crew_add_parallel(&offer.crew, wait_for_nack, offer.nack);
        crew_join(&offer.crew);
        fib_op_unref(offer.nack);
        return NULL;
}

TEST_WORKERS(many_may_wait_for_one_nack)
{
        run_fibers(workers, many_wait_for_nack, NULL);
}

TESTS("nack", an_arm_that_was_done_is_not_nacked, an_arm_that_was_not_done_is_nacked,
      a_nack_is_as_true_after_waiting, the_nack_comes_before_the_wraps_of_the_winner,
      each_perform_has_a_nack_of_its_own, who_tries_in_vain_gives_up,
      a_perform_that_fails_nacks_all, nested_nacks_tell_what_was_done, a_nack_need_not_be_looked_at,
      a_server_sees_that_its_client_has_given_up, many_may_wait_for_one_nack)
