/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of `ship`: differences of its counts since they were told last, and how it stands now.
 * Lines that find no room are not kept: the next ones say how it stands then.
 */
#include "init/ship/meter.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "init/ship/ecs.h"
#include "init/ship/ship.h"
#include "sink/emf.h"

#define LINE_MAX_BYTES   4096
#define TROUBLE_SEVERITY 7 /* as of any sink */
#define NS_PER_S         UINT64_C(1000000000)
#define MS_PER_S         1000U

void laz_ship_count_line(struct laz_ship *ship, const struct laz_line *line)
{
    for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
        ship->counts.redactions += line->redacted[i];
    }
}

/* ---- the numbers ---- */

static struct laz_ship_counts collect(const struct laz_ship *ship)
{
    struct laz_ship_counts counts = ship->counts;
    counts.dropped_lines = ship->ledger.dropped_lines_ever;
    counts.dropped_bytes = ship->ledger.dropped_bytes_ever;
    counts.records = laz_chain_next(ship->ledger.chain);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        counts.workload_bytes +=
                laz_stream_is_workloads((enum laz_stream)i) ? ship->streams[i].framed : 0;
    }
    for (size_t i = 0; i < ship->n_feeds; i++) {
        counts.arrived[i] = ship->feeds[i].arrived;
        counts.rejected[i] = ship->feeds[i].rejected;
    }
    return counts;
}

/* What was counted may be taken back: by a disk that refuses. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void offer(struct laz_ship_meter *meter, const struct laz_buf *line)
{
    const struct laz_sink_record record = {
            .text = line->data, .length = line->len, .ticket = meter->ticket + 1};
    if (meter->wants && laz_sink_offer(meter->sink, &record) == LAZ_SINK_TAKEN) {
        meter->ticket++;
        return;
    }
    meter->wants = false;
    meter->lost++;
}

static void tell_line(struct laz_ship_meter *meter, const struct laz_emf_line *line)
{
    char memory[LINE_MAX_BYTES];
    struct laz_buf buf;
    struct laz_err ignored = {0};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    if (laz_emf_put(&buf, line, &ignored) == 0) {
        offer(meter, &buf);
    } else {
        meter->lost++;
    }
}

static int64_t now_ms(void)
{
    struct timespec now = laz_ship_wall();
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / 1000000;
}

static void tell_all(struct laz_ship_meter *meter, const struct laz_ship_counts *now)
{
    const struct laz_ship *ship = meter->ship;
    const struct laz_ship_counts *before = &meter->told;
    const struct laz_emf_text dimensions[] = {{"Policy", ship->orders.name}};
    const struct laz_emf_text properties[] = {{"Host", ship->host}};
    const struct laz_emf_metric metrics[] = {
            {"Records", "Count", since(now->records, before->records)},
            {"WorkloadBytes", "Bytes", since(now->workload_bytes, before->workload_bytes)},
            {"DroppedLines", "Count", since(now->dropped_lines, before->dropped_lines)},
            {"DroppedBytes", "Bytes", since(now->dropped_bytes, before->dropped_bytes)},
            {"Redactions", "Count", since(now->redactions, before->redactions)},
            {"SpoolBytes", "Bytes", laz_spool_used(ship->ledger.spool)},
            {"SpoolMaxBytes", "Bytes", ship->orders.config.spool_max_bytes},
            {"MetricLinesLost", "Count", meter->lost},
#define X(id, prefix, metric)                                                                      \
    {metric, "Count", since(now->events[LAZ_SHIP_EVENT_##id], before->events[LAZ_SHIP_EVENT_##id])},
            LAZ_SHIP_EVENT_KINDS(X)
#undef X
    };
    const struct laz_emf_line line = {.space = meter->config->space,
            .time_ms = now_ms(),
            .dimensions = dimensions,
            .n_dimensions = 1,
            .properties = properties,
            .n_properties = 1,
            .metrics = metrics,
            .n_metrics = sizeof(metrics) / sizeof(metrics[0])};
    meter->lost = 0;
    tell_line(meter, &line);
}

uint64_t laz_ship_backlog(const struct laz_ship *ship, const struct laz_feed *feed)
{
    struct laz_spool_at at = feed->cursor;
    struct laz_spool_at end = laz_spool_end(ship->ledger.spool);
    uint64_t segments = since(end.segment, at.segment);
    return since(segments * ship->orders.config.spool_segment_bytes + end.offset, at.offset);
}

/* For how long it has not had what was in the spool when it was asked before. */
static uint64_t behind_s(struct laz_ship_meter *meter, size_t i, uint64_t now_ns)
{
    const struct laz_spool_at *cursor = &meter->ship->feeds[i].cursor;
    struct laz_ship_mark *mark = &meter->marks[i];
    bool has_passed = cursor->segment > mark->at.segment ||
            (cursor->segment == mark->at.segment && cursor->offset >= mark->at.offset);
    if (has_passed || mark->since_ns == 0) {
        mark->at = laz_spool_end(meter->ship->ledger.spool);
        mark->since_ns = now_ns;
    }
    return (now_ns - mark->since_ns) / NS_PER_S;
}

