/* SPDX-License-Identifier: Apache-2.0
 *
 * One sink's way through the spool: which block it is at, which of its records the sink wants, and
 * how far everything has arrived. A sink that breaks is offered again what it had not acknowledged;
 * a block is given up only when the whole of it has arrived.
 */
#include "init/ship/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/trail.h"
#include "core/fd.h"
#include "core/num.h"
#include "core/trusted.h"
#include "init/ship/ecs.h"
#include "init/ship/ship.h"

#define NOTHING_YET "it has not acknowledged anything yet"

/* What looks wrong, rather than what was done. Everything of such a name. */
static const char *const ids_events[] = {"seccomp.", "exec.", "net.", "fim.", "cred.", "proc.",
        "signal.", "stop.", "sense.", "helper."};

struct label {
    bool is_log;
    bool is_gap;
    bool is_ids;
    bool is_reject;
    int severity;
};

/* {"lz":1,"ev":"...","sev":N, as all records begin but those of the workload, which are packed, or
 * have no severity. */
static void read_label(const struct laz_packed_item *item, struct label *ret)
{
    static const char front[] = "{\"lz\":1,\"ev\":\"";
    static const char middle[] = "\",\"sev\":";
    const size_t skip = sizeof(front) - 1;
    const char *line = item->line.at;
    size_t length = item->line.length;
    *ret = (struct label){.is_log = item->is_log};
    if (item->is_log || length <= skip) {
        return;
    }
    const char *ev = line + skip;
    const char *quote = memchr(ev, '"', length - skip);
    if (quote == NULL) {
        return;
    }
    size_t n = (size_t)(quote - ev);
    ret->is_log = n == 3 && memcmp(ev, "log", 3) == 0;
    ret->is_gap = n == 9 && memcmp(ev, "chain.gap", 9) == 0;
    ret->is_reject = n == 11 && memcmp(ev, "sink.reject", 11) == 0;
    for (size_t i = 0; i < sizeof(ids_events) / sizeof(ids_events[0]); i++) {
        size_t prefix = strlen(ids_events[i]);
        ret->is_ids = ret->is_ids || (n > prefix && memcmp(ev, ids_events[i], prefix) == 0);
    }
    const char *digits = quote + sizeof(middle) - 1;
    uint64_t severity = 0;
    size_t left = length - (size_t)(quote - line);
    if (left > sizeof(middle) + 2 &&
            laz_parse_u64(digits, strspn(digits, "0123456789"), 10, &severity)) {
        ret->severity = (int)severity;
    }
}

static bool is_for(const struct laz_ship_sink *config, const struct label *label)
{
    bool takes_logs = (config->classes >> LAZ_SHIP_CLASS_LOG & 1) != 0;
    if (label->is_log) {
        return takes_logs;
    }
    if ((config->classes >> LAZ_SHIP_CLASS_AUDIT & 1) != 0) {
        return true; /* all that is chained: with a link missing it would prove nothing */
    }
    bool takes_ids = (config->classes >> LAZ_SHIP_CLASS_IDS & 1) != 0;
    return (takes_logs && label->is_gap) ||
            (takes_ids && label->is_ids && label->severity >= config->min_severity);
}

/* An event of ship's own about this sink. */
static void tell_trouble(
        struct laz_feed *feed, const char *ev, int severity, const char *act, const char *why)
{
    laz_ship_note_message(feed->ship, ev, severity, feed->config->name, act, why);
}

/* ---- blocks ---- */

static struct laz_feed_block *current(struct laz_feed *feed)
{
    return feed->n_blocks == 0 ? NULL : &feed->blocks[feed->n_blocks - 1];
}

static bool has_current(const struct laz_feed *feed)
{
    return feed->n_blocks > 0 && feed->at < feed->text.len;
}

