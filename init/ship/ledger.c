/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger of `ship`: what came by the streams becomes records of the chain, and the records one
 * block of the spool at a time. Nothing is offered to a sink, and no byte of a ring is given up,
 * before that block is appended. What outlives it: kept.c.
 */
#include "init/ship/ledger.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/json.h"
#include "init/ship/events.h"
#include "init/ship/kept.h"

#define CURSORS_NS      UINT64_C(1000000000)
#define FULL_CURSORS_NS UINT64_C(5000000)
#define AGAIN_US        200000 /* after the spool has refused a block */
#define MESSAGE_MAX     1024   /* escaped */

static struct timeval timeval_of_ms(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* ---- room ---- */

/* Room for another full batch, and the reserve stays? */
static bool has_room(const struct laz_ship *ship)
{
    const struct laz_ship_config *config = &ship->orders.config;
    uint64_t kept = (uint64_t)config->spool_segment_bytes + LAZ_SHIP_BATCH;
    return laz_spool_used(ship->ledger.spool) + kept < config->spool_max_bytes;
}

/* Losing one costs records that come twice; what all have had, nobody needs. */
static void save_cursors(struct laz_ship *ship, uint64_t pace_ns)
{
    uint64_t now_ns = laz_ship_now_ns();
    if (now_ns < ship->ledger.cursors_ns + pace_ns) {
        return;
    }
    ship->ledger.cursors_ns = now_ns;
    struct laz_spool_at least = laz_spool_end(ship->ledger.spool);
    for (size_t i = 0; i < ship->n_feeds; i++) {
        struct laz_spool_at at = ship->feeds[i].cursor;
        laz_ship_feed_save(&ship->feeds[i]);
        bool is_before = at.segment < least.segment ||
                (at.segment == least.segment && at.offset < least.offset);
        least = is_before ? at : least;
    }
    laz_spool_release(ship->ledger.spool, least);
}

/* No room: first see what all sinks have had; then wait a little, for a sink that is merely slower
 * than the workload; then go on without what finds no room, unless the policy says otherwise. */
static bool must_wait(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    if (!has_room(ship)) {
        save_cursors(ship, FULL_CURSORS_NS);
    }
    if (has_room(ship)) {
        ledger->full_ns = 0;
        return false;
    }
    uint64_t now_ns = laz_ship_now_ns();
    ledger->full_ns = ledger->full_ns == 0 ? now_ns : ledger->full_ns;
    bool has_patience = ship->is_finishing || ship->orders.config.logs_block ||
            now_ns - ledger->full_ns < LAZ_SHIP_PATIENCE_NS;
    return has_patience && !ship->gives_up;
}

/* ---- appending ---- */

static struct laz_anchors collect_anchors(
        const struct laz_ship *ship, struct laz_anchor items[LAZ_SHIP_SINKS_MAX])
{
    struct laz_anchors anchors = {.items = items};
    for (size_t i = 0; i < ship->n_feeds; i++) {
        if (ship->feeds[i].has_anchor) {
            items[anchors.n++] = ship->feeds[i].anchor;
        }
    }
    return anchors;
}

static void sync_later(struct laz_ship *ship, bool is_urgent)
{
    const struct laz_ship_config *config = &ship->orders.config;
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct timeval wait =
            timeval_of_ms(is_urgent ? config->sync_audit_ms : config->sync_log_ms);
    if (is_urgent || !ledger->sync_due) {
        (void)event_add(ledger->sync, &wait);
    }
    ledger->sync_due = true;
}

void laz_ship_ledger_release(struct laz_ship *ship)
{
    save_cursors(ship, 0);
}

static void stick(struct laz_ship *ship)
{
    const struct timeval again = {.tv_usec = AGAIN_US};
    ship->ledger.is_stuck = true;
    if (ship->ledger.stuck_ns == 0) {
        ship->ledger.stuck_ns = laz_ship_now_ns();
    }
    (void)event_add(ship->ledger.again, &again);
}

/* The batch is in the spool: the streams are done with what it holds. */
static void appended(struct laz_ship *ship, struct laz_spool_at at)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    ledger->block++;
    laz_ship_kept_forget_slot(ship);
    ledger->stuck_ns = 0;
    ledger->sheds = false;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        laz_ship_stream_recorded(&ship->streams[i]);
    }
    if (ledger->has_start) {
        ship->state->start_at = (uint64_t)at.segment << 32 | at.offset;
    }
    laz_ship_kept_save_dropped(ship);
    sync_later(ship, ledger->batch_urgent);
    struct laz_buf old = ledger->hot;
    ledger->hot = ledger->batch;
    ledger->hot_at = at;
    ledger->hot_next = laz_spool_end(ledger->spool);
    ledger->batch = old;
    ledger->batch.len = 0;
    ledger->batch.overflow = false;
    ledger->batch_urgent = ledger->has_start = false;
    ledger->batch_first = laz_chain_next(ledger->chain);
}

