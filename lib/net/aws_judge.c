/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer of an AWS service means. Pure.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
#include "net/aws_call.h"

static const struct {
    const char *code;
    enum laz_call_verdict verdict;
} rows[] = {
        {"Throttling", LAZ_CALL_SLOWER},
        {"ThrottlingException", LAZ_CALL_SLOWER},
        {"ThrottledException", LAZ_CALL_SLOWER},
        {"RequestThrottledException", LAZ_CALL_SLOWER},
        {"RequestThrottled", LAZ_CALL_SLOWER},
        {"TooManyRequestsException", LAZ_CALL_SLOWER},
        {"ProvisionedThroughputExceededException", LAZ_CALL_SLOWER},
        {"RequestLimitExceeded", LAZ_CALL_SLOWER},
        {"BandwidthLimitExceeded", LAZ_CALL_SLOWER},
        {"LimitExceededException", LAZ_CALL_SLOWER},
        {"PriorRequestNotComplete", LAZ_CALL_SLOWER},
        {"SlowDown", LAZ_CALL_SLOWER},
        {"EC2ThrottledException", LAZ_CALL_SLOWER},
        {"TransactionInProgressException", LAZ_CALL_AGAIN},
        {"RequestInProgressException", LAZ_CALL_AGAIN}, /* a certificate that is being signed */
        {"RequestTimeout", LAZ_CALL_AGAIN},
        {"RequestTimeoutException", LAZ_CALL_AGAIN},
        {"KeyUnavailableException", LAZ_CALL_AGAIN},
        {"DependencyTimeoutException", LAZ_CALL_AGAIN},
        {"ExpiredToken", LAZ_CALL_CREDENTIALS},
        {"ExpiredTokenException", LAZ_CALL_CREDENTIALS},
        {"UnrecognizedClientException", LAZ_CALL_CREDENTIALS},
        {"InvalidClientTokenId", LAZ_CALL_CREDENTIALS},
        {"RequestExpired", LAZ_CALL_CLOCK},
        {"RequestTimeTooSkewed", LAZ_CALL_CLOCK},
        {"SignatureDoesNotMatch", LAZ_CALL_CLOCK},
        {"InvalidSignatureException", LAZ_CALL_CLOCK},
        {"ResourceNotFoundException", LAZ_CALL_ABSENT},
        {"ParameterNotFound", LAZ_CALL_ABSENT},
        {"ParameterVersionNotFound", LAZ_CALL_ABSENT},
        {"AccessDenied", LAZ_CALL_DENIED},
        {"AccessDeniedException", LAZ_CALL_DENIED},
};

bool laz_aws_is_judged(const char *code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

enum laz_call_verdict laz_aws_judge(unsigned status, const char *code)
{
    if (status == 200) {
        return LAZ_CALL_TAKEN;
    }
    /* A server that fails is not believed what it says of the request. */
    bool is_failing = status >= 500;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool may_say = !is_failing || rows[i].verdict == LAZ_CALL_SLOWER;
        if (may_say && strcmp(rows[i].code, code) == 0) {
            return rows[i].verdict;
        }
    }
    if (status == 429) {
        return LAZ_CALL_SLOWER;
    }
    if (is_failing || status == 408) {
        return LAZ_CALL_AGAIN;
    }
    return status == 401 || status == 403 ? LAZ_CALL_DENIED : LAZ_CALL_REFUSED;
}