/* Blocks that have arrived whole, from the oldest on. */
static void pop_arrived(struct laz_feed *feed)
{
    size_t n = 0;
    while (n < feed->n_blocks) {
        const struct laz_feed_block *block = &feed->blocks[n];
        bool is_offered = n + 1 < feed->n_blocks || feed->at == feed->text.len;
        if (!is_offered || block->first_ticket + block->n > feed->arrived + 1) {
            break;
        }
        feed->cursor = block->next;
        if (block->has_place) {
            feed->has_anchor = true;
            feed->anchor.seq = block->seq;
            (void)memcpy(feed->anchor.h, block->h, sizeof(block->h));
        }
        n++;
    }
    if (n > 0) {
        feed->ship->state->cursors[feed - feed->ship->feeds] =
                (uint64_t)feed->cursor.segment << 32 | feed->cursor.offset;
    }
    feed->n_blocks -= n;
    (void)memmove(feed->blocks, feed->blocks + n, feed->n_blocks * sizeof(feed->blocks[0]));
}

/* What was appended last is at hand; all else is read back. */
static int read_block(struct laz_feed *feed, struct laz_err *err)
{
    const struct laz_ship_ledger *ledger = &feed->ship->ledger;
    if (ledger->hot.len == 0 || feed->next.segment != ledger->hot_at.segment ||
            feed->next.offset != ledger->hot_at.offset) {
        return laz_spool_read(ledger->spool, &feed->next, &feed->text, err);
    }
    feed->text.len = 0;
    feed->text.overflow = false;
    laz_buf_put(&feed->text, ledger->hot.data, ledger->hot.len);
    if (feed->text.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a block");
    }
    feed->next = ledger->hot_next;
    return 1;
}

static bool read_next(struct laz_feed *feed)
{
    struct laz_err err = {0};
    struct laz_spool_at at = feed->next;
    if (feed->n_blocks == LAZ_FEED_BLOCKS_MAX) {
        return false;
    }
    int got = read_block(feed, &err);
    feed->at = 0;
    laz_unpack_begin(&feed->unpacker);
    if (got <= 0) {
        feed->text.len = 0;
        if (got == 0 || err.kind != LAZ_E_SPOOL_CORRUPT) { /* what is no damage stays to be read */
            return false;
        }
        tell_trouble(feed, "spool.corrupt", 9, "skipped", err.message);
        return true; /* there may be something behind it */
    }
    feed->blocks[feed->n_blocks++] =
            (struct laz_feed_block){.at = at, .next = feed->next, .first_ticket = feed->ticket + 1};
    return true;
}

/* The record that is to be offered next, and its line if the sink takes it. False if it is not to
 * be had now; what is no record at all is told, and passed over. */
struct next {
    struct laz_packed_item item;
    struct label label;
    const char *line; /* NULL: the sink takes none of its class */
    size_t length;
};

static bool read_record(struct laz_feed *feed, struct next *ret)
{
    const char *at = feed->text.data + feed->at;
    *ret = (struct next){0};
    int got = laz_unpack_next(&feed->unpacker, at, feed->text.len - feed->at, &ret->item);
    if (got == 0) { /* whoever made this block had its key and meant no good */
        tell_trouble(feed, "spool.corrupt", 9, "skipped", "a block holds what is no record");
        feed->at = feed->text.len;
    }
    if (got <= 0) {
        return false;
    }
    read_label(&ret->item, &ret->label);
    if (!is_for(feed->config, &ret->label)) {
        return true;
    }
    ret->line = laz_unpack_line(&feed->unpacker, &ret->item, &ret->length);
    return ret->line != NULL;
}

/* For the anchors: the last chained record that the sink has had. Those that an earlier run left
 * are of another chain. */
static void note_place(struct laz_feed *feed, const char *line, size_t length)
{
    struct laz_feed_block *block = current(feed);
    struct laz_trail_line parsed;
    if (laz_trail_parse(laz_trail_find(line, length - 1), &parsed) &&
            parsed.kind != LAZ_TRAIL_LOG &&
            memcmp(parsed.chain, feed->ship->state->chain, sizeof(parsed.chain)) == 0) {
        block->has_place = true;
        block->seq = parsed.seq;
        (void)memcpy(block->h, parsed.h, sizeof(parsed.h));
    }
}

