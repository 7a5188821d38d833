/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "cloudwatch": one batch after the other to one log stream. The service does not tell a
 * repetition from something new, so a batch whose answer was lost is there twice, by (chain, seq).
 * It is kept until it is answered for; what is refused alone is rejected alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "net/aws_credentials.h"
#include "sink/cloudwatch_calls.h"
#include "sink/cloudwatch_codec.h"
#include "sink/form.h"
#include "sink/kind.h"

#define LINGER_MS    100              /* from a batch's first record until it is sent */
#define TRIES_MAX    4                /* of a batch, until the sink is said to be down */
#define OLD_MS       INT64_C(3600000) /* a batch is stamped anew after that */
#define SKEW_LEAST_S 240              /* less is not what a signature fails for */
#define CORRECTED_S  10               /* a clock that is corrected is told of once in so long */

enum phase {
    COLLECTING,
    AWAITING_KEY,
    PUTTING,
    CREATING_GROUP,
    CREATING_STREAM,
    WAITING, /* to send it again */
};

struct entry {
    uint64_t ticket;
    const char *unfit; /* why it is not in the batch; static */
};

/* Invariant: settled <= offered; entries are of the tickets between, in their order. */
struct cloudwatch_sink {
    struct laz_sink sink;
    struct laz_cloudwatch_calls calls;
    struct event *linger;
    struct event *retry;
    struct laz_form form;
    struct laz_buf line; /* a record in a form of its own */
    struct laz_cloudwatch_batch batch;
    struct entry *entries; /* LAZ_CLOUDWATCH_EVENTS_MAX */
    uint32_t n_entries;
    uint32_t limit; /* of entries: fewer after something in a batch was refused */
    uint64_t settled;
    uint64_t offered;
    int64_t begun_ms;
    int64_t corrected_s; /* monotonic: when that was last said; 0: never */
    unsigned tries;
    uint32_t asked_ms; /* of us, by the last answer: not to come back sooner */
    enum phase phase;
    bool is_ending;
    bool is_corrected;  /* clock or credentials, for this batch */
    bool has_created;   /* for this batch */
    bool has_delivered; /* ever: names and permissions are right */
};

static int64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void begin_batch(struct cloudwatch_sink *cloud)
{
    laz_cloudwatch_batch_begin(&cloud->batch, cloud->sink.config->group, cloud->calls.stream);
    cloud->batch.skew_ms = cloud->calls.skew_s * 1000;
    cloud->n_entries = 0;
    cloud->tries = 0;
    cloud->is_corrected = cloud->has_created = false;
    cloud->phase = COLLECTING;
}

/* Whether it was up before or not. */
static void want_more(struct cloudwatch_sink *cloud)
{
    if (!cloud->sink.up) {
        laz_sink_say_up(&cloud->sink, cloud->offered);
    } else if (cloud->sink.hungry) {
        laz_sink_say_wants(&cloud->sink, cloud->offered);
    }
}

/* The batch is kept. */
static void go_down(struct cloudwatch_sink *cloud, const char *why)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text), "%s: %.220s", cloud->calls.host, why);
    laz_http_cancel(cloud->calls.http);
    (void)event_del(cloud->retry);
    (void)event_del(cloud->linger);
    cloud->phase = WAITING;
    cloud->tries = 0;
    cloud->is_corrected = cloud->has_created = false;
    laz_sink_say_down(&cloud->sink, text);
}

static void retry_later(struct cloudwatch_sink *cloud, const char *why)
{
    uint32_t random = UINT32_MAX;
    if (++cloud->tries >= TRIES_MAX) {
        go_down(cloud, why);
        return;
    }
    laz_ignore((int)getrandom(&random, sizeof(random), GRND_NONBLOCK));
    cloud->phase = WAITING;
    uint32_t wait_ms = laz_backoff_next_ms(&cloud->sink.backoff, random);
    laz_sink_event_in(cloud->retry, laz_cloudwatch_wait_ms(wait_ms, cloud->asked_ms));
}

/* ---- what became of a batch ---- */

/* Told in the order of the tickets, and nothing before the batch is settled: a break repeats it. */
static void settle(struct cloudwatch_sink *cloud, const struct laz_cloudwatch_rejected *rejected)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < cloud->n_entries; i++) {
        const struct entry *entry = &cloud->entries[i];
        const char *why = entry->unfit;
        if (why == NULL) {
            why = laz_cloudwatch_why_rejected(rejected, index++);
            cloud->has_delivered = cloud->has_delivered || why == NULL;
        }
        if (why != NULL) {
            laz_sink_say_rejected(&cloud->sink, entry->ticket, why);
        }
    }
    cloud->settled = cloud->offered;
    cloud->limit = LAZ_CLOUDWATCH_EVENTS_MAX;
    begin_batch(cloud);
    laz_sink_say_arrived(&cloud->sink, cloud->settled);
    want_more(cloud);
}

