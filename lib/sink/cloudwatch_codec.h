/* SPDX-License-Identifier: Apache-2.0
 *
 * PutLogEvents of CloudWatch Logs (Logs_20140328, JSON 1.1): records as a batch within every
 * documented limit, and what an answer says about each of them. Pure.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
 */
#ifndef LAZ_SINK_CLOUDWATCH_CODEC_H
#define LAZ_SINK_CLOUDWATCH_CODEC_H

#include "core/buf.h"

#define LAZ_CLOUDWATCH_BATCH_MAX   1048576U /* bytes of all messages, and for each of them */
#define LAZ_CLOUDWATCH_EVENT_BYTES 26U
#define LAZ_CLOUDWATCH_EVENTS_MAX  10000U
#define LAZ_CLOUDWATCH_MESSAGE_MAX (LAZ_CLOUDWATCH_BATCH_MAX - LAZ_CLOUDWATCH_EVENT_BYTES)
/* A record that is older, or of the future, is stamped with the time at which it is sent, and keeps
 * its own in its `ts`: no batch spans 24 hours, and none is refused because of the shortest
 * retention, a day, or of the 14 days and the 2 hours that the service allows at most. */
#define LAZ_CLOUDWATCH_OWN_TIME_MS INT64_C(82800000)

/* Invariant: bytes and n are of the events in the body. */
struct laz_cloudwatch_batch {
    struct laz_buf body;
    size_t bytes;
    uint32_t n;
    int64_t last_ms; /* of the last event; they are in order */
    int64_t skew_ms; /* of the service's clock: set it after the beginning */
    bool is_ended;
};

enum laz_cloudwatch_fit {
    LAZ_CLOUDWATCH_FITS,
    LAZ_CLOUDWATCH_FULL,
    LAZ_CLOUDWATCH_TOO_LONG, /* for any batch */
    LAZ_CLOUDWATCH_NO_RECORD,
    LAZ_CLOUDWATCH_NO_MEMORY,
};

void laz_cloudwatch_batch_init(struct laz_cloudwatch_batch *batch);
void laz_cloudwatch_batch_done(struct laz_cloudwatch_batch *batch);
void laz_cloudwatch_batch_begin(
        struct laz_cloudwatch_batch *batch, const char *group, const char *stream);
/* The line with or without its line feed; now in milliseconds since 1970, by the
 * clock of the records. */
LAZ_MUST_CHECK enum laz_cloudwatch_fit laz_cloudwatch_batch_add(
        struct laz_cloudwatch_batch *batch, const char *text, size_t length, int64_t now_ms);
/* The body is whole. false: no memory. */
LAZ_MUST_CHECK bool laz_cloudwatch_batch_end(struct laz_cloudwatch_batch *batch);

/* Which events of a batch were not stored, by index. */
struct laz_cloudwatch_rejected {
    uint32_t too_old_end; /* of those in front */
    uint32_t expired_end;
    uint32_t too_new_start; /* of those behind */
};

/* The body of a 200 to a batch of n events. LAZ_E_SINK if it makes no sense. */
LAZ_MUST_CHECK int laz_cloudwatch_read_answer(const char *text, size_t length, uint32_t n,
        struct laz_cloudwatch_rejected *ret, struct laz_err *err);
/* Why this one was not; NULL: it was. */
const char *laz_cloudwatch_why_rejected(
        const struct laz_cloudwatch_rejected *rejected, uint32_t index);

/* What to do after an answer. */
enum laz_cloudwatch_verdict {
    LAZ_CLOUDWATCH_TAKEN,
    LAZ_CLOUDWATCH_AGAIN,       /* after a while */
    LAZ_CLOUDWATCH_CREDENTIALS, /* with new ones */
    LAZ_CLOUDWATCH_CLOCK,       /* with the service's time, if ours is wrong, or with new ones */
    LAZ_CLOUDWATCH_MISSING,     /* group or stream */
    LAZ_CLOUDWATCH_UNFIT,       /* something in the batch */
    LAZ_CLOUDWATCH_REFUSED,     /* the same again would be, too */
};

/* Before the next try, where we would wait `own_ms` and the service asks for `asked_ms`: as long as
 * it asks, but at most five seconds longer than we would. */
uint32_t laz_cloudwatch_wait_ms(uint32_t own_ms, uint32_t asked_ms);

/* The code is "" where the answer had none. */
enum laz_cloudwatch_verdict laz_cloudwatch_judge(unsigned status, const char *code);

#endif