static void tell_sink(
        struct laz_ship_meter *meter, const struct laz_ship_counts *now, size_t i, uint64_t now_ns)
{
    const struct laz_ship *ship = meter->ship;
    const struct laz_feed *feed = &ship->feeds[i];
    const struct laz_ship_counts *before = &meter->told;
    uint64_t backlog = laz_ship_backlog(ship, feed);
    const struct laz_emf_text dimensions[] = {
            {"Policy", ship->orders.name}, {"Sink", feed->config->name}};
    const struct laz_emf_text properties[] = {{"Host", ship->host}};
    const struct laz_emf_metric metrics[] = {
            {"SinkUp", "Count", feed->is_down ? 0 : 1},
            {"SinkRecords", "Count", since(now->arrived[i], before->arrived[i])},
            {"SinkRejected", "Count", since(now->rejected[i], before->rejected[i])},
            {"SinkBacklogBytes", "Bytes", backlog},
            {"SinkBehindSeconds", "Seconds", behind_s(meter, i, now_ns)},
    };
    const struct laz_emf_line line = {.space = meter->config->space,
            .time_ms = now_ms(),
            .dimensions = dimensions,
            .n_dimensions = 2,
            .properties = properties,
            .n_properties = 1,
            .metrics = metrics,
            .n_metrics = sizeof(metrics) / sizeof(metrics[0])};
    tell_line(meter, &line);
}

/* Of the service, where it is known: what a rollout of it watches. */
static void tell_vitals(struct laz_ship_meter *meter)
{
    const struct laz_ship *ship = meter->ship;
    const struct laz_ecs_facts *facts = laz_ship_ecs_facts(ship);
    bool has_service = facts != NULL && facts->service[0] != '\0';
    const struct laz_emf_text dimensions[] = {
            {"Policy", ship->orders.name}, {"Service", has_service ? facts->service : ""}};
    const struct laz_emf_text properties[] = {{"Host", ship->host},
            {"TaskId", facts == NULL ? "" : laz_ecs_task_id(facts)},
            {"Revision", facts == NULL ? "" : facts->revision}};
    struct laz_emf_metric metrics[LAZ_SHIP_VITALS_METRICS];
    const struct laz_emf_line line = {.space = meter->config->space,
            .time_ms = now_ms(),
            .dimensions = dimensions,
            .n_dimensions = has_service ? 2 : 1,
            .properties = properties,
            .n_properties = facts == NULL ? 1 : 3,
            .metrics = metrics,
            .n_metrics = LAZ_SHIP_VITALS_METRICS};
    if (laz_ship_vitals_put(ship, &meter->vitals, metrics)) {
        tell_line(meter, &line);
    }
}

void laz_ship_count_event(struct laz_ship *ship, const char *line, size_t length)
{
    static const char start[] = "{\"lz\":1,\"ev\":\"";
    static const char *const prefixes[] = {
#define X(id, prefix, metric) prefix,
            LAZ_SHIP_EVENT_KINDS(X)
#undef X
    };
    const size_t skip = sizeof(start) - 1;
    for (size_t i = 0; i < LAZ_SHIP_EVENT_KIND_COUNT; i++) {
        size_t n = strlen(prefixes[i]);
        ship->counts.events[i] +=
                length > skip + n && memcmp(line + skip, prefixes[i], n) == 0 ? 1 : 0;
    }
    bool is_due = laz_ship_vitals_note(ship, line, length);
    for (size_t i = 0; i < ship->n_meters && is_due; i++) {
        tell_vitals(&ship->meters[i]);
    }
}

