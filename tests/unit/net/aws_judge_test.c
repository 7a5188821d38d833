/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer means, and how long is waited after one.
 */
#include <criterion/criterion.h>

#include "net/aws_call.h"

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

Test(aws_judge, knows_what_passes_and_what_does_not)
{
    static const struct {
        unsigned status;
        const char *code;
        enum laz_aws_verdict verdict;
    } rows[] = {
            {200, "", LAZ_AWS_TAKEN},
            {200, "AccessDeniedException", LAZ_AWS_TAKEN},
            {204, "", LAZ_AWS_REFUSED},
            {302, "", LAZ_AWS_REFUSED},
            {400, "", LAZ_AWS_REFUSED},
            {400, "ValidationException", LAZ_AWS_REFUSED},
            {400, "ThrottlingException", LAZ_AWS_SLOWER},
            {400, "LimitExceededException", LAZ_AWS_SLOWER},
            {400, "RequestTimeoutException", LAZ_AWS_AGAIN},
            {400, "ExpiredTokenException", LAZ_AWS_CREDENTIALS},
            {403, "RequestTimeTooSkewed", LAZ_AWS_CLOCK},
            {400, "ResourceNotFoundException", LAZ_AWS_ABSENT},
            {400, "ParameterNotFound", LAZ_AWS_ABSENT},
            {404, "ResourceNotFoundException", LAZ_AWS_ABSENT},
            {404, "", LAZ_AWS_REFUSED}, /* of somebody who stands between, perhaps */
            {400, "AccessDeniedException", LAZ_AWS_DENIED},
            {403, "", LAZ_AWS_DENIED},
            {401, "", LAZ_AWS_DENIED},
            {408, "", LAZ_AWS_AGAIN},
            {429, "", LAZ_AWS_SLOWER},
            {500, "", LAZ_AWS_AGAIN},
            {500, "AccessDeniedException", LAZ_AWS_AGAIN},
            {500, "ResourceNotFoundException", LAZ_AWS_AGAIN},
            {503, "SlowDown", LAZ_AWS_SLOWER},
            {599, "", LAZ_AWS_AGAIN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(laz_aws_judge(rows[i].status, rows[i].code), rows[i].verdict, "%u %s",
                rows[i].status, rows[i].code);
    }
}

Test(aws_judge, waits_a_random_part_of_what_doubles_up_to_twenty_seconds)
{
    static const struct {
        enum laz_aws_verdict verdict;
        unsigned tries;
        uint32_t most;
    } rows[] = {
            {LAZ_AWS_AGAIN, 1, 50},
            {LAZ_AWS_AGAIN, 2, 100},
            {LAZ_AWS_AGAIN, 9, 12800},
            {LAZ_AWS_AGAIN, 10, 20000},
            {LAZ_AWS_AGAIN, 4000000000, 20000},
            {LAZ_AWS_CREDENTIALS, 1, 50},
            {LAZ_AWS_SLOWER, 1, 1000},
            {LAZ_AWS_SLOWER, 5, 16000},
            {LAZ_AWS_SLOWER, 6, 20000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(laz_aws_wait_ms(rows[i].verdict, rows[i].tries, UINT32_MAX, 0), rows[i].most);
        cr_expect_eq(laz_aws_wait_ms(rows[i].verdict, rows[i].tries, 0, 0), 0);
        cr_expect_eq(laz_aws_wait_ms(rows[i].verdict, rows[i].tries, 0, 700), 700);
        cr_expect_eq(laz_aws_wait_ms(rows[i].verdict, rows[i].tries, 0, UINT64_MAX), 5000);
    }
}
