/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sink rejects, as records: one at once, then one for each interval, with a count. Must
 * never make a record because a record of that sort was rejected: that would have no end.
 */
#include <stdio.h>

#include "init/ship/ship.h"

#define REASON_MAX    1024 /* escaped */
#define REFUSED_START "it has rejected a record of the start"

/* In the state: it outlives us. */
static uint64_t *count_of(const struct laz_feed *feed)
{
    return &feed->ship->state->rejected[feed - feed->ship->feeds];
}

static uint64_t bit_of(const struct laz_feed *feed)
{
    return UINT64_C(1) << (feed - feed->ship->feeds);
}

static void tell(struct laz_feed *feed)
{
    struct laz_rejects *rejects = &feed->rejects;
    char memory[REASON_MAX];
    struct laz_buf members;
    struct laz_json json;
    laz_buf_init_fixed(&members, memory, sizeof(memory));
    laz_json_init(&json, &members);
    laz_json_u64(&json, "count", *count_of(feed));
    laz_json_string(&json, "message", rejects->why);
    rejects->is_due = false;
    rejects->told_ns = laz_ship_now_ns();
    laz_ship_note(feed->ship, "sink.reject", 7, feed->config->name, "rejected",
            members.overflow ? "" : members.data);
    *count_of(feed) = 0; /* a kill in between counts them twice, and never not at all */
}

static void on_interval(evutil_socket_t fd, short what, void *context)
{
    struct laz_feed *feed = context;
    (void)fd;
    (void)what;
    if (feed->rejects.is_due) {
        tell(feed);
    }
}

/* Now, or when the interval is over. */
static void tell_in_time(struct laz_feed *feed)
{
    const struct laz_rejects *rejects = &feed->rejects;
    uint64_t past_ns = laz_ship_now_ns() - rejects->told_ns;
    if (rejects->told_ns == 0 || past_ns >= LAZ_REJECT_INTERVAL_NS) {
        tell(feed);
        return;
    }
    uint64_t left_us = (LAZ_REJECT_INTERVAL_NS - past_ns) / 1000 + 1;
    const struct timeval left = {
            .tv_sec = (time_t)(left_us / 1000000), .tv_usec = (suseconds_t)(left_us % 1000000)};
    (void)event_add(rejects->timer, &left);
}

bool laz_ship_rejects_start(const struct laz_feed *feed)
{
    return (feed->ship->state->refused_start & bit_of(feed)) != 0;
}

/* Of this run's chain, and not behind the record of the start. */
static bool is_of_start(const struct laz_feed *feed, uint64_t ticket)
{
    uint64_t start_at = feed->ship->state->start_at;
    for (size_t i = 0; i < feed->n_blocks; i++) {
        const struct laz_feed_block *block = &feed->blocks[i];
        uint64_t at = (uint64_t)block->at.segment << 32 | block->at.offset;
        if (ticket >= block->first_ticket && ticket - block->first_ticket < block->n) {
            return block->has_place && (start_at == 0 || at <= start_at);
        }
    }
    return false;
}

/* What is rejected counts as arrived from here on: whoever waits for the start is not to take that
 * for an acknowledgement. In the state, since a successor finds the cursor behind it. */
static void note_start(struct laz_feed *feed, uint64_t ticket, const char *why)
{
    struct laz_ship *ship = feed->ship;
    if (ship->orders.config.durability_acked && feed->config->required && !ship->acked_said &&
            is_of_start(feed, ticket)) {
        ship->state->refused_start |= bit_of(feed);
        (void)snprintf(feed->rejects.start_why, sizeof(feed->rejects.start_why), "%s: %.300s",
                REFUSED_START, why);
        laz_ship_tell_trouble(ship);
    }
}

int laz_ship_rejects_open(struct laz_feed *feed, struct laz_err *err)
{
    if (laz_ship_rejects_start(feed)) {
        (void)snprintf(feed->rejects.start_why, sizeof(feed->rejects.start_why), REFUSED_START);
    }
    feed->rejects.timer = event_new(feed->ship->base, -1, 0, on_interval, feed);
    return feed->rejects.timer != NULL ? 0
                                       : laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a timer");
}

void laz_ship_rejects_offered(struct laz_feed *feed, uint64_t ticket)
{
    struct laz_rejects *rejects = &feed->rejects;
    if (ticket > rejects->own[rejects->n_own % LAZ_REJECT_OWN_MAX]) { /* else it is a repetition */
        rejects->own[++rejects->n_own % LAZ_REJECT_OWN_MAX] = ticket;
    }
}

static bool is_own(const struct laz_rejects *rejects, uint64_t ticket)
{
    bool found = false;
    for (size_t i = 0; i < LAZ_REJECT_OWN_MAX; i++) {
        found = found || rejects->own[i] == ticket;
    }
    return found;
}

void laz_ship_rejects_add(struct laz_feed *feed, uint64_t ticket, const char *why)
{
    struct laz_rejects *rejects = &feed->rejects;
    feed->rejected++;
    ++*count_of(feed);
    note_start(feed, ticket, why);
    if (is_own(rejects, ticket)) {
        return; /* counted, with whatever is told next */
    }
    (void)snprintf(rejects->why, sizeof(rejects->why), "%s", why);
    if (!rejects->is_due) {
        rejects->is_due = true;
        tell_in_time(feed);
    }
}

void laz_ship_rejects_tell(struct laz_ship *ship)
{
    for (size_t i = 0; i < ship->n_feeds; i++) {
        struct laz_feed *feed = &ship->feeds[i];
        if (*count_of(feed) > 0) {
            tell(feed);
        }
    }
}
