/* SPDX-License-Identifier: Apache-2.0
 *
 * What all sinks do alike: saying things to the owner at the right time, and trying again.
 */
#include "sink/sink.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

#include "sink/cloudwatch.h"
#include "sink/kind.h"

static const struct laz_sink_pace usual_pace = {
        .connect_ms = 10000,
        .answer_ms = 30000,
        .retry_min_ms = 200,
        .retry_max_ms = 30000,
};

static void try_again(evutil_socket_t fd, short what, void *context)
{
    struct laz_sink *sink = context;
    (void)fd;
    (void)what;
    sink->kind->try(sink);
}

int laz_sink_event_new(struct laz_sink *sink, int fd, short what, event_callback_fn callback,
        struct event **ret, struct laz_err *err)
{
    struct event *event = event_new(sink->means.base, fd, what, callback, sink);
    if (event == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", sink->config->name);
    }
    *ret = event;
    return 0;
}

void laz_sink_event_in(struct event *event, uint32_t ms)
{
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    if (!event_pending(event, EV_TIMEOUT, NULL)) {
        (void)evtimer_add(event, &wait); /* fails for want of memory, which timers do not need */
    }
}

int laz_sink_init(struct laz_sink *sink, const struct laz_sink_kind *kind,
        const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_err *err)
{
    sink->kind = kind;
    sink->config = config;
    sink->means = *means;
    sink->owner = *owner;
    sink->pace = means->pace != NULL ? *means->pace : usual_pace;
    sink->backoff = (struct laz_backoff){
            .min_ms = sink->pace.retry_min_ms, .max_ms = sink->pace.retry_max_ms};
    sink->arrived = means->last_ticket;
    if (laz_sink_event_new(sink, -1, 0, try_again, &sink->again, err) != 0) {
        return -1;
    }
    laz_sink_event_in(sink->again, 0);
    return 0;
}

void laz_sink_done(struct laz_sink *sink)
{
    if (sink->again != NULL) {
        event_free(sink->again);
    }
}

void laz_sink_say_arrived(struct laz_sink *sink, uint64_t ticket)
{
    if (ticket <= sink->arrived) {
        return;
    }
    sink->arrived = ticket;
    sink->said_down = false;
    laz_backoff_reset(&sink->backoff);
    sink->owner.arrived(sink->owner.context, ticket);
}

void laz_sink_say_rejected(struct laz_sink *sink, uint64_t ticket, const char *why)
{
    sink->owner.rejected(sink->owner.context, ticket, why);
}

void laz_sink_say_corrected(struct laz_sink *sink, int64_t seconds)
{
    if (sink->owner.corrected != NULL) {
        sink->owner.corrected(sink->owner.context, seconds);
    }
}

void laz_sink_say_wants(struct laz_sink *sink, uint64_t ticket)
{
    sink->hungry = false;
    sink->owner.wants(sink->owner.context, ticket);
}

void laz_sink_say_up(struct laz_sink *sink, uint64_t ticket)
{
    sink->up = true;
    laz_sink_say_wants(sink, ticket);
}

void laz_sink_say_down(struct laz_sink *sink, const char *why)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
        random = UINT32_MAX; /* all of the wait */
    }
    laz_sink_event_in(sink->again, laz_backoff_next_ms(&sink->backoff, random));
    sink->up = false;
    if (sink->said_down && strcmp(sink->why, why) == 0) {
        return;
    }
    sink->said_down = true;
    (void)snprintf(sink->why, sizeof(sink->why), "%s", why);
    sink->owner.down(sink->owner.context, sink->why);
}

static struct laz_tls_plan tls_plan_of(const struct laz_ship_sink *config)
{
    return (struct laz_tls_plan){
            .ca = config->type == LAZ_SINK_CLOUDWATCH ? laz_cloudwatch_ca(config) : config->tls_ca,
            .cert = config->tls_cert,
            .key = config->tls_key,
            .peer = config->tls_peer[0] == '\0' ? config->host : config->tls_peer,
    };
}

int laz_sink_files_open(const struct laz_ship_sink *config, const struct laz_party *party,
        struct laz_tls_files *ret, struct laz_err *err)
{
    const struct laz_tls_plan plan = tls_plan_of(config);
    *ret = (struct laz_tls_files){.ca = -1, .cert = -1, .key = -1};
    if (config->has_tls && laz_tls_files_open(&plan, party, ret, err) != 0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    return 0;
}

int laz_sink_stream_new(struct laz_sink *sink, const struct laz_stream_owner *owner,
        struct laz_tls **ret_tls, struct laz_stream **ret, struct laz_err *err)
{
    const struct laz_ship_sink *config = sink->config;
    const struct laz_dial_plan plan = {
            .host = config->host,
            .port = config->port,
            .wait_ms = sink->pace.connect_ms,
            .unsent_ms = sink->pace.answer_ms,
    };
    struct laz_tls_plan tls_plan = tls_plan_of(config);
    tls_plan.profile = sink->means.tls_profile;
    tls_plan.files = sink->means.tls_files;
    struct laz_stream_owner own = *owner;
    own.context = sink;
    if (config->has_tls && laz_tls_new(&tls_plan, ret_tls, err) != 0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    if (laz_stream_new(sink->means.base, &plan, *ret_tls, &own, ret, err) != 0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    return 0;
}

int laz_sink_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    switch (config->type) {
    case LAZ_SINK_FILE:
        return laz_sink_file_open(config, means, owner, ret, err);
    case LAZ_SINK_STDOUT:
        return laz_sink_stdout_open(config, means, owner, ret, err);
    case LAZ_SINK_RELP:
        return laz_sink_relp_open(config, means, owner, ret, err);
    case LAZ_SINK_SYSLOG:
        return laz_sink_syslog_open(config, means, owner, ret, err);
    case LAZ_SINK_CLOUDWATCH:
        return laz_sink_cloudwatch_open(config, means, owner, ret, err);
    case LAZ_SINK_OSSEC:
        return laz_sink_ossec_open(config, means, owner, ret, err);
    case LAZ_SINK_EMF: /* whoever makes metrics opens one of another type */
    case LAZ_SINK_TYPE_COUNT:
        break;
    }
    return laz_err_set(err, LAZ_E_SINK, 0, "sink %s: type %d", config->name, (int)config->type);
}

void laz_sink_close(struct laz_sink *sink)
{
    if (sink != NULL) {
        sink->kind->close(sink);
    }
}

enum laz_sink_answer laz_sink_offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    assert(record->length > 0 && record->length <= LAZ_SINK_RECORD_MAX);
    enum laz_sink_answer answer = sink->up ? sink->kind->offer(sink, record) : LAZ_SINK_NOT_NOW;
    if (answer == LAZ_SINK_NOT_NOW) {
        sink->hungry = true;
    }
    return answer;
}

void laz_sink_flush(struct laz_sink *sink)
{
    sink->kind->flush(sink);
}