static bool append(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_err err = {0};
    uint8_t meta[LAZ_SPOOL_META_MAX];
    struct laz_place place;
    const struct laz_spool_block block = {
            .meta = meta,
            .meta_length = laz_ship_kept_words(ship, meta),
            .records = ledger->batch.data,
            .length = ledger->batch.len,
            .first_seq = ledger->batch_first,
            .n_records = (uint32_t)(laz_chain_next(ledger->chain) - ledger->batch_first),
            .urgent = ledger->batch_urgent,
    };
    laz_chain_place(ledger->chain, &place);
    struct laz_spool_at at = laz_spool_end(ledger->spool);
    if (laz_ship_kept_save_slot(ship, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
    if (laz_spool_append(ledger->spool, &block, &place, &err) < 0) {
        stick(ship);
        return false;
    }
    appended(ship, at);
    return true;
}

/* What found no room, if anything did. */
static int put_gap(struct laz_ship *ship, struct laz_err *err)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct laz_lost lost = {
            .count = ledger->dropped_count, .bytes = ledger->dropped_bytes, .why = "spool-full"};
    if (lost.count == 0) {
        return 0;
    }
    ledger->dropped_count = ledger->dropped_bytes = 0;
    ledger->generation++;
    ledger->batch_urgent = true;
    return laz_chain_gap(ledger->chain, laz_ship_wall(), &lost, &ledger->batch, err);
}

/* Close what is open, add what is due, append. True if the batch is gone. */
static bool commit(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_err err = {0};
    struct timespec now = laz_ship_wall();
    int result = laz_chain_block(ledger->chain, now, &ledger->batch, &err);
    if (result == 0 && ledger->full_ns == 0) {
        result = put_gap(ship, &err);
    }
    if (result == 0 &&
            laz_chain_unsigned(ledger->chain) >= ship->orders.config.checkpoint_records) {
        struct laz_anchor items[LAZ_SHIP_SINKS_MAX];
        const struct laz_anchors anchors = collect_anchors(ship, items);
        result = laz_chain_checkpoint(ledger->chain, now, &anchors, &ledger->batch, &err);
    }
    if (result < 0) {
        laz_ship_fail(ship, &err);
    }
    return append(ship);
}

/* ---- records ---- */

static void drop_line(struct laz_ship_ledger *ledger, size_t bytes)
{
    ledger->dropped_count++;
    ledger->dropped_bytes += bytes;
    ledger->dropped_lines_ever++;
    ledger->dropped_bytes_ever += bytes;
}

static const char *const stream_names[LAZ_STREAM_COUNT] = {
        [LAZ_STREAM_EVENTS] = "events",
        [LAZ_STREAM_STDOUT] = "stdout",
        [LAZ_STREAM_STDERR] = "stderr",
        [LAZ_STREAM_SENSE] = "sense",
};

static void make_line(struct laz_ship *ship, const struct laz_ship_stream *stream,
        const struct laz_line *line, const struct timespec *now)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_err err = {0};
    const struct laz_record record = {.obj = stream_names[stream->id], .when = *now};
    ledger->members.len = 0;
    ledger->members.overflow = false;
    laz_line_members(line, &ledger->members);
    laz_ship_count_line(ship, line);
    if (ledger->members.overflow ||
            laz_chain_log(ledger->chain, &record, ledger->members.data, ledger->members.len,
                    &ledger->batch, &err) < 0) {
        drop_line(ledger, line->length); /* larger than any record may be */
    }
    if (laz_chain_open_bytes(ledger->chain) >= LAZ_BLOCK_BYTES &&
            laz_chain_block(ledger->chain, *now, &ledger->batch, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
}

static void make_lines(struct laz_ship *ship, struct laz_ship_stream *stream)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    if (stream->pipe < 0 || (!ledger->sheds && must_wait(ship))) {
        return;
    }
    bool drops = ledger->sheds || ledger->full_ns != 0;
    size_t length = 0;
    const char *window = laz_ship_stream_window(stream, &length);
    const struct timespec now = laz_ship_wall();
    while (length > 0 && ledger->batch.len < LAZ_SHIP_BATCH) {
        struct laz_line line;
        size_t n = laz_lines_next(stream->lines, window, length, stream->until, &line);
        if (n == 0) {
            break;
        }
        if (drops) {
            drop_line(ledger, n);
        } else {
            make_line(ship, stream, &line, &now);
        }
        stream->framed += n;
        window += n;
        length -= n;
    }
    if (drops) { /* the batch may be empty: the rings go on all the same */
        laz_ship_stream_recorded(stream);
        laz_ship_kept_save_dropped(ship);
    }
}

/* What the workload says comes behind the record of its start, which was written before it ran. */
static void make_start(struct laz_ship *ship)
{
    if (ship->state->start_at == 0 && !ship->ledger.has_start) {
        (void)laz_ship_stream_take(&ship->streams[LAZ_STREAM_EVENTS]);
        laz_ship_events_make(ship, LAZ_STREAM_EVENTS);
    }
}

static void offer(struct laz_ship *ship)
{
    for (size_t i = 0; i < ship->n_feeds; i++) {
        laz_ship_feed_turn(&ship->feeds[i]);
    }
}

void laz_ship_ledger_turn(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    bool again = true;
    while (again && !ledger->is_stuck && !ledger->is_final) {
        make_start(ship);
        make_lines(ship, &ship->streams[LAZ_STREAM_STDOUT]);
        make_lines(ship, &ship->streams[LAZ_STREAM_STDERR]);
        laz_ship_events_make(ship, LAZ_STREAM_EVENTS);
        laz_ship_events_make(ship, LAZ_STREAM_SENSE);
        laz_ship_events_tell_refused(ship);
        again = ledger->batch.len >= LAZ_SHIP_BATCH;
        if (ledger->batch.len == 0 || !commit(ship)) {
            break;
        }
        offer(ship); /* while the block is at hand */
    }
    if (ledger->is_stuck && ledger->sheds) {
        make_lines(ship, &ship->streams[LAZ_STREAM_STDOUT]);
        make_lines(ship, &ship->streams[LAZ_STREAM_STDERR]);
    }
    offer(ship);
    laz_ship_look(ship); /* a sink that wants none of it has had it without a word */
    laz_ship_gauges_look(ship);
}

void laz_ship_note(struct laz_ship *ship, const char *ev, int severity, const char *obj,
        const char *act, const char *members)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct laz_bytes said = {.at = members, .length = strlen(members)};
    struct laz_err err = {0};
    const struct laz_record record = {.ev = ev,
            .severity = severity,
            .exe = "",
            .obj = obj,
            .act = act,
            .when = laz_ship_wall()};
    if (ledger->is_final) {
        return;
    }
    ship->hidden.masked.len = 0;
    if (laz_ship_mask(ledger->redactor, LAZ_SHIP_MEMBERS, &said, &ship->hidden.masked)) {
        members = ship->hidden.masked.data;
    }
    ship->state->notes++; /* first: a kill may count one too many, and never one too few */
    if (laz_chain_event(ledger->chain, &record, members, strlen(members), &ledger->batch, &err) <
            0) {
        laz_ship_fail(ship, &err);
    }
    ledger->batch_urgent = true;
    if (ledger->soon != NULL) {
        event_active(ledger->soon, 0, 0); /* not from here: it is said in the midst of things */
    }
}

