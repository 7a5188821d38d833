/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer means.
 */
#include <criterion/criterion.h>

#include "net/aws_call.h"

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

Test(aws_judge, knows_what_passes_and_what_does_not)
{
    static const struct {
        unsigned status;
        const char *code;
        enum laz_call_verdict verdict;
    } rows[] = {
            {200, "", LAZ_CALL_TAKEN},
            {200, "AccessDeniedException", LAZ_CALL_TAKEN},
            {204, "", LAZ_CALL_REFUSED},
            {302, "", LAZ_CALL_REFUSED},
            {400, "", LAZ_CALL_REFUSED},
            {400, "ValidationException", LAZ_CALL_REFUSED},
            {400, "ThrottlingException", LAZ_CALL_SLOWER},
            {400, "LimitExceededException", LAZ_CALL_SLOWER},
            {400, "RequestTimeoutException", LAZ_CALL_AGAIN},
            {400, "ExpiredTokenException", LAZ_CALL_CREDENTIALS},
            {403, "RequestTimeTooSkewed", LAZ_CALL_CLOCK},
            {400, "ResourceNotFoundException", LAZ_CALL_ABSENT},
            {400, "ParameterNotFound", LAZ_CALL_ABSENT},
            {404, "ResourceNotFoundException", LAZ_CALL_ABSENT},
            {404, "", LAZ_CALL_REFUSED}, /* of somebody who stands between, perhaps */
            {400, "AccessDeniedException", LAZ_CALL_DENIED},
            {403, "", LAZ_CALL_DENIED},
            {401, "", LAZ_CALL_DENIED},
            {408, "", LAZ_CALL_AGAIN},
            {429, "", LAZ_CALL_SLOWER},
            {500, "", LAZ_CALL_AGAIN},
            {500, "AccessDeniedException", LAZ_CALL_AGAIN},
            {500, "ResourceNotFoundException", LAZ_CALL_AGAIN},
            {503, "SlowDown", LAZ_CALL_SLOWER},
            {599, "", LAZ_CALL_AGAIN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(laz_aws_judge(rows[i].status, rows[i].code), rows[i].verdict, "%u %s",
                rows[i].status, rows[i].code);
    }
}