/* Something in it: half of it, until it is one record that is refused. Nobody's records are
 * rejected for a policy that names no possible group: something has to have been taken before. */
static void narrow_down(struct cloudwatch_sink *cloud, const char *why)
{
    static const struct laz_cloudwatch_rejected none = {.too_new_start = UINT32_MAX};
    if (cloud->n_entries > 1) {
        cloud->limit = cloud->n_entries / 2;
        cloud->offered = cloud->settled;
        begin_batch(cloud);
        laz_sink_say_up(&cloud->sink, cloud->offered);
    } else if (cloud->has_delivered) {
        cloud->entries[0].unfit = "CloudWatch Logs refuses it: InvalidParameterException";
        settle(cloud, &none);
    } else {
        go_down(cloud, why);
    }
}

/* ---- sending ---- */

static enum laz_cloudwatch_operation operation_of(enum phase phase)
{
    return phase == CREATING_GROUP     ? LAZ_CLOUDWATCH_CREATE_GROUP
            : phase == CREATING_STREAM ? LAZ_CLOUDWATCH_CREATE_STREAM
                                       : LAZ_CLOUDWATCH_PUT;
}

static void send_request(struct cloudwatch_sink *cloud, enum phase phase)
{
    struct laz_err err = {0};
    if (!laz_cloudwatch_has_key(&cloud->calls)) {
        cloud->phase = AWAITING_KEY;
        return;
    }
    cloud->phase = phase;
    int result = phase == PUTTING ? laz_cloudwatch_put(&cloud->calls, &cloud->batch.body, &err)
                                  : laz_cloudwatch_create(&cloud->calls, operation_of(phase), &err);
    if (result != 0) {
        go_down(cloud, err.message);
    }
}

static void send_batch(struct cloudwatch_sink *cloud)
{
    static const struct laz_cloudwatch_rejected none = {.too_new_start = UINT32_MAX};
    (void)event_del(cloud->linger);
    if (cloud->batch.n == 0) {
        settle(cloud, &none);
    } else if (!laz_cloudwatch_batch_end(&cloud->batch)) {
        go_down(cloud, "no memory for a batch");
    } else {
        send_request(cloud, PUTTING);
    }
}

/* ---- answers ---- */

/* A service that has another time for each batch is not told of with each: that would be one more.
 */
static void say_corrected(struct cloudwatch_sink *cloud, int64_t skew_s)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (cloud->corrected_s == 0 || now.tv_sec - cloud->corrected_s >= CORRECTED_S) {
        cloud->corrected_s = now.tv_sec;
        laz_sink_say_corrected(&cloud->sink, skew_s);
    }
}

/* Signed with the wrong time, or by a key that is not good any more; each is corrected once. */
static void correct(struct cloudwatch_sink *cloud, const struct laz_http_reply *reply,
        enum laz_cloudwatch_verdict verdict, const char *why)
{
    int64_t skew = 0;
    if (cloud->is_corrected) {
        go_down(cloud, why);
        return;
    }
    cloud->is_corrected = true;
    bool knows_time = verdict == LAZ_CLOUDWATCH_CLOCK && laz_cloudwatch_skew_of(reply, &skew);
    if (knows_time && llabs(skew - cloud->calls.skew_s) >= SKEW_LEAST_S) {
        say_corrected(cloud, skew);
        cloud->calls.skew_s = skew; /* the events of the batch have the wrong time, too */
        cloud->offered = cloud->settled;
        begin_batch(cloud);
        cloud->is_corrected = true;
        laz_sink_say_up(&cloud->sink, cloud->offered);
    } else {
        laz_aws_credentials_refused(cloud->calls.credentials);
        send_batch(cloud);
    }
}

static void take_success(struct cloudwatch_sink *cloud, const struct laz_http_reply *reply)
{
    struct laz_cloudwatch_rejected rejected = {.too_new_start = UINT32_MAX};
    struct laz_err err = {0};
    if (cloud->phase == CREATING_GROUP) {
        send_request(cloud, CREATING_STREAM);
    } else if (cloud->phase == CREATING_STREAM) {
        send_batch(cloud);
    } else if (reply->status == 200 &&
            laz_cloudwatch_read_answer(reply->body.len == 0 ? "" : reply->body.data,
                    reply->body.len, cloud->batch.n, &rejected, &err) != 0) {
        retry_later(cloud, err.message);
    } else {
        settle(cloud, &rejected);
    }
}

