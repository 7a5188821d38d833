/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's patience with a helper, without one: what is due when, and when it is over.
 */
#include "init/shipping.h"

#include <criterion/criterion.h>

#define NOW    UINT64_C(5000000000)
#define MINUTE (LAZ_SHIP_ABSENT_MAX_MS * UINT64_C(1000000))

static struct laz_shipping with_image(const struct laz_image *image)
{
    struct laz_shipping shipping;
    laz_shipping_init(&shipping);
    shipping.image = image;
    shipping.was_ever_ready = true;
    return shipping;
}

Test(shipping, waits_for_nothing_while_a_helper_is_ready)
{
    struct laz_image image = {0};
    struct laz_shipping shipping = with_image(&image);
    cr_assert_eq(laz_shipping_due_ns(&shipping), 0);
    laz_shipping_turn(&shipping, NOW + 10 * MINUTE);
    cr_assert_not(shipping.is_lost);
}

Test(shipping, gives_a_helper_up_that_is_not_ready_for_a_minute)
{
    struct laz_image image = {0};
    struct laz_shipping shipping = with_image(&image);
    shipping.pid = 77; /* lives, and says nothing */
    shipping.absent_ns = NOW;
    cr_assert_eq(laz_shipping_due_ns(&shipping), NOW + MINUTE);
    laz_shipping_turn(&shipping, NOW + MINUTE - 1);
    cr_assert_not(shipping.is_lost);
    laz_shipping_turn(&shipping, NOW + MINUTE);
    cr_assert(shipping.is_lost);
    cr_assert_eq(shipping.err.kind, LAZ_E_AUDIT);
    cr_assert_str_eq(shipping.err.message, "lazaret-helper has not come back");
    cr_assert_eq(laz_shipping_due_ns(&shipping), 0, "and nothing more is due");
}

Test(shipping, wakes_for_the_next_start_before_it_gives_up)
{
    struct laz_image image = {0};
    struct laz_shipping shipping = with_image(&image);
    shipping.absent_ns = NOW;
    shipping.due_ns = NOW + 100;
    cr_assert_eq(laz_shipping_due_ns(&shipping), NOW + 100);
    shipping.due_ns = NOW + 2 * MINUTE;
    cr_assert_eq(laz_shipping_due_ns(&shipping), NOW + MINUTE);
}
