/* SPDX-License-Identifier: Apache-2.0
 *
 * One string of JSON, made anew each time; of a change that is over within a second nobody hears.
 */
#include "init/ship/gauges.h"

#include "core/json.h"
#include "init/ship/ecs.h"
#include "init/ship/ship.h"

#define NS_PER_S UINT64_C(1000000000)
#define LEAST_NS NS_PER_S        /* between two of them */
#define MOST_NS  (10 * NS_PER_S) /* a new helper hears of it within that time */
#define PARTS    20              /* of the spool: what of it fills or empties is a change */

/* ---- how it stands ---- */

static bool is_full(const struct laz_ship *ship)
{
    return ship->ledger.full_ns != 0 || ship->ledger.is_stuck;
}

static bool is_up(const struct laz_feed *feed)
{
    return feed->has_wanted && !feed->is_down;
}

/* All that readiness can hang on, in a number; never 0. */
static uint64_t stand(const struct laz_ship *ship)
{
    uint64_t most = ship->orders.config.spool_max_bytes;
    uint64_t stand = 2U | (is_full(ship) ? 1U : 0U);
    for (size_t i = 0; i < ship->n_feeds; i++) {
        stand = stand << 2 | (is_up(&ship->feeds[i]) ? 2U : 0U) |
                (ship->feeds[i].arrived_ns != 0 ? 1U : 0U);
    }
    uint64_t part = most == 0 ? 0 : laz_spool_used(ship->ledger.spool) * PARTS / most;
    return stand << 8 | (part < UINT8_MAX ? part : UINT8_MAX);
}

/* ---- telling ---- */

static void put_sink(
        struct laz_json *json, const struct laz_ship *ship, const struct laz_feed *feed)
{
    laz_json_object(json, NULL);
    laz_json_string(json, "sink", feed->config->name);
    laz_json_bool(json, "required", feed->config->required);
    laz_json_bool(json, "up", is_up(feed));
    laz_json_u64(json, "behind_bytes", laz_ship_backlog(ship, feed));
    laz_json_u64(json, "dropped", feed->rejected + ship->ledger.dropped_lines_ever);
    if (feed->arrived_ns != 0) {
        laz_json_u64(json, "last_ack_age_s", (laz_ship_now_ns() - feed->arrived_ns) / NS_PER_S);
    }
    laz_json_object_end(json);
}

static void put_all(struct laz_buf *text, const struct laz_ship *ship)
{
    struct laz_json json;
    const struct laz_ecs_facts *facts = laz_ship_ecs_facts(ship);
    laz_json_init(&json, text);
    laz_json_object(&json, NULL);
    if (facts != NULL) {
        laz_json_object(&json, "ecs");
        laz_ship_ecs_put(&json, facts);
        laz_json_object_end(&json);
    }
    laz_json_array(&json, "logs");
    for (size_t i = 0; i < ship->n_feeds; i++) {
        put_sink(&json, ship, &ship->feeds[i]);
    }
    laz_json_array_end(&json);
    laz_json_object(&json, "spool");
    laz_json_u64(&json, "used", laz_spool_used(ship->ledger.spool));
    laz_json_u64(&json, "limit", ship->orders.config.spool_max_bytes);
    laz_json_bool(&json, "full", is_full(ship));
    laz_json_object_end(&json);
    laz_json_object_end(&json);
}

/* Of a text that does not fit nothing is told: health says then that it has heard nothing. */
static void tell(struct laz_ship *ship)
{
    char text[LAZ_GAUGES_MAX];
    char memory[LAZ_GAUGES_MAX + LAZ_MESSAGE_HEADER];
    struct laz_buf members;
    struct laz_buf message;
    laz_buf_init_fixed(&members, text, sizeof(text));
    put_all(&members, ship);
    if (members.overflow) {
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_GAUGES);
    laz_message_string(&message, text);
    laz_role_say(ship->ear.chan, &message);
}

static void in_ns(struct event *event, uint64_t ns)
{
    const struct timeval wait = {
            .tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
    (void)evtimer_add(event, &wait); /* fails for want of memory, which timers do not need */
}

static void on_due(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship *ship = context;
    struct laz_ship_gauges *gauges = &ship->gauges;
    (void)fd;
    (void)what;
    gauges->told = stand(ship);
    gauges->told_ns = laz_ship_now_ns();
    tell(ship);
    in_ns(gauges->due, MOST_NS);
}

void laz_ship_gauges_look(struct laz_ship *ship)
{
    struct laz_ship_gauges *gauges = &ship->gauges;
    if (gauges->due == NULL || gauges->told_ns == 0 || stand(ship) == gauges->told) {
        return;
    }
    uint64_t age_ns = laz_ship_now_ns() - gauges->told_ns;
    gauges->told = stand(ship); /* it is under way */
    in_ns(gauges->due, age_ns < LEAST_NS ? LEAST_NS - age_ns : 0);
}

int laz_ship_gauges_begin(struct laz_ship *ship, struct laz_err *err)
{
    ship->gauges.due = evtimer_new(ship->base, on_due, ship);
    if (ship->gauges.due == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a timer");
    }
    in_ns(ship->gauges.due, 0);
    return 0;
}