void laz_ship_note_message(struct laz_ship *ship, const char *ev, int severity, const char *obj,
        const char *act, const char *message)
{
    char memory[MESSAGE_MAX];
    struct laz_buf members;
    struct laz_json json;
    laz_buf_init_fixed(&members, memory, sizeof(memory));
    laz_json_init(&json, &members);
    laz_json_string(&json, "message", message);
    laz_ship_note(ship, ev, severity, obj, act, members.overflow ? "" : members.data);
}

void laz_ship_note_clock(struct laz_ship *ship, const char *sink, int64_t seconds)
{
    char members[64];
    (void)snprintf(members, sizeof(members), "\"seconds\":%" PRId64, seconds);
    laz_ship_note(ship, "sink.clock", 5, sink, "corrected", members);
}

static void on_soon(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    laz_ship_ledger_turn(context);
}

/* ---- a disk that takes nothing ---- */

/* The disk takes nothing, though the spool would have room: as where it has none, lines are counted
 * and dropped. Those of the batch have numbers already, so back to the last block, as a successor
 * would begin; records of other sorts are made again from init's ring, and wait. */
static void shed(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct laz_ship_slot *slot = NULL;
    struct laz_chain *chain = NULL;
    uint64_t unsaid = 0;
    struct laz_err err = {0};
    if (ledger->is_final || ledger->block == 0 || !laz_ship_kept_find_slot(ship, &slot, &unsaid) ||
            laz_chain_resume(&ship->start, slot->chain, &chain, &err) < 0) {
        return; /* it goes on waiting */
    }
    laz_chain_free(ledger->chain);
    ledger->chain = chain;
    ledger->batch_first = laz_chain_next(chain);
    ledger->batch.len = 0;
    ledger->batch.overflow = false;
    ledger->has_start = false;
    ledger->sheds = true;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (laz_ship_stream_rewound(&ship->streams[i], &err) < 0) {
            laz_ship_fail(ship, &err);
        }
    }
    laz_ship_kept_tell_unsaid(ship, unsaid);
    laz_ship_note(ship, "spool.error", 8, "spool", "refused", "");
    laz_ship_events_make(ship, LAZ_STREAM_EVENTS);
    stick(ship);
}

