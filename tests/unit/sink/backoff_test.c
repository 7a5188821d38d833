/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a sink waits.
 */
#include "sink/backoff.h"

#include <criterion/criterion.h>

Test(backoff, doubles_up_to_its_ceiling_and_begins_anew)
{
    static const uint32_t ceilings[] = {
            200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
    struct laz_backoff backoff = {.min_ms = 200, .max_ms = 30000};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
            cr_assert_eq(laz_backoff_next_ms(&backoff, UINT32_MAX), ceilings[i], "wait %zu", i);
        }
        laz_backoff_reset(&backoff);
    }
}

Test(backoff, is_any_part_of_the_ceiling)
{
    for (uint32_t part = 0; part < 16; part++) {
        struct laz_backoff backoff = {.min_ms = 1600, .max_ms = 30000};
        uint32_t wait_ms = laz_backoff_next_ms(&backoff, part << 28);
        cr_assert_eq(wait_ms, 1601 * part / 16, "part %u: %u", part, wait_ms);
    }
}

Test(backoff, of_nothing_is_nothing)
{
    struct laz_backoff backoff = {.min_ms = 0, .max_ms = 0};
    cr_assert_eq(laz_backoff_next_ms(&backoff, UINT32_MAX), 0);
    cr_assert_eq(laz_backoff_next_ms(&backoff, UINT32_MAX), 0);
    backoff = (struct laz_backoff){.min_ms = UINT32_MAX, .max_ms = UINT32_MAX};
    cr_assert_eq(laz_backoff_next_ms(&backoff, UINT32_MAX), UINT32_MAX);
    cr_assert_eq(laz_backoff_next_ms(&backoff, UINT32_MAX), UINT32_MAX);
}
