/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of renewal, with a clock of the test's own: days pass in no time.
 */
#include "init/pid1/rotation.h"

#include <criterion/criterion.h>

#include "core/deadline.h"
#include "init/pid1/readiness.h"

#define S     (1000 * LAZ_NS_PER_MS)
#define START (1000 * S) /* of the clock */
#define ITEMS 4

static struct laz_image image = {
        .fetches = true,
        .fetch_wait_ms = 60000,
        .fetched = {.n = ITEMS, .first = "a\0b\0c\0d"},
        .refresh_ms = 100000,
        .refresh_jitter = 0,
        .refresh_least_ms = 5000,
        .stale_ms = 600000,
        .stale_then = LAZ_STALE_NOT_READY,
        .retire_ms = 30000,
        .renewals = (const uint8_t *)"\1\0\0\1\0\0\1\0\0\0\0", /* the last one is not renewed */
};
static struct laz_rotation plan;
static uint64_t now;
static const struct laz_rotation_said nothing = {.now = 1};

static void begin_with(uint32_t jitter, uint64_t seed)
{
    plan = (struct laz_rotation){0};
    image.refresh_jitter = jitter;
    now = START;
    laz_rotation_begin(&plan, &image, seed, now);
}

static void begin(void)
{
    begin_with(0, 1);
}

TestSuite(rotation, .init = begin);

/* What is taken at the next time that something is due. */
static uint32_t next_taken(void)
{
    for (unsigned i = 0; i < 100; i++) {
        uint64_t due_ns = laz_rotation_due_ns(&plan);
        cr_assert_gt(due_ns, 0);
        now = due_ns > now ? due_ns : now;
        uint32_t items = laz_rotation_take(&plan, now);
        if (items != 0) {
            return items;
        }
        (void)laz_rotation_stale(&plan, now);
        (void)laz_rotation_expired(&plan, now);
    }
    cr_assert_fail("nothing is ever due");
    return 0;
}

/* When it is asked for then, or now where it is already. */
static uint64_t want(uint32_t item, uint64_t at)
{
    const struct laz_rotation_item *of = laz_rotation_at(&plan, item);
    laz_rotation_want(&plan, item, at);
    return of->is_asked ? at : of->due_ns;
}

static void all_good(uint32_t items)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        if ((items >> i & 1) != 0) {
            laz_rotation_good(&plan, i, &nothing, now);
        }
    }
    laz_rotation_settled(&plan);
}

Test(rotation, asks_for_what_is_renewed_at_its_interval)
{
    for (unsigned round = 1; round <= 10; round++) {
        cr_expect_eq(next_taken(), 7, "together, and not the last one");
        cr_expect_eq(now, START + round * 100 * S);
        now += 7 * S; /* the answer takes its time, and moves nothing */
        all_good(7);
    }
}

Test(rotation, asks_nobody_where_nothing_is_renewed)
{
    static const struct laz_rotation none = {0};
    cr_expect_eq(laz_rotation_due_ns(&none), 0);
    image.renewals = (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0";
    begin();
    cr_expect_eq(laz_rotation_due_ns(&plan), 0);
    cr_expect_eq(laz_rotation_take(&plan, now + 1000000 * S), 0);
}

Test(rotation, has_one_question_under_way_at_a_time)
{
    cr_assert_eq(next_taken(), 7);
    cr_expect_eq(laz_rotation_take(&plan, now + 1000 * S), 0);
    cr_expect_eq(laz_rotation_patience_ms(&plan), 50000, "half of the interval");
    cr_expect_eq(plan.until_ns, now + 52 * S);
    image.fetch_wait_ms = 20000;
    cr_expect_eq(laz_rotation_patience_ms(&plan), 20000, "or what a start has");
    image.fetch_wait_ms = 60000;
}

/* 100 containers that start together: how many of them ask within the same second? */
Test(rotation, spreads_those_that_start_together)
{
    unsigned in_second[41] = {0};
    unsigned most = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        begin_with(20, seed * UINT64_C(0x9E3779B97F4A7C15));
        uint64_t wait_ns = plan.items[0].due_ns - START;
        cr_assert(wait_ns >= 80 * S && wait_ns <= 120 * S, "%lu", (unsigned long)wait_ns);
        unsigned *count = &in_second[(wait_ns - 80 * S) / S];
        (*count)++;
        most = *count > most ? *count : most;
    }
    cr_expect_leq(most, 12, "%u in one second", most);
    begin_with(0, 7);
    cr_expect_eq(plan.items[0].due_ns - START, 100 * S, "without jitter, all of them");
}

