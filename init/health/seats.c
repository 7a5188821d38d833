/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of HTTP: how many, and how long one may take. libevent's server has no ceiling and
 * lets a peer send a byte at a time for ever; whoever has waited longest goes when another comes.
 */
#include <event2/listener.h>
#include <stdlib.h>

#include "init/health/health.h"

#define NS_PER_MS UINT64_C(1000000)
#define AT_ONCE   16 /* accepted by one door, before others have their turn */

static void free_seat(struct laz_health_seat *seat)
{
    *seat = (struct laz_health_seat){0};
}

static void on_left(struct evhttp_connection *connection, void *context)
{
    struct laz_health_seat *seat = context;
    if (seat->connection == connection) {
        free_seat(seat);
    }
}

/* Closes it; on_left follows from within. */
static void send_away(struct laz_health_seat *seat)
{
    struct evhttp_connection *connection = seat->connection;
    if (connection != NULL) {
        evhttp_connection_free(connection);
    }
    free_seat(seat);
}

static void watch_seats(struct laz_health_role *role)
{
    const struct timeval wait = {.tv_sec = LAZ_HEALTH_IDLE_MS / 4 / 1000,
            .tv_usec = (suseconds_t)(LAZ_HEALTH_IDLE_MS / 4 % 1000) * 1000};
    if (!event_pending(role->sweep, EV_TIMEOUT, NULL)) {
        (void)event_add(role->sweep, &wait);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    struct laz_health_role *role = context;
    uint64_t now_ns = laz_health_clock_ns();
    bool has_some = false;
    (void)fd;
    (void)what;
    for (unsigned i = 0; i < LAZ_HEALTH_SEATS; i++) {
        struct laz_health_seat *seat = &role->seats[i];
        if (seat->door != NULL && seat->connection != NULL &&
                now_ns - seat->since_ns >= LAZ_HEALTH_IDLE_MS * NS_PER_MS) {
            send_away(seat);
        }
        has_some = has_some || seat->door != NULL;
    }
    if (has_some) {
        watch_seats(role); /* no wake-up where nobody is */
    }
}

/* libevent's server names its connection to nobody before a request is complete, but to its own
 * callbacks: their argument is it. */
static void learn(struct laz_health_seat *seat)
{
    bufferevent_data_cb reads = NULL;
    void *connection = NULL;
    bufferevent_getcb(seat->newcomer, &reads, NULL, NULL, &connection);
    (void)bufferevent_decref(seat->newcomer);
    seat->newcomer = NULL;
    if (reads == NULL || connection == NULL) { /* there was no memory for it */
        free_seat(seat);
        return;
    }
    seat->connection = connection;
    evhttp_connection_set_closecb(seat->connection, on_left, seat);
}

static void learn_all(struct laz_health_role *role)
{
    for (unsigned i = 0; i < LAZ_HEALTH_SEATS; i++) {
        if (role->seats[i].newcomer != NULL) {
            learn(&role->seats[i]);
        }
    }
}

static void on_census(evutil_socket_t fd, short what, void *context)
{
    struct laz_health_role *role = context;
    (void)fd;
    (void)what;
    learn_all(role);
    for (unsigned i = 0; i < 2; i++) {
        struct laz_health_door *door = &role->doors[i];
        if (door->http != NULL && door->n_at_once >= AT_ONCE) {
            (void)evconnlistener_enable(door->listener);
        }
        door->n_at_once = 0;
    }
    watch_seats(role);
}

int laz_health_make_seats(struct laz_health_role *role, struct laz_err *err)
{
    role->census = event_new(role->base, -1, 0, on_census, role);
    role->sweep = event_new(role->base, -1, 0, on_sweep, role);
    if (role->census == NULL || role->sweep == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

/* NULL: nobody has. */
static struct laz_health_seat *longest_waiting(struct laz_health_role *role)
{
    struct laz_health_seat *oldest = NULL;
    for (unsigned i = 0; i < LAZ_HEALTH_SEATS; i++) {
        struct laz_health_seat *seat = &role->seats[i];
        if (seat->connection != NULL && (oldest == NULL || seat->since_ns < oldest->since_ns)) {
            oldest = seat;
        }
    }
    return oldest;
}

static struct laz_health_seat *make_room(struct laz_health_role *role)
{
    for (unsigned i = 0; i < LAZ_HEALTH_SEATS; i++) {
        if (role->seats[i].door == NULL) {
            return &role->seats[i];
        }
    }
    struct laz_health_seat *oldest = longest_waiting(role);
    if (oldest == NULL) { /* all have come in this turn, and are libevent's by now */
        learn_all(role);
        oldest = longest_waiting(role);
    }
    if (oldest == NULL) { /* there was no memory for any of them */
        return &role->seats[0];
    }
    send_away(oldest);
    return oldest;
}

void laz_health_take_seat(struct laz_health_door *door, struct bufferevent *newcomer)
{
    struct laz_health_seat *seat = make_room(door->role);
    *seat = (struct laz_health_seat){
            .door = door, .newcomer = newcomer, .since_ns = laz_health_clock_ns()};
    bufferevent_incref(newcomer);
    if (++door->n_at_once >= AT_ONCE) {
        (void)evconnlistener_disable(door->listener);
    }
    event_active(door->role->census, 0, 0);
}
