/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed calls to CloudWatch Logs, one at a time: who is called, by whose key, and what an answer
 * says beside its body. Knows nothing of batches, and repeats nothing.
 */
#ifndef LAZ_SINK_CLOUDWATCH_CALLS_H
#define LAZ_SINK_CLOUDWATCH_CALLS_H

#include "net/aws_credentials.h"
#include "net/http.h"
#include "sink/kind.h"

enum laz_cloudwatch_operation {
    LAZ_CLOUDWATCH_PUT,
    LAZ_CLOUDWATCH_CREATE_GROUP,
    LAZ_CLOUDWATCH_CREATE_STREAM,
};

struct laz_cloudwatch_calls {
    const struct laz_ship_sink *config;
    struct laz_tls *tls;
    struct laz_http *http;
    struct laz_aws_credentials *credentials;
    int64_t skew_s; /* of the service's clock */
    char region[LAZ_SHIP_REGION_MAX + 1];
    char host[LAZ_SHIP_HOST_MAX + 1];
    char host_header[LAZ_SHIP_HOST_MAX + 16];
    char stream[LAZ_SHIP_GROUP_MAX + 1];       /* the name of the log stream */
    char request[2 * LAZ_SHIP_GROUP_MAX + 66]; /* to make group or stream */
};

/* Of zeroed memory. Names, connection and credentials as the sink's config says; whatever it
 * returns, laz_cloudwatch_calls_done frees it. */
LAZ_MUST_CHECK int laz_cloudwatch_calls_open(struct laz_cloudwatch_calls *calls,
        const struct laz_sink *sink, const struct laz_http_owner *http_owner,
        const struct laz_aws_credentials_owner *key_owner, struct laz_err *err);
void laz_cloudwatch_calls_done(struct laz_cloudwatch_calls *calls);

bool laz_cloudwatch_has_key(const struct laz_cloudwatch_calls *calls);
/* With the time of the service's clock; there must be a key. `body` is borrowed until the answer,
 * which the owner gets. LAZ_E_SINK, LAZ_E_MEMORY: nobody is told. */
LAZ_MUST_CHECK int laz_cloudwatch_put(
        struct laz_cloudwatch_calls *calls, const struct laz_buf *body, struct laz_err *err);
LAZ_MUST_CHECK int laz_cloudwatch_create(struct laz_cloudwatch_calls *calls,
        enum laz_cloudwatch_operation operation, struct laz_err *err);
/* "PutLogEvents"; static */
const char *laz_cloudwatch_operation_name(enum laz_cloudwatch_operation operation);

/* By how much the clock of whoever answers is ahead of ours. */
bool laz_cloudwatch_skew_of(const struct laz_http_reply *reply, int64_t *ret_s);

#endif