Test(rotation, of_each_item_the_waits_are_its_own)
{
    unsigned n = 0;
    begin_with(50, 3);
    uint64_t last[ITEMS] = {START, START, START, START};
    for (unsigned round = 0; round < 300; round++) {
        uint32_t items = next_taken();
        for (uint32_t i = 0; i < ITEMS; i++) {
            if ((items >> i & 1) == 0) {
                continue;
            }
            uint64_t wait_ns = now - last[i];
            cr_expect(
                    wait_ns >= 49 * S && wait_ns <= 151 * S, "%u: %lu", i, (unsigned long)wait_ns);
            last[i] = now;
            n++;
        }
        all_good(items);
    }
    uint64_t mean_ns = (now - START) * 3 / n;
    cr_expect(mean_ns > 95 * S && mean_ns < 105 * S, "%lu", (unsigned long)mean_ns);
}

Test(rotation, who_is_due_within_a_second_is_asked_with_the_others)
{
    plan.items[0].due_ns = now + 10 * S;
    plan.items[1].due_ns = now + 11 * S;
    plan.items[2].due_ns = now + 11 * S + 1;
    cr_expect_eq(next_taken(), 3);
    cr_expect_eq(now, START + 10 * S);
    all_good(3);
    cr_expect_eq(plan.items[1].due_ns, START + 111 * S, "from its own time, not the other's");
}

Test(rotation, one_that_fails_waits_longer_each_time_and_by_itself)
{
    static const uint64_t waits[] = {5, 10, 20, 40, 80, 100, 100};
    cr_assert_eq(next_taken(), 7);
    laz_rotation_good(&plan, 0, &nothing, now);
    laz_rotation_failed(&plan, 1, now);
    laz_rotation_good(&plan, 2, &nothing, now);
    laz_rotation_settled(&plan);
    unsigned n_failed = 1;
    unsigned n_sound = 1;
    uint64_t failed_ns = now;
    while (n_failed < 7) {
        uint32_t items = next_taken();
        if (items == 2) {
            cr_expect_eq(now - failed_ns, waits[n_failed - 1] * S, "%u", n_failed);
            failed_ns = now;
            laz_rotation_failed(&plan, 1, now);
            laz_rotation_settled(&plan);
            n_failed++;
            continue;
        }
        cr_expect_eq(items, 5, "the others, without it");
        n_sound++;
        cr_expect_eq(now, START + n_sound * 100 * S, "at their own times");
        all_good(5);
    }
    while (next_taken() != 2) {
        all_good(5);
    }
    laz_rotation_good(&plan, 1, &nothing, now);
    laz_rotation_settled(&plan);
    cr_expect_eq(plan.items[1].due_ns, now + 100 * S, "as any other from now on");
    cr_expect_eq(plan.items[1].failures, 0);
}

Test(rotation, one_that_fails_makes_room_for_others)
{
    plan.items[1].failures = 3;
    plan.items[1].due_ns = START + 90 * S;
    cr_assert_eq(next_taken(), 2);
    cr_expect_not(laz_rotation_yields(&plan, now));
    cr_expect_eq(laz_rotation_due_ns(&plan), START + 100 * S, "when the others are due");
    now = START + 100 * S;
    cr_expect(laz_rotation_yields(&plan, now));
    laz_rotation_put_off(&plan, 1, now);
    laz_rotation_settled(&plan);
    cr_expect_eq(plan.items[1].failures, 3, "it has not failed once more");
    cr_expect_eq(laz_rotation_take(&plan, now), 5);
    cr_expect_not(laz_rotation_yields(&plan, now + 1000 * S), "those make room for nobody");
}

Test(rotation, says_what_is_stale_at_the_second_and_once)
{
    laz_rotation_good(&plan, 0, &nothing, START + 30 * S);
    cr_expect_eq(laz_rotation_stale(&plan, START + 600 * S - 1), 0);
    cr_expect_eq(laz_rotation_stale(&plan, START + 600 * S), 6);
    cr_expect_eq(laz_rotation_stale(&plan, START + 600 * S), 0, "it is said already");
    cr_expect_eq(laz_rotation_stale(&plan, START + 630 * S), 1);
    plan.is_over = true;
    laz_rotation_good(&plan, 1, &nothing, START + 640 * S);
    cr_expect_not(plan.items[1].is_stale);
    cr_expect_eq(laz_rotation_due_ns(&plan), START + 1240 * S, "then it is stale again");
}

