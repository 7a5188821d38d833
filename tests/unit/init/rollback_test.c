/* SPDX-License-Identifier: Apache-2.0
 *
 * When a renewal is taken back, and that it is once; and when its source is asked next.
 */
#include "init/pid1/rollback.h"

#include <criterion/criterion.h>

#include "core/deadline.h"
#include "init/pid1/rotation.h"

#define S     (1000 * LAZ_NS_PER_MS)
#define START (1000 * S)
#define UNTIL (START + 30 * S)
#define BOTH  UINT32_C(3)

static struct laz_rollback rollback;

static void begin(void)
{
    rollback = (struct laz_rollback){0};
}

TestSuite(rollback, .init = begin);

static void expect(enum laz_rollback_phase phase, uint32_t items)
{
    cr_expect_eq(rollback.phase, phase, "%d", (int)rollback.phase);
    cr_expect_eq(rollback.items, items);
}

Test(rollback, is_wanted_when_checks_fail_that_had_passed)
{
    cr_assert(laz_rollback_begin(&rollback, BOTH, LAZ_CHECKS_PASS, UNTIL));
    expect(LAZ_ROLLBACK_WATCHING, BOTH);
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_PASS, START));
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_UNKNOWN, START + S), "health has died");
    expect(LAZ_ROLLBACK_WATCHING, BOTH);
    cr_expect_eq(laz_rollback_due_ns(&rollback), UNTIL);
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, UNTIL - 1));
    expect(LAZ_ROLLBACK_WANTED, BOTH);
    cr_expect_eq(laz_rollback_due_ns(&rollback), 0);
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_PASS, UNTIL + S), "it is decided");
    expect(LAZ_ROLLBACK_WANTED, BOTH);
    laz_rollback_end(&rollback);
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, UNTIL + S), "and never again");
    expect(LAZ_ROLLBACK_IDLE, 0);
}

Test(rollback, is_not_of_what_passes_for_long_enough)
{
    cr_assert(laz_rollback_begin(&rollback, BOTH, LAZ_CHECKS_PASS, UNTIL));
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_PASS, UNTIL - 1));
    cr_expect(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, UNTIL), "once: too late to be of it");
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, UNTIL + 1));
    expect(LAZ_ROLLBACK_IDLE, 0);
}

Test(rollback, is_not_where_all_was_not_well_before)
{
    cr_expect_not(laz_rollback_begin(&rollback, BOTH, LAZ_CHECKS_FAIL, UNTIL));
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, START));
    expect(LAZ_ROLLBACK_IDLE, 0);
    cr_expect_not(laz_rollback_begin(&rollback, BOTH, LAZ_CHECKS_UNKNOWN, UNTIL));
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, START));
    expect(LAZ_ROLLBACK_IDLE, 0);
    cr_expect_not(laz_rollback_begin(&rollback, 0, LAZ_CHECKS_PASS, UNTIL), "of nothing");
    expect(LAZ_ROLLBACK_IDLE, 0);
}

Test(rollback, is_of_the_last_renewal_alone)
{
    cr_assert(laz_rollback_begin(&rollback, 1, LAZ_CHECKS_PASS, UNTIL));
    cr_assert(laz_rollback_begin(&rollback, 2, LAZ_CHECKS_PASS, UNTIL + S));
    expect(LAZ_ROLLBACK_WATCHING, 2);
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, UNTIL));
    expect(LAZ_ROLLBACK_WANTED, 2);
    begin();
    cr_assert(laz_rollback_begin(&rollback, 1, LAZ_CHECKS_PASS, UNTIL));
    cr_expect_not(laz_rollback_begin(&rollback, 2, LAZ_CHECKS_FAIL, UNTIL + S));
    cr_expect_not(laz_rollback_turn(&rollback, LAZ_CHECKS_FAIL, START), "which one, nobody knows");
    expect(LAZ_ROLLBACK_IDLE, 0);
}

/* ---- and then ---- */

static struct laz_image image = {
        .fetched = {.n = 1, .first = "a"},
        .refresh_ms = 100000,
        .refresh_least_ms = 5000,
        .stale_ms = 600000,
        .renewals = (const uint8_t *)"\1\0\1",
};
static struct laz_rotation plan;

static const struct laz_rotation_item *taken_back(uint64_t renew, uint64_t expires)
{
    const struct laz_rotation_said said = {.renew = renew, .expires = expires, .now = 5000};
    plan = (struct laz_rotation){0};
    laz_rotation_begin(&plan, &image, 1, START);
    laz_rotation_back(&plan, 0, &said, START + 200 * S);
    const struct laz_rotation_item *item = laz_rotation_at(&plan, 0);
    cr_expect_eq(item->failures, 1);
    cr_expect_eq(laz_rotation_take(&plan, item->due_ns - 1), 0, "not before that");
    cr_expect_eq(laz_rotation_take(&plan, item->due_ns), 1);
    return item;
}

Test(rollback, has_the_source_asked_again_at_its_interval)
{
    cr_expect_eq(taken_back(0, 0)->due_ns, START + 300 * S);
    cr_expect_eq(taken_back(0, 9000)->due_ns, START + 300 * S);
    cr_expect_eq(laz_rotation_at(&plan, 0)->expires_ns, START + 4200 * S, "its end is as before");
}

Test(rollback, has_a_ca_asked_again_after_half_of_what_is_left)
{
    cr_expect_eq(taken_back(4000, 9000)->due_ns, START + 2200 * S);
    cr_expect_eq(taken_back(4000, 5004)->due_ns, START + 205 * S, "but for the least interval");
}