/* ---- timers ---- */

static void tell_unpassed(struct laz_ship *ship)
{
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        uint64_t unpassed = ship->state->unpassed[i];
        uint64_t *told = &ship->ledger.told[i]; /* it counts when the batch is appended */
        if (unpassed > *told) {
            char members[48];
            (void)snprintf(members, sizeof(members), "\"bytes\":%llu",
                    (unsigned long long)(unpassed - *told));
            laz_ship_note(ship, "log.unpassed", 4, stream_names[i], "skipped", members);
            *told = unpassed;
        }
    }
}

/* Silence is signed too. */
static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship *ship = context;
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_anchor items[LAZ_SHIP_SINKS_MAX];
    struct laz_err err = {0};
    (void)fd;
    (void)what;
    tell_unpassed(ship);
    laz_ship_ledger_turn(ship);
    const struct laz_anchors anchors = collect_anchors(ship, items);
    if (ledger->is_stuck || ledger->is_final) {
        return;
    }
    ledger->batch_urgent = true;
    if (put_gap(ship, &err) < 0 ||
            laz_chain_checkpoint(ledger->chain, laz_ship_wall(), &anchors, &ledger->batch, &err) <
                    0) {
        laz_ship_fail(ship, &err);
    }
    (void)append(ship);
    laz_ship_ledger_turn(ship);
}

static void on_sync(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship *ship = context;
    struct laz_err err = {0};
    (void)fd;
    (void)what;
    ship->ledger.sync_due = false;
    bool fails = laz_spool_sync(ship->ledger.spool, &err) < 0;
    if (fails && !ship->ledger.sync_fails) { /* once, until it does not */
        laz_ship_note(ship, "spool.error", 8, "spool", laz_err_errno_name(err.sys_errno), "");
    }
    ship->ledger.sync_fails = fails;
    if (fails) {
        const struct timeval again = {.tv_usec = AGAIN_US};
        ship->ledger.sync_due = true;
        (void)event_add(ship->ledger.sync, &again);
    }
    save_cursors(ship, CURSORS_NS);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship *ship = context;
    struct laz_ship_ledger *ledger = &ship->ledger;
    (void)fd;
    (void)what;
    ledger->is_stuck = false;
    ledger->batch_urgent = true;         /* what is numbered must go in: the reserve is for that */
    save_cursors(ship, FULL_CURSORS_NS); /* what all sinks have had makes room */
    bool gone = ledger->batch.len == 0 || append(ship);
    bool has_waited = laz_ship_now_ns() - ledger->stuck_ns >= LAZ_SHIP_PATIENCE_NS &&
            !ship->orders.config.logs_block;
    if (!gone && !ledger->sheds && (has_waited || ship->gives_up)) {
        shed(ship);
    }
    laz_ship_ledger_turn(ship);
    if (gone) {
        laz_ship_look(ship);
    }
}

bool laz_ship_ledger_finish(struct laz_ship *ship)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_anchor items[LAZ_SHIP_SINKS_MAX];
    struct laz_err err = {0};
    if (ledger->is_final) {
        return !ledger->is_stuck && ledger->batch.len == 0;
    }
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        ship->streams[i].until = LAZ_LINES_END;
    }
    tell_unpassed(ship);
    laz_ship_rejects_tell(ship);
    laz_ship_ledger_turn(ship);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (ledger->is_stuck || ship->streams[i].framed < ship->streams[i].taken) {
            return false; /* it waits for room */
        }
    }
    const struct laz_anchors anchors = collect_anchors(ship, items);
    ledger->batch_urgent = true;
    if (put_gap(ship, &err) < 0 ||
            laz_chain_final(ledger->chain, laz_ship_wall(), ship->exit_code, &anchors,
                    &ledger->batch, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
    ledger->is_final = true;
    return append(ship) && laz_spool_sync(ledger->spool, &err) == 0;
}

int laz_ship_ledger_begin(struct laz_ship *ship, struct laz_err *err)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct timeval every = timeval_of_ms(ship->orders.config.checkpoint_ms);
    ledger->tick = event_new(ship->base, -1, EV_PERSIST, on_tick, ship);
    ledger->sync = event_new(ship->base, -1, 0, on_sync, ship);
    ledger->soon = event_new(ship->base, -1, 0, on_soon, ship);
    ledger->again = event_new(ship->base, -1, 0, on_again, ship);
    if (ledger->tick == NULL || ledger->sync == NULL || ledger->soon == NULL ||
            ledger->again == NULL || event_add(ledger->tick, &every) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for timers");
    }
    laz_ship_ledger_turn(ship);
    return 0;
}