Test(rotation, asks_when_its_source_says_and_knows_when_it_expires)
{
    const struct laz_rotation_said said = {.renew = 5000040, .expires = 5000060, .now = 5000000};
    const struct laz_rotation_said past = {.renew = 4999999, .expires = 4999999, .now = 5000000};
    laz_rotation_told(&plan, 0, &said, now);
    cr_expect_eq(plan.items[0].due_ns, START + 40 * S);
    cr_expect_eq(laz_rotation_expired(&plan, START + 60 * S - 1), 0);
    cr_expect_eq(laz_rotation_expired(&plan, START + 60 * S), 1);
    cr_expect_eq(laz_rotation_expired(&plan, START + 61 * S), 0, "it is said already");
    laz_rotation_told(&plan, 1, &past, now);
    cr_expect_eq(plan.items[1].due_ns, START + 5 * S, "not more often than min-interval");
    cr_expect_eq(laz_rotation_expired(&plan, now), 2);
    laz_rotation_told(&plan, 3, &said, now);
    cr_expect_eq(plan.items[3].due_ns, 0, "it is not renewed,");
    cr_expect_eq(laz_rotation_expired(&plan, START + 60 * S), 8, "and expires all the same");
    laz_rotation_good(&plan, 0, &nothing, START + 70 * S);
    cr_expect(!plan.items[0].is_expired && plan.items[0].expires_ns == 0);
    const struct laz_rotation_said never = {.renew = UINT64_MAX, .expires = UINT64_MAX, .now = 1};
    laz_rotation_told(&plan, 0, &never, now);
    cr_expect_gt(plan.items[0].due_ns, now);
    cr_expect_eq(laz_rotation_expired(&plan, now + 1000000 * S), 0);
}

Test(rotation, does_at_once_what_is_wanted_but_no_more_often_than_it_may)
{
    cr_expect_eq(want(0, now + 2 * S), START + 5 * S);
    cr_expect_eq(want(1, now + 60 * S), START + 60 * S);
    cr_expect_eq(laz_rotation_take(&plan, START + 60 * S), 3);
    now = START + 60 * S;
    cr_expect_eq(want(1, now), now, "it is under way");
    all_good(3);
    cr_expect_eq(plan.items[2].due_ns, START + 100 * S, "nobody wanted that");
    cr_expect_eq(want(1, now), START + 65 * S);
    plan.items[2].due_ns = START + 61 * S;
    cr_expect_eq(want(2, now), now);
}

Test(rotation, asks_nobody_when_it_is_over)
{
    plan.is_over = true;
    cr_expect_eq(laz_rotation_take(&plan, START + 500 * S), 0);
    cr_expect_eq(laz_rotation_due_ns(&plan), START + 600 * S, "but it grows old");
}

/* The second and the last are one. */
static void begin_group(void)
{
    image.renewals = (const uint8_t *)"\1\0\0\1\0\3\1\0\0\1\0\3";
    begin_with(20, 5);
}

Test(rotation, a_group_has_one_time_and_is_asked_for_whole)
{
    begin_group();
    for (unsigned round = 0; round < 200; round++) {
        uint32_t items = next_taken();
        bool is_whole = (items & 10) == 10 || (items & 10) == 0;
        cr_assert(is_whole, "round %u: %#x", round, items);
        cr_expect_eq(laz_rotation_at(&plan, 1), laz_rotation_at(&plan, 3));
        cr_expect((items & 8) == 0 || laz_rotation_at(&plan, 3)->is_asked);
        for (uint32_t i = 0; i < 3; i++) {
            if ((items >> i & 1) != 0) {
                laz_rotation_good(&plan, i, &nothing, now);
            }
        }
        laz_rotation_settled(&plan);
        cr_expect_not(laz_rotation_at(&plan, 3)->is_asked);
    }
    cr_expect_eq(want(3, now + 10 * S), now + 10 * S);
    cr_expect_eq(laz_rotation_take(&plan, now + 10 * S) & 10, 10, "who wants one wants all");
}

