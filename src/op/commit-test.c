/* SPDX-License-Identifier: MIT */
/* commit-test.c - exactly one arm of a choice happens, whoever meets whom in which order. */
#include <pthread.h>
#include <sched.h>
#include "base/random.h"
#include "op/commit.h"
#include "tests/harness.h"

TEST(a_commit_is_synched_once)
{
        struct commit commit;

        commit_init(&commit, COMMIT_WAITING);
        ck_assert_uint_eq(commit_state(&commit), COMMIT_WAITING);
        ck_assert(commit_sync(&commit));
        ck_assert_uint_eq(commit_state(&commit), COMMIT_SYNCHED);
        ck_assert(!commit_sync(&commit));
        ck_assert(!commit_claim(&commit));
        ck_assert_uint_eq(commit_try(&commit), COMMIT_SYNCHED);
}

TEST(a_claim_may_be_released_or_finished)
{
        struct commit commit;

        commit_init(&commit, COMMIT_WAITING);
        ck_assert(commit_claim(&commit));
        ck_assert(!commit_claim(&commit));
        ck_assert_uint_eq(commit_try(&commit), COMMIT_CLAIMED);
        ck_assert_uint_eq(commit_state(&commit), COMMIT_CLAIMED);
        commit_release(&commit);
        ck_assert_uint_eq(commit_state(&commit), COMMIT_WAITING);
        ck_assert(commit_claim(&commit));
        commit_finish(&commit);
        ck_assert(!commit_sync(&commit));
}

TEST(a_solo_commit_goes_to_whoever_takes_it)
{
        struct commit commit;

        commit_init(&commit, COMMIT_SOLO);
        ck_assert_uint_eq(commit_try(&commit), COMMIT_WAITING);
        ck_assert_uint_eq(commit_state(&commit), COMMIT_SYNCHED);
}

TEST(a_pair_is_synched_together_or_not_at_all)
{
        struct commit commits[2];

        for (int i = 0; i < 2; i++) { /* by the lower address, and by the higher */
                struct commit *mine = &commits[i], *theirs = &commits[1 - i];

                commit_init(mine, COMMIT_WAITING);
                commit_init(theirs, COMMIT_WAITING);
                ck_assert_int_eq(commit_pair(mine, theirs), 0);
                ck_assert_uint_eq(commit_state(mine), COMMIT_SYNCHED);
                ck_assert_uint_eq(commit_state(theirs), COMMIT_SYNCHED);

                commit_init(mine, COMMIT_WAITING);
                ck_assert_int_eq(commit_pair(mine, theirs), -EAGAIN);
                ck_assert_uint_eq(commit_state(mine), COMMIT_WAITING);

                commit_init(theirs, COMMIT_WAITING);
                ck_assert(commit_sync(mine));
                ck_assert_int_eq(commit_pair(mine, theirs), -ECANCELED);
                ck_assert_uint_eq(commit_state(theirs), COMMIT_WAITING);

                commit_init(mine, COMMIT_WAITING);
                commit_init(theirs, COMMIT_SOLO);
                ck_assert_int_eq(commit_pair(mine, theirs), 0);
                ck_assert_uint_eq(commit_state(mine), COMMIT_SYNCHED);
                ck_assert_uint_eq(commit_state(theirs), COMMIT_SYNCHED);
        }
}

/*
 * Rounds: as many threads as there are commits, each with one of its own, try at once to pair it
 * with the others'.  Symmetric attempts are the hard case: who gives way?  A round ends when
 * each thread's commit is synched or nobody is left to pair with, and then, of an even number,
 * none is left over.
 */

#define MOST 4

static struct commit commits[MOST];
static atomic_int partner[MOST]; /* with whom it was paired, by whoever did it */
static pthread_barrier_t barrier;
static unsigned members;
static bool solo_syncs; /* each member may be synched alone as well, as by a timer */
static atomic_uint alone;