/* Does it tell of what this very sink has rejected? */
static bool is_own_reject(const struct laz_feed *feed, const struct next *next)
{
    char obj[LAZ_SHIP_WORD_MAX];
    if (!next->label.is_reject) {
        return false; /* nearly always, and once for each line of the workload */
    }
    int n = snprintf(obj, sizeof(obj), "\"obj\":\"%s\"", feed->config->name);
    return n > 0 && (size_t)n < sizeof(obj) &&
            memmem(next->line, next->length, obj, (size_t)n) != NULL;
}

/* Offer the rest of the block. False if the sink wants no more for now. */
static bool offer_block(struct laz_feed *feed)
{
    while (has_current(feed)) {
        struct next next;
        if (!read_record(feed, &next)) {
            return !has_current(feed);
        }
        if (next.line != NULL) {
            const struct laz_sink_record record = {.text = next.line,
                    .length = next.length,
                    .severity = next.label.severity,
                    .ticket = feed->ticket + 1};
            if (laz_sink_offer(feed->sink, &record) != LAZ_SINK_TAKEN) {
                feed->wants = false;
                return false;
            }
            feed->ticket++;
            current(feed)->n++;
            if (is_own_reject(feed, &next)) {
                laz_ship_rejects_offered(feed, feed->ticket);
            }
            if (!next.label.is_log) {
                note_place(feed, next.line, next.length);
            }
        }
        feed->at += next.item.size;
    }
    return true;
}

void laz_ship_feed_turn(struct laz_feed *feed)
{
    while (feed->wants) {
        if (!has_current(feed)) {
            pop_arrived(feed);
            if (!read_next(feed)) {
                return;
            }
        }
        if (!offer_block(feed)) {
            return;
        }
    }
}

bool laz_ship_feed_is_done(const struct laz_feed *feed)
{
    struct laz_spool_at end = laz_spool_end(feed->ship->ledger.spool);
    return feed->n_blocks == 0 && feed->cursor.segment == end.segment &&
            feed->cursor.offset == end.offset;
}

/* ---- for init's messages ---- */

/* "": nothing. Whether the gate opens is asked until the end begins. */
static const char *why_of(const struct laz_feed *feed)
{
    bool is_for_gate = feed->rejects.start_why[0] != '\0' && !feed->ship->is_finishing;
    return is_for_gate ? feed->rejects.start_why : feed->why;
}

/* Of those with which something is wrong: a required one, if one is; one that is down; before all
 * of them one that keeps the gate shut for good. */
static const struct laz_feed *find_trouble(const struct laz_ship *ship)
{
    const struct laz_feed *found = NULL;
    unsigned most = 0;
    for (size_t i = 0; i < ship->n_feeds; i++) {
        const struct laz_feed *feed = &ship->feeds[i];
        unsigned rank = 1U + (feed->config->required ? 2U : 0U) + (feed->is_down ? 1U : 0U) +
                (why_of(feed) == feed->why ? 0U : 4U);
        if (why_of(feed)[0] != '\0' && rank > most) {
            found = feed;
            most = rank;
        }
    }
    return found;
}

void laz_ship_tell_trouble(struct laz_ship *ship)
{
    char memory[LAZ_ERR_MESSAGE_MAX + 64];
    char text[sizeof(ship->trouble)] = "";
    struct laz_buf message;
    const struct laz_feed *feed = find_trouble(ship);
    if (feed != NULL) {
        (void)snprintf(text, sizeof(text), "sink %s%s: %.300s", feed->config->name,
                feed->config->required ? " (required)" : "", why_of(feed));
    }
    laz_ship_mask_text(ship->ledger.redactor, text, sizeof(text));
    if (strcmp(text, ship->trouble) == 0) {
        return;
    }
    (void)snprintf(ship->trouble, sizeof(ship->trouble), "%s", text);
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_TROUBLE);
    laz_message_string(&message, text);
    laz_role_say(ship->ear.chan, &message);
}

void laz_ship_tell_behind(struct laz_ship *ship)
{
    for (size_t i = 0; i < ship->n_feeds; i++) {
        struct laz_feed *feed = &ship->feeds[i];
        bool is_done = laz_ship_feed_is_done(feed);
        if (is_done || feed->why[0] == '\0') {
            (void)snprintf(feed->why, sizeof(feed->why), "%s",
                    is_done ? "" : "it has not acknowledged everything");
        }
    }
    laz_ship_tell_trouble(ship);
}