Test(rotation, a_group_fails_once)
{
    static const uint64_t waits[] = {5, 10, 20, 40, 80, 100, 100};
    begin_group();
    image.refresh_jitter = 0;
    laz_rotation_failed(&plan, 3, now);
    cr_expect_eq(laz_rotation_at(&plan, 1)->failures, 1);
    for (unsigned i = 0; i < 7; i++) {
        cr_expect_eq(laz_rotation_at(&plan, 1)->due_ns, now + waits[i] * S, "%u", i);
        now += waits[i] * S;
        plan.items[0].due_ns = plan.items[2].due_ns = now + 1000 * S;
        cr_assert_eq(laz_rotation_take(&plan, now), 10, "%u", i);
        cr_expect_not(laz_rotation_yields(&plan, now));
        cr_expect(laz_rotation_yields(&plan, now + 1000 * S), "it makes room as one");
        laz_rotation_failed(&plan, 1, now);
        laz_rotation_settled(&plan);
    }
    laz_rotation_good(&plan, 3, &nothing, now);
    cr_expect_eq(laz_rotation_at(&plan, 1)->failures, 0);
}

Test(rotation, a_group_expires_once_and_is_not_stale_where_its_source_says_when)
{
    const struct laz_rotation_said said = {.renew = 5000640, .expires = 5000900, .now = 5000000};
    begin_group();
    laz_rotation_told(&plan, 1, &said, now);
    cr_expect_eq(laz_rotation_at(&plan, 3)->due_ns, START + 640 * S, "longer than any interval");
    cr_expect_eq(laz_rotation_stale(&plan, START + 800 * S), 5, "the others");
    cr_expect_eq(laz_rotation_expired(&plan, START + 900 * S - 1), 0);
    cr_expect_eq(laz_rotation_expired(&plan, START + 900 * S), 2, "said of the first");
    laz_rotation_good(&plan, 1, &nothing, START + 901 * S);
    cr_expect_not(laz_rotation_at(&plan, 3)->is_expired);
    cr_expect_eq(laz_rotation_stale(&plan, START + 1501 * S), 2, "its source says no more when");
}

Test(rotation, what_is_not_renewed_expires_at_its_time)
{
    const struct laz_rotation_said said = {.expires = 5000060, .now = 5000000};
    image.renewals = (const uint8_t *)"\0\0\1\0\0\1\0\0\0\0\0";
    begin();
    laz_rotation_told(&plan, 0, &said, now);
    cr_expect_eq(laz_rotation_due_ns(&plan), START + 60 * S);
    cr_expect_eq(laz_rotation_expired(&plan, START + 60 * S), 1);
    cr_expect_eq(laz_rotation_due_ns(&plan), 0);
}

Test(rotation, wakes_for_the_end_of_what_is_not_renewed_beside_others)
{
    const struct laz_rotation_said said = {.expires = 5000060, .now = 5000000};
    begin();
    laz_rotation_told(&plan, 3, &said, now);
    cr_expect_eq(laz_rotation_due_ns(&plan), START + 60 * S, "before the others are due");
}

/* One with an end, and what its source says of it, where the wall clock is at 5000000. */
static void with_times(uint64_t renew, uint64_t expires)
{
    const struct laz_rotation_said said = {.renew = renew, .expires = expires, .now = 5000000};
    laz_rotation_told(&plan, 0, &said, now);
}

Test(rotation, a_clock_that_goes_on_changes_nothing)
{
    with_times(5000300, 5000600);
    cr_assert(plan.has_times);
    cr_expect_eq(laz_rotation_look(&plan, 5000060, START + 60 * S), 0);
    cr_expect_eq(plan.items[0].due_ns, START + 300 * S);
    cr_expect_eq(plan.items[0].expires_ns, START + 600 * S);
    cr_expect_eq(plan.items[1].due_ns, START + 100 * S, "its source says nothing");
    cr_expect_eq(plan.items[1].expires_ns, 0);
}