static void noted(unsigned mine, int with)
{
        ck_assert_int_eq(atomic_exchange(&partner[mine], with), -1);
}

static void meet(unsigned self, struct random *random)
{
        unsigned start = random_below(random, members);

        for (unsigned rounds = 0; commit_state(&commits[self]) != COMMIT_SYNCHED; rounds++) {
                unsigned left = 0;

                for (unsigned i = 0; i < members; i++) {
                        unsigned other = (start + i) % members;
                        int r;

                        if (other == self)
                                continue;
                        for (volatile unsigned spins = random_below(random, 30); spins > 0;)
                                spins = spins - 1;
                        r = commit_pair(&commits[self], &commits[other]);
                        if (r == 0) {
                                noted(self, (int)other);
                                noted(other, (int)self);
                        }
                        if (r != -EAGAIN)
                                return;
                }
                for (unsigned i = 0; i < members; i++)
                        left += i != self && commit_state(&commits[i]) != COMMIT_SYNCHED;
                if (left == 0 && !solo_syncs)
                        ck_assert_msg(members % 2, "one of an even number is left over");
                if (left == 0 || (solo_syncs && random_below(random, 2))) {
                        if (commit_sync(&commits[self])) {
                                noted(self, (int)self);
                                atomic_fetch_add(&alone, 1);
                        }
                        return;
                }
        }
}

static unsigned long round_count;

static void *take_part(void *arg)
{
        unsigned self = (unsigned)(uintptr_t)arg;
        struct random random;

        random_init(&random, self);
        for (unsigned long round = 0; round < round_count; round++) {
                pthread_barrier_wait(&barrier);
                meet(self, &random);
                pthread_barrier_wait(&barrier);
                if (self > 0)
                        continue;
                for (unsigned i = 0; i < members; i++) {
                        int with = atomic_load(&partner[i]);

                        ck_assert_uint_eq(commit_state(&commits[i]), COMMIT_SYNCHED);
                        ck_assert_int_ge(with, 0);
                        ck_assert_int_eq(atomic_load(&partner[with]), i);
                }
                for (unsigned i = 0; i < members; i++) {
                        commit_init(&commits[i], COMMIT_WAITING);
                        atomic_store(&partner[i], -1);
                }
        }
        return NULL;
}

static void rounds(unsigned number, unsigned long count, bool solos)
{
        pthread_t threads[MOST];

        members = number;
        round_count = count;
        solo_syncs = solos;
        pthread_barrier_init(&barrier, NULL, number);
        for (unsigned i = 0; i < number; i++) {
                commit_init(&commits[i], COMMIT_WAITING);
                atomic_store(&partner[i], -1);
        }
        for (uintptr_t i = 0; i < number; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, take_part, (void *)i), 0);
        for (unsigned i = 0; i < number; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&barrier);
}

TEST(two_that_reach_for_each_other_meet)
{
        rounds(2, scaled(30000), false);
        ck_assert_uint_eq(atomic_load(&alone), 0);
}

TEST(of_three_in_a_ring_exactly_two_meet)
{
        rounds(3, scaled(10000), false);
        ck_assert_uint_eq(atomic_load(&alone), scaled(10000));
}

TEST(four_meet_in_pairs_and_nobody_is_left_over)
{
        rounds(4, scaled(10000), false);
        ck_assert_uint_eq(atomic_load(&alone), 0);
}

TEST(who_is_synched_alone_meets_nobody)
{
        rounds(2, scaled(20000), true);
        rounds(4, scaled(10000), true);
}

TESTS("commit", a_commit_is_synched_once, a_claim_may_be_released_or_finished,
      a_solo_commit_goes_to_whoever_takes_it, a_pair_is_synched_together_or_not_at_all,
      two_that_reach_for_each_other_meet, of_three_in_a_ring_exactly_two_meet,
      four_meet_in_pairs_and_nobody_is_left_over, who_is_synched_alone_meets_nobody)
