/* SPDX-License-Identifier: Apache-2.0
 *
 * How many containers ask one service: a hundred plans beside each other, under a clock that a test
 * moves. What one item does changes nothing for another, in one plan or in two.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "init/pid1/rotation.h"

#define S          UINT64_C(1000000000) /* in ns */
#define INSTANCES  100
#define INTERVAL_S 300
#define HOURS      24
#define ASKED_MAX  (HOURS * 3600 / 200) /* of one item */
#define ANSWER_NS  (S / 20)

/* What one plan asks for, with answers that come after 50 ms. */
struct instance {
    struct laz_rotation rotation;
    uint32_t failing;
    uint64_t at[LAZ_IMAGE_FETCHED_MAX][ASKED_MAX]; /* ns since its start */
    size_t n[LAZ_IMAGE_FETCHED_MAX];
    size_t n_fetches;
};

static const uint8_t renewals[3 * LAZ_IMAGE_FETCHED_MAX] = {1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0};

static struct laz_image image_of(uint32_t n_items, uint32_t jitter)
{
    return (struct laz_image){.fetches = true,
            .fetched = {.n = n_items},
            .fetch_wait_ms = 30000,
            .refresh_ms = INTERVAL_S * 1000,
            .refresh_jitter = jitter,
            .refresh_least_ms = 5000,
            .stale_ms = 86400000,
            .renewals = renewals};
}

static void note(struct instance *instance, uint32_t items, uint64_t now_ns, uint32_t n_items)
{
    instance->n_fetches++;
    for (uint32_t i = 0; i < n_items; i++) {
        if ((items >> i & 1U) != 0) {
            cr_assert_lt(instance->n[i], ASKED_MAX, "item %u is asked without end", i);
            instance->at[i][instance->n[i]++] = now_ns;
        }
    }
}

static void answer(struct instance *instance, uint32_t items, uint64_t now_ns, uint32_t n_items)
{
    const struct laz_rotation_said nothing = {.now = 1};
    for (uint32_t i = 0; i < n_items; i++) {
        if ((items >> i & 1U) == 0) {
            continue;
        }
        if ((instance->failing >> i & 1U) != 0) {
            laz_rotation_failed(&instance->rotation, i, now_ns);
        } else {
            laz_rotation_good(&instance->rotation, i, &nothing, now_ns);
        }
    }
    laz_rotation_settled(&instance->rotation);
}

/* A day of it, from one due time to the next. */
static void live(struct instance *instance, const struct laz_image *image, uint64_t seed)
{
    uint64_t now_ns = S;
    laz_rotation_begin(&instance->rotation, image, seed, now_ns);
    while (now_ns < HOURS * 3600 * S) {
        uint64_t due_ns = laz_rotation_due_ns(&instance->rotation);
        cr_assert_gt(due_ns, 0, "nothing is ever due again");
        now_ns = due_ns > now_ns ? due_ns : now_ns;
        (void)laz_rotation_stale(&instance->rotation, now_ns);
        uint32_t items = laz_rotation_take(&instance->rotation, now_ns);
        if (items != 0) {
            note(instance, items, now_ns, image->fetched.n);
            now_ns += ANSWER_NS;
            answer(instance, items, now_ns, image->fetched.n);
        }
    }
}

static struct instance *hundred(const struct laz_image *image)
{
    struct instance *all = calloc(INSTANCES, sizeof(*all));
    cr_assert_not_null(all);
    for (uint64_t i = 0; i < INSTANCES; i++) {
        live(&all[i], image, (i + 1) * UINT64_C(0x9E3779B97F4A7C15));
    }
    return all;
}

/* The most requests for an item of all instances in a second, among their requests number `from` to
 * `until`. */
static unsigned busiest(const struct instance *all, size_t from, size_t until)
{
    static unsigned seconds[HOURS * 3600 + 2 * INTERVAL_S];
    unsigned most = 0;
    (void)memset(seconds, 0, sizeof(seconds));
    for (size_t i = 0; i < INSTANCES; i++) {
        for (size_t k = from; k < until && k < all[i].n[0]; k++) {
            unsigned *second = &seconds[all[i].at[0][k] / S];
            (*second)++;
            most = *second > most ? *second : most;
        }
    }
    return most;
}

Test(rotation_spread, a_hundred_that_start_together_do_not_ask_together)
{
    const struct laz_image image = image_of(1, 20);
    const struct laz_image rigid = image_of(1, 0);
    struct instance *all = hundred(&image);
    struct instance *control = hundred(&rigid);
    cr_expect_eq(busiest(control, 0, 1), INSTANCES, "the control: without jitter all at once");
    cr_expect_eq(busiest(control, 9, 10), INSTANCES);
    /* 100 over 120 s, at 40 % of the interval: a second has 0.83 of them on average */
    cr_expect_leq(busiest(all, 0, 1), 6, "%u in one second of the first round", busiest(all, 0, 1));
    cr_expect_leq(
            busiest(all, 0, SIZE_MAX), 7, "%u in one second of a day", busiest(all, 0, SIZE_MAX));
    free(all);
    free(control);
}

Test(rotation_spread, no_wait_is_outside_the_jitter_and_the_mean_is_the_interval)
{
    const struct laz_image image = image_of(1, 20);
    struct instance *all = hundred(&image);
    uint64_t sum_ns = 0;
    size_t n = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        uint64_t before_ns = S; /* its start */
        for (size_t k = 0; k < all[i].n[0]; k++) {
            uint64_t wait_ns = all[i].at[0][k] - before_ns;
            cr_assert_geq(wait_ns, 240 * S);
            cr_assert_leq(wait_ns, 360 * S);
            before_ns = all[i].at[0][k];
            sum_ns += wait_ns;
            n++;
        }
    }
    cr_expect_geq(sum_ns / n, 298 * S, "the mean is %llu ns", (unsigned long long)(sum_ns / n));
    cr_expect_leq(sum_ns / n, 302 * S, "the mean is %llu ns", (unsigned long long)(sum_ns / n));
    free(all);
}

Test(rotation_spread, items_of_one_container_part_too)
{
    const struct laz_image image = image_of(4, 20);
    struct instance *all = hundred(&image);
    size_t fetches = 0;
    size_t asked = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        fetches += all[i].n_fetches;
        asked += all[i].n[0] + all[i].n[1] + all[i].n[2] + all[i].n[3];
    }
    /* Of four that are due within 120 s of each other few are so within a second. */
    cr_expect_gt(fetches, asked * 9 / 10, "%zu fetches for %zu items", fetches, asked);
    cr_expect_lt(fetches, asked, "nobody is ever fetched with another");
    free(all);
}

Test(rotation_spread, one_that_fails_moves_no_other_by_a_second)
{
    static struct instance good;
    static struct instance bad;
    const struct laz_image image = image_of(3, 0); /* so that both plans draw the same */
    bad.failing = 2;
    live(&good, &image, 7);
    live(&bad, &image, 7);
    for (uint32_t item = 0; item < 3; item += 2) {
        cr_assert_eq(good.n[item], bad.n[item], "item %u is asked %zu times, and %zu", item,
                good.n[item], bad.n[item]);
        for (size_t k = 0; k < good.n[item]; k++) {
            uint64_t one = good.at[item][k];
            uint64_t other = bad.at[item][k];
            cr_assert_leq(
                    one > other ? one - other : other - one, S, "item %u, request %zu", item, k);
        }
    }
    cr_expect_gt(bad.n[1], good.n[1], "the failing one is asked again sooner");
    cr_expect_leq(bad.n[1], good.n[1] + 12, "and then as often as the others: %zu", bad.n[1]);
}
