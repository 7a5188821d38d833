/* SPDX-License-Identifier: Apache-2.0
 *
 * What a CloudWatch sink is called: region, host and stream from the policy and the environment.
 * Pure, but for the look at which bundle of CAs there is.
 */
#ifndef LAZ_SINK_CLOUDWATCH_H
#define LAZ_SINK_CLOUDWATCH_H

#include "core/buf.h"
#include "net/aws_credentials.h"
#include "policy/ship.h"

struct laz_cloudwatch_names {
    const struct laz_ship_sink *config;
    const struct laz_aws_environment *aws; /* NULL: it says nothing */
    const char *policy;
    const char *host; /* of the container */
    const char *task; /* its id; NULL or "": not known */
};

/* Of the policy, else of AWS_REGION, else of AWS_DEFAULT_REGION; NULL where there is none, or one
 * that could not be a region. */
const char *laz_cloudwatch_region(const struct laz_cloudwatch_names *names);
/* What its braces stand for is put in; what a stream's name may not have becomes '-'. */
void laz_cloudwatch_put_stream(struct laz_buf *ret, const struct laz_cloudwatch_names *names);
/* The policy's endpoint, else the region's. */
void laz_cloudwatch_put_host(struct laz_buf *ret, const struct laz_cloudwatch_names *names);
/* The policy's, else the first of the system's bundles that is there; the first of all if none is.
 */
const char *laz_cloudwatch_ca(const struct laz_ship_sink *config);

#endif