/* ---- what the sink says ---- */

static void on_arrived(void *context, uint64_t ticket)
{
    struct laz_feed *feed = context;
    feed->arrived = ticket;
    feed->arrived_ns = laz_ship_now_ns();
    if (feed->why[0] != '\0' && !feed->is_down) {
        feed->why[0] = '\0';
        laz_ship_tell_trouble(feed->ship);
    }
    pop_arrived(feed);
    laz_ship_feed_turn(feed);
    laz_ship_look(feed->ship);
}

/* Back to the record behind `ticket`: it has been offered, and is to be offered again. */
static void rewind_to(struct laz_feed *feed, uint64_t ticket)
{
    size_t i = 0;
    while (i < feed->n_blocks && feed->blocks[i].first_ticket + feed->blocks[i].n <= ticket + 1 &&
            i + 1 < feed->n_blocks) {
        i++;
    }
    feed->at = feed->text.len = 0;
    if (i == feed->n_blocks) {
        return; /* nothing is out */
    }
    uint64_t skip = ticket + 1 - feed->blocks[i].first_ticket;
    feed->next = feed->blocks[i].at;
    feed->n_blocks = i;
    feed->ticket = feed->blocks[i].first_ticket - 1;
    if (!read_next(feed)) {
        return;
    }
    while (skip > 0 && has_current(feed)) {
        struct next next;
        if (!read_record(feed, &next)) {
            return;
        }
        if (next.line != NULL) {
            skip--;
            feed->ticket++;
            current(feed)->n++;
            note_place(feed, next.line, next.length);
        }
        feed->at += next.item.size;
    }
}

static void on_wants(void *context, uint64_t ticket)
{
    struct laz_feed *feed = context;
    if (feed->is_down) {
        feed->is_down = false;
        (void)snprintf(feed->why, sizeof(feed->why), "%s", feed->arrived > 1 ? "" : NOTHING_YET);
        laz_ship_tell_trouble(feed->ship);
        laz_ship_note(feed->ship, "sink.up", 2, feed->config->name, "connected", "");
    }
    if (ticket != feed->ticket) {
        rewind_to(feed, ticket);
    }
    feed->wants = feed->has_wanted = true;
    laz_ship_feed_turn(feed);
    laz_ship_gauges_look(feed->ship);
}

static void on_rejected(void *context, uint64_t ticket, const char *why)
{
    laz_ship_rejects_add(context, ticket, why);
}

static void on_down(void *context, const char *why)
{
    struct laz_feed *feed = context;
    feed->is_down = true;
    feed->wants = false;
    (void)snprintf(feed->why, sizeof(feed->why), "%s", why);
    tell_trouble(feed, "sink.down", 7, "waits", why);
    laz_ship_tell_trouble(feed->ship);
    laz_ship_gauges_look(feed->ship);
}

static void on_corrected(void *context, int64_t seconds)
{
    const struct laz_feed *feed = context;
    laz_ship_note_clock(feed->ship, feed->config->name, seconds);
}

/* Only who starts us may open it, with rights that we have given up: our successor has it. What we
 * had written is in the file that was. */
static void on_moved(void *context, const char *why)
{
    const struct laz_feed *feed = context;
    struct laz_err err = {0};
    if (!feed->ship->is_finishing) { /* nobody would come in time */
        (void)laz_err_set(&err, LAZ_E_SINK, 0, "%s", why);
        laz_ship_fail(feed->ship, &err);
    }
}

/* ---- its life ---- */

/* We are root here, and the workload of before may be at work still: no part of the path may be one
 * that it could lead elsewhere, and the file is the one of the folder that was looked at. */