static void take_missing(struct cloudwatch_sink *cloud)
{
    if (!cloud->sink.config->create) {
        go_down(cloud, "the log group or the log stream does not exist (create: true makes them)");
    } else if (cloud->has_created) {
        retry_later(cloud, "the log stream was made, and does not exist yet");
    } else {
        cloud->has_created = true;
        send_request(cloud, CREATING_GROUP);
    }
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct cloudwatch_sink *cloud = context;
    char code[LAZ_AWS_CODE_MAX];
    char why[LAZ_AWS_CODE_MAX + 64];
    laz_aws_reply_code(reply, code, sizeof(code));
    cloud->asked_ms = laz_aws_reply_wait_ms(reply);
    (void)snprintf(why, sizeof(why), "it answers %u%s%s to %s", reply->status,
            code[0] == '\0' ? "" : " ", code,
            laz_cloudwatch_operation_name(operation_of(cloud->phase)));
    bool exists = cloud->phase != PUTTING && strcmp(code, "ResourceAlreadyExistsException") == 0;
    enum laz_cloudwatch_verdict verdict =
            exists ? LAZ_CLOUDWATCH_TAKEN : laz_cloudwatch_judge(reply->status, code);
    switch (verdict) {
    case LAZ_CLOUDWATCH_TAKEN:
        take_success(cloud, reply);
        break;
    case LAZ_CLOUDWATCH_AGAIN:
        retry_later(cloud, why);
        break;
    case LAZ_CLOUDWATCH_CREDENTIALS:
    case LAZ_CLOUDWATCH_CLOCK:
        correct(cloud, reply, verdict, why);
        break;
    case LAZ_CLOUDWATCH_MISSING:
        if (cloud->phase == PUTTING) {
            take_missing(cloud);
        } else {
            retry_later(cloud, why);
        }
        break;
    case LAZ_CLOUDWATCH_UNFIT:
        if (cloud->phase == PUTTING) {
            narrow_down(cloud, why);
        } else {
            go_down(cloud, why);
        }
        break;
    case LAZ_CLOUDWATCH_REFUSED:
        go_down(cloud, why);
        break;
    }
}

static void on_http_failed(void *context, const char *why)
{
    go_down(context, why);
}

static void on_key(void *context)
{
    struct cloudwatch_sink *cloud = context;
    if (cloud->phase == AWAITING_KEY) {
        if (cloud->n_entries > 0) {
            send_batch(cloud);
        } else {
            cloud->phase = COLLECTING;
            want_more(cloud);
        }
    }
}

static void on_no_key(void *context, const char *why)
{
    struct cloudwatch_sink *cloud = context;
    if (cloud->phase == AWAITING_KEY) {
        go_down(cloud, why);
    }
}

/* ---- its turns ---- */