static void tell(struct laz_ship_meter *meter)
{
    const struct laz_ship_counts now = collect(meter->ship);
    uint64_t now_ns = laz_ship_now_ns();
    tell_all(meter, &now);
    tell_vitals(meter);
    for (size_t i = 0; i < meter->ship->n_feeds; i++) {
        tell_sink(meter, &now, i, now_ns);
    }
    meter->told = now;
}

bool laz_ship_meters_finish(struct laz_ship *ship)
{
    bool all = true;
    for (size_t i = 0; i < ship->n_meters; i++) {
        struct laz_ship_meter *meter = &ship->meters[i];
        if (meter->wants && !meter->is_done) {
            meter->is_done = true;
            tell(meter);
            laz_sink_flush(meter->sink);
        }
        bool is_out = meter->is_done && meter->arrived >= meter->ticket;
        all = all && (is_out || meter->is_down);
    }
    return all;
}

/* ---- the sink that carries them ---- */

static void tell_trouble(
        struct laz_ship_meter *meter, const char *ev, const char *act, const char *why)
{
    laz_ship_note_message(meter->ship, ev, TROUBLE_SEVERITY, meter->config->name, act, why);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    tell(context);
}

static void on_arrived(void *context, uint64_t ticket)
{
    struct laz_ship_meter *meter = context;
    meter->arrived = ticket;
}

static void on_rejected(void *context, uint64_t ticket, const char *why)
{
    struct laz_ship_meter *meter = context;
    (void)ticket;
    meter->lost++;
    tell_trouble(meter, "sink.reject", "rejected", why);
}

/* After a break, what was under way is not said again. */
static void on_wants(void *context, uint64_t ticket)
{
    struct laz_ship_meter *meter = context;
    if (meter->is_down) {
        meter->is_down = false;
        laz_ship_note(meter->ship, "sink.up", 2, meter->config->name, "connected", "");
    }
    meter->lost += since(meter->ticket, ticket);
    meter->ticket = meter->arrived = ticket; /* it begins anew behind this one */
    meter->wants = true;
}

static void on_down(void *context, const char *why)
{
    struct laz_ship_meter *meter = context;
    meter->wants = false;
    meter->is_down = true;
    tell_trouble(meter, "sink.down", "waits", why);
}

static void on_corrected(void *context, int64_t seconds)
{
    const struct laz_ship_meter *meter = context;
    laz_ship_note_clock(meter->ship, meter->config->name, seconds);
}

/* ---- its life ---- */

int laz_ship_meter_files(
        struct laz_ship *ship, const struct laz_ship_sink *config, struct laz_err *err)
{
    struct laz_ship_meter *meter = &ship->meters[ship->n_meters++];
    meter->ship = ship;
    meter->config = config;
    meter->as = *config;
    meter->as.type = config->group[0] == '\0' ? LAZ_SINK_STDOUT : LAZ_SINK_CLOUDWATCH;
    return laz_sink_files_open(&meter->as, &ship->orders.config.workload, &meter->tls, err);
}

static int open_meter(struct laz_ship *ship, struct laz_ship_meter *meter, struct laz_err *err)
{
    const struct laz_sink_means means = {.base = ship->base,
            .fd = ship->orders.outputs[LAZ_STREAM_STDOUT],
            .host = ship->host,
            .tls_profile = ship->orders.config.tls_profile,
            .tls_files = &meter->tls,
            .policy = ship->orders.name,
            .task = laz_ship_ecs_task_id(ship),
            .aws = &ship->aws};
    const struct laz_sink_owner owner = {.arrived = on_arrived,
            .rejected = on_rejected,
            .wants = on_wants,
            .down = on_down,
            .corrected = on_corrected,
            .context = meter};
    const struct timeval interval = {.tv_sec = meter->config->interval_ms / MS_PER_S,
            .tv_usec = (suseconds_t)(meter->config->interval_ms % MS_PER_S) * 1000};
    int result = laz_sink_open(&meter->as, &means, &owner, &meter->sink, err);
    laz_tls_files_close(&meter->tls);
    if (result < 0) {
        return -1;
    }
    meter->told = collect(ship);
    meter->timer = event_new(ship->base, -1, EV_PERSIST, on_timer, meter);
    if (meter->timer == NULL || event_add(meter->timer, &interval) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a timer");
    }
    return 0;
}

int laz_ship_meters_open(struct laz_ship *ship, struct laz_err *err)
{
    for (size_t i = 0; i < ship->n_meters; i++) {
        if (open_meter(ship, &ship->meters[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
