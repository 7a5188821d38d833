/* SPDX-License-Identifier: Apache-2.0
 *
 * How long is waited before another try.
 */
#include "net/call.h"

#include <criterion/criterion.h>

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

Test(call, waits_a_random_part_of_what_doubles_up_to_twenty_seconds)
{
    static const struct {
        enum laz_call_verdict verdict;
        unsigned tries;
        uint32_t most;
    } rows[] = {
            {LAZ_CALL_AGAIN, 1, 50},
            {LAZ_CALL_AGAIN, 2, 100},
            {LAZ_CALL_AGAIN, 9, 12800},
            {LAZ_CALL_AGAIN, 10, 20000},
            {LAZ_CALL_AGAIN, 4000000000, 20000},
            {LAZ_CALL_CREDENTIALS, 1, 50},
            {LAZ_CALL_SLOWER, 1, 1000},
            {LAZ_CALL_SLOWER, 5, 16000},
            {LAZ_CALL_SLOWER, 6, 20000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, UINT32_MAX, 0), rows[i].most);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, 0), 0);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, 700), 700);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, UINT64_MAX), 5000);
    }
}