static void on_linger(evutil_socket_t fd, short what, void *context)
{
    struct cloudwatch_sink *cloud = context;
    (void)fd;
    (void)what;
    if (cloud->phase == COLLECTING && cloud->n_entries > 0) {
        send_batch(cloud);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    send_batch(context);
}

/* First, and after each break. */
static void try_again(struct laz_sink *sink)
{
    struct cloudwatch_sink *cloud = (struct cloudwatch_sink *)sink;
    if (cloud->n_entries > 0 && now_ms() - cloud->begun_ms > OLD_MS) {
        cloud->offered = cloud->settled;
        begin_batch(cloud);
    }
    if (cloud->n_entries > 0) {
        send_batch(cloud);
    } else if (!laz_cloudwatch_has_key(&cloud->calls)) {
        cloud->phase = AWAITING_KEY;
    } else {
        cloud->phase = COLLECTING;
        want_more(cloud);
    }
}

static enum laz_cloudwatch_fit add_record(
        struct cloudwatch_sink *cloud, const struct laz_sink_record *record)
{
    struct laz_err err = {0};
    if (cloud->form.format == LAZ_FORMAT_NATIVE) {
        return laz_cloudwatch_batch_add(&cloud->batch, record->text, record->length, now_ms());
    }
    cloud->line.len = 0;
    cloud->line.overflow = false;
    if (laz_form_line(&cloud->line, &cloud->form, record->text, record->length, &err) != 0) {
        return LAZ_CLOUDWATCH_NO_RECORD;
    }
    return cloud->line.overflow
            ? LAZ_CLOUDWATCH_NO_MEMORY
            : laz_cloudwatch_batch_add(&cloud->batch, cloud->line.data, cloud->line.len, now_ms());
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct cloudwatch_sink *cloud = (struct cloudwatch_sink *)sink;
    const char *unfit = NULL;
    if (cloud->phase != COLLECTING) {
        return LAZ_SINK_NOT_NOW;
    }
    enum laz_cloudwatch_fit fit =
            cloud->n_entries == cloud->limit ? LAZ_CLOUDWATCH_FULL : add_record(cloud, record);
    switch (fit) {
    case LAZ_CLOUDWATCH_FITS:
        break;
    case LAZ_CLOUDWATCH_FULL:
    case LAZ_CLOUDWATCH_NO_MEMORY:
        (void)event_del(cloud->linger);
        laz_sink_event_in(cloud->linger, cloud->n_entries > 0 ? 0 : LINGER_MS);
        return LAZ_SINK_NOT_NOW;
    case LAZ_CLOUDWATCH_TOO_LONG:
        unfit = "it is longer than an event of CloudWatch Logs may be";
        break;
    case LAZ_CLOUDWATCH_NO_RECORD:
        unfit = "it is not a record in one line";
        break;
    }
    if (cloud->n_entries == 0) {
        cloud->begun_ms = now_ms();
        laz_sink_event_in(cloud->linger, cloud->is_ending ? 0 : LINGER_MS);
    }
    cloud->entries[cloud->n_entries++] = (struct entry){.ticket = record->ticket, .unfit = unfit};
    cloud->offered = record->ticket;
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    struct cloudwatch_sink *cloud = (struct cloudwatch_sink *)sink;
    cloud->is_ending = true;
    if (cloud->phase == COLLECTING && cloud->n_entries > 0) {
        (void)event_del(cloud->linger);
        laz_sink_event_in(cloud->linger, 0);
    }
}

/* ---- its life ---- */

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

static void close_cloudwatch(struct laz_sink *sink)
{
    struct cloudwatch_sink *cloud = (struct cloudwatch_sink *)sink;
    laz_cloudwatch_calls_done(&cloud->calls);
    free_event(cloud->linger);
    free_event(cloud->retry);
    laz_cloudwatch_batch_done(&cloud->batch);
    laz_buf_done(&cloud->line);
    free(cloud->entries);
    laz_sink_done(sink);
    free(cloud);
}

static const struct laz_sink_kind cloudwatch_kind = {
        .offer = offer,
        .flush = flush,
        .try = try_again,
        .close = close_cloudwatch,
};

int laz_sink_cloudwatch_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    struct cloudwatch_sink *cloud = calloc(1, sizeof(*cloud));
    if (cloud == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    const struct laz_http_owner http_owner = {
            .answered = on_answered, .failed = on_http_failed, .context = cloud};
    const struct laz_aws_credentials_owner key_owner = {
            .ready = on_key, .failed = on_no_key, .context = cloud};
    laz_cloudwatch_batch_init(&cloud->batch);
    laz_buf_init_heap(&cloud->line, LAZ_SINK_RECORD_MAX + LAZ_FORM_MORE_MAX);
    laz_form_init(&cloud->form, config->format, means->host);
    cloud->settled = cloud->offered = means->last_ticket;
    cloud->limit = LAZ_CLOUDWATCH_EVENTS_MAX;
    cloud->entries = calloc(LAZ_CLOUDWATCH_EVENTS_MAX, sizeof(*cloud->entries));
    if (cloud->entries == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
        close_cloudwatch(&cloud->sink);
        return -1;
    }
    if (laz_sink_init(&cloud->sink, &cloudwatch_kind, config, means, owner, err) != 0 ||
            laz_sink_event_new(&cloud->sink, -1, 0, on_linger, &cloud->linger, err) != 0 ||
            laz_sink_event_new(&cloud->sink, -1, 0, on_retry, &cloud->retry, err) != 0 ||
            laz_cloudwatch_calls_open(&cloud->calls, &cloud->sink, &http_owner, &key_owner, err) !=
                    0) {
        close_cloudwatch(&cloud->sink);
        return -1;
    }
    begin_batch(cloud);
    cloud->phase = WAITING;
    *ret = &cloud->sink;
    return 0;
}