Test(rotation, a_clock_that_was_behind_is_not_what_ends_are_by)
{
    with_times(5000300, 5000600);
    cr_expect_eq(laz_rotation_look(&plan, 5000360, START + 60 * S), 0);
    cr_expect_eq(plan.items[0].due_ns, START + 60 * S, "it is renewed now");
    cr_expect_eq(plan.items[0].expires_ns, START + 300 * S);
    cr_expect_eq(laz_rotation_expired(&plan, START + 300 * S - 1), 0);
    cr_expect_eq(laz_rotation_expired(&plan, START + 300 * S), 1);
    cr_expect_eq(laz_rotation_look(&plan, 5000660, START + 360 * S), 0, "it has");
}

Test(rotation, what_had_expired_by_a_clock_that_was_ahead_has_not)
{
    with_times(4999000, 4999100);
    cr_assert_eq(laz_rotation_expired(&plan, START), 1);
    cr_expect_eq(laz_rotation_look(&plan, 4998060, START + 60 * S), 1);
    cr_expect_not(plan.items[0].is_expired);
    cr_expect_eq(plan.items[0].due_ns, START + 1000 * S);
    cr_expect_eq(laz_rotation_look(&plan, 4998061, START + 61 * S), 0, "it is said once");
    cr_expect_eq(laz_rotation_expired(&plan, START + 1100 * S - 1), 0);
    cr_expect_eq(laz_rotation_expired(&plan, START + 1100 * S), 1);
}

Test(rotation, no_clock_asks_for_what_has_failed_or_is_wanted_at_another_time)
{
    with_times(5000300, 5000600);
    laz_rotation_failed(&plan, 0, START + 300 * S);
    (void)laz_rotation_look(&plan, 5000301, START + 301 * S);
    cr_expect_eq(plan.items[0].due_ns, START + 305 * S);
    with_times(5000300, 5000600);
    laz_rotation_want(&plan, 0, START + 10 * S);
    (void)laz_rotation_look(&plan, 5000011, START + 11 * S);
    cr_expect_eq(plan.items[0].due_ns, START + 10 * S);
    laz_rotation_back(&plan, 0,
            &(struct laz_rotation_said){.renew = 5000300, .expires = 5000600, .now = 5000000}, now);
    (void)laz_rotation_look(&plan, 5000011, START + 11 * S);
    cr_expect_eq(plan.items[0].due_ns, START + 300 * S, "half of what is left");
}

Test(rotation, what_has_expired_is_said_once_until_there_is_another_end)
{
    struct laz_rotation_said said = {.expires = 5000060, .now = 5000000};
    begin();
    laz_rotation_told(&plan, 0, &said, now);
    cr_assert_eq(laz_rotation_expired(&plan, START + 60 * S), 1);
    for (unsigned i = 1; i < 5; i++) {
        said.now += 100;
        cr_assert_eq(next_taken(), 7);
        laz_rotation_good(&plan, 0, &said, now);
        all_good(6);
        cr_expect(plan.items[0].is_expired, "%u", i);
        cr_expect_eq(laz_rotation_expired(&plan, now), 0, "%u", i);
    }
    said.expires = said.now + 1;
    laz_rotation_good(&plan, 0, &said, now);
    cr_expect_not(plan.items[0].is_expired);
    cr_expect_eq(laz_rotation_expired(&plan, now), 0);
    cr_expect_eq(laz_rotation_expired(&plan, now + S), 1);
}

Test(readiness, is_given_while_there_is_no_reason_against_it)
{
    struct laz_readiness readiness = {0};
    cr_expect(laz_readiness_is_ready(&readiness));
    cr_expect(laz_readiness_set(&readiness, LAZ_UNREADY_STALE, 3, true), "the first reason");
    cr_expect_not(laz_readiness_set(&readiness, LAZ_UNREADY_STALE, 3, true));
    cr_expect_not(laz_readiness_set(&readiness, LAZ_UNREADY_EXPIRED, 31, true), "one more");
    cr_expect_not(laz_readiness_set(&readiness, LAZ_UNREADY_STALE, 3, false), "one less");
    cr_expect_not(laz_readiness_is_ready(&readiness));
    cr_expect(laz_readiness_set(&readiness, LAZ_UNREADY_EXPIRED, 31, false), "the last");
    cr_expect(laz_readiness_is_ready(&readiness));
    cr_expect_not(laz_readiness_set(&readiness, LAZ_UNREADY_EXPIRED, 31, false));
    cr_expect_str_eq(laz_unready_name(LAZ_UNREADY_STALE), "stale");
    cr_expect_str_eq(laz_unready_name(LAZ_UNREADY_EXPIRED), "expired");
}