static int open_trusted(struct laz_feed *feed, struct laz_err *err)
{
    const struct laz_ship_sink *config = feed->config;
    const char *name = strrchr(config->path, '/') + 1;
    char folder[LAZ_SHIP_PATH_MAX];
    struct laz_err why = {0};
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(name - config->path), config->path);
    if (laz_trusted_open_folder(folder, &feed->ship->orders.config.workload, &feed->folder, &why) <
            0) {
        return laz_err_set(err, LAZ_E_SINK, why.sys_errno, "sink %s: %.200s: %s%s", config->name,
                config->path, why.message,
                why.sys_errno == ENOENT ? "; its folder has to be there" : "");
    }
    feed->fd = openat(feed->folder, name,
            O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
    if (feed->fd < 0) {
        return laz_err_set(err, LAZ_E_SINK, errno, "sink %s: %.200s: %s", config->name,
                config->path, strerror(errno));
    }
    if (laz_trusted_check(feed->fd, &feed->ship->orders.config.workload, &why) < 0) {
        return laz_err_set(err, LAZ_E_SINK, why.sys_errno, "sink %s: %.200s %s", config->name,
                config->path, why.message);
    }
    return 0;
}

static int open_file(struct laz_feed *feed, struct laz_err *err)
{
    if (feed->config->type == LAZ_SINK_STDOUT) {
        feed->fd = feed->ship->orders.outputs[LAZ_STREAM_STDOUT];
        return 0;
    }
    if (feed->config->type == LAZ_SINK_OSSEC) {
        return laz_sink_ossec_file(
                feed->config, &feed->ship->orders.config.workload, &feed->fd, err);
    }
    return feed->config->type == LAZ_SINK_FILE ? open_trusted(feed, err) : 0;
}

int laz_ship_feed_files(
        struct laz_ship *ship, const struct laz_ship_sink *config, struct laz_err *err)
{
    struct laz_feed *feed = &ship->feeds[ship->n_feeds++];
    feed->ship = ship;
    feed->config = config;
    feed->fd = feed->folder = -1;
    feed->anchor.sink = feed->config->name;
    return open_file(feed, err) < 0
            ? -1
            : laz_sink_files_open(config, &ship->orders.config.workload, &feed->tls, err);
}

int laz_ship_feed_open(struct laz_feed *feed, struct laz_err *err)
{
    const struct laz_ship *ship = feed->ship;
    laz_buf_init_heap(&feed->text, LAZ_SPOOL_BLOCK_MAX + 1);
    laz_unpack_init(&feed->unpacker);
    /* After a predecessor tickets begin at 2: the sink then knows that half a line may be out. */
    feed->ticket = feed->arrived = ship->state->magic == LAZ_SHIP_STATE_MAGIC ? 1 : 0;
    const struct laz_sink_means means = {.base = ship->base,
            .fd = feed->fd,
            .folder = feed->folder,
            .key_folder = ship->spool_dir,
            .host = ship->host,
            .last_ticket = feed->ticket,
            .tls_profile = ship->orders.config.tls_profile,
            .tls_files = &feed->tls,
            .policy = ship->orders.name,
            .task = laz_ship_ecs_task_id(ship),
            .aws = &ship->aws};
    const struct laz_sink_owner owner = {.arrived = on_arrived,
            .rejected = on_rejected,
            .wants = on_wants,
            .down = on_down,
            .moved = on_moved,
            .corrected = on_corrected,
            .context = feed};
    int result = laz_sink_open(feed->config, &means, &owner, &feed->sink, err);
    laz_tls_files_close(&feed->tls);
    if (feed->config->type == LAZ_SINK_OSSEC) {
        laz_fd_close(&feed->fd);
    }
    return result == 0 ? laz_ship_rejects_open(feed, err) : -1;
}

void laz_ship_feed_begin(struct laz_feed *feed)
{
    uint64_t known = feed->ship->state->cursors[feed - feed->ship->feeds];
    feed->cursor = laz_spool_load_cursor(feed->ship->ledger.spool, feed->config->name);
    if (known != 0) { /* a predecessor's, which had no time to save it */
        feed->cursor = (struct laz_spool_at){
                .segment = (uint32_t)(known >> 32), .offset = (uint32_t)known};
    }
    feed->next = feed->cursor;
    (void)snprintf(feed->why, sizeof(feed->why), "%s", NOTHING_YET);
}

void laz_ship_feed_save(struct laz_feed *feed)
{
    struct laz_err ignored = {0}; /* a cursor that is not saved costs records that come twice */
    laz_ignore(laz_spool_save_cursor(
            feed->ship->ledger.spool, feed->config->name, feed->cursor, &ignored));
}
