/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer of an AWS service means, and how long to wait after one. Pure.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
#include "net/aws_call.h"

#define AGAIN_MS  50U
#define SLOWER_MS 1000U
#define MOST_MS   20000U
#define ASKED_MS  5000U

static const struct {
    const char *code;
    enum laz_aws_verdict verdict;
} rows[] = {
        {"Throttling", LAZ_AWS_SLOWER},
        {"ThrottlingException", LAZ_AWS_SLOWER},
        {"ThrottledException", LAZ_AWS_SLOWER},
        {"RequestThrottledException", LAZ_AWS_SLOWER},
        {"RequestThrottled", LAZ_AWS_SLOWER},
        {"TooManyRequestsException", LAZ_AWS_SLOWER},
        {"ProvisionedThroughputExceededException", LAZ_AWS_SLOWER},
        {"RequestLimitExceeded", LAZ_AWS_SLOWER},
        {"BandwidthLimitExceeded", LAZ_AWS_SLOWER},
        {"LimitExceededException", LAZ_AWS_SLOWER},
        {"PriorRequestNotComplete", LAZ_AWS_SLOWER},
        {"SlowDown", LAZ_AWS_SLOWER},
        {"EC2ThrottledException", LAZ_AWS_SLOWER},
        {"TransactionInProgressException", LAZ_AWS_AGAIN},
        {"RequestTimeout", LAZ_AWS_AGAIN},
        {"RequestTimeoutException", LAZ_AWS_AGAIN},
        {"KeyUnavailableException", LAZ_AWS_AGAIN},
        {"DependencyTimeoutException", LAZ_AWS_AGAIN},
        {"ExpiredToken", LAZ_AWS_CREDENTIALS},
        {"ExpiredTokenException", LAZ_AWS_CREDENTIALS},
        {"UnrecognizedClientException", LAZ_AWS_CREDENTIALS},
        {"InvalidClientTokenId", LAZ_AWS_CREDENTIALS},
        {"RequestExpired", LAZ_AWS_CLOCK},
        {"RequestTimeTooSkewed", LAZ_AWS_CLOCK},
        {"SignatureDoesNotMatch", LAZ_AWS_CLOCK},
        {"InvalidSignatureException", LAZ_AWS_CLOCK},
        {"ResourceNotFoundException", LAZ_AWS_ABSENT},
        {"ParameterNotFound", LAZ_AWS_ABSENT},
        {"ParameterVersionNotFound", LAZ_AWS_ABSENT},
        {"AccessDenied", LAZ_AWS_DENIED},
        {"AccessDeniedException", LAZ_AWS_DENIED},
};

enum laz_aws_verdict laz_aws_judge(unsigned status, const char *code)
{
    if (status == 200) {
        return LAZ_AWS_TAKEN;
    }
    /* A server that fails is not believed what it says of the request. */
    bool is_failing = status >= 500;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool may_say = !is_failing || rows[i].verdict == LAZ_AWS_SLOWER;
        if (may_say && strcmp(rows[i].code, code) == 0) {
            return rows[i].verdict;
        }
    }
    if (status == 429) {
        return LAZ_AWS_SLOWER;
    }
    if (is_failing || status == 408) {
        return LAZ_AWS_AGAIN;
    }
    return status == 401 || status == 403 ? LAZ_AWS_DENIED : LAZ_AWS_REFUSED;
}

uint32_t laz_aws_wait_ms(
        enum laz_aws_verdict verdict, unsigned tries, uint32_t random, uint64_t asked_ms)
{
    uint64_t ceiling = verdict == LAZ_AWS_SLOWER ? SLOWER_MS : AGAIN_MS;
    for (unsigned i = 1; i < tries && ceiling < MOST_MS; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < MOST_MS ? ceiling : MOST_MS;
    uint64_t asked = asked_ms < ASKED_MS ? asked_ms : ASKED_MS;
    return (uint32_t)((((ceiling + 1) * random) >> 32) + asked);
}
