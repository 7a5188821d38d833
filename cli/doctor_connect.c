/* SPDX-License-Identifier: Apache-2.0
 *
 * Is anybody there? Looks a name up as lazaret-helper does, connects, and says nothing.
 */
#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "net/dial.h"

#define WAIT_MS 3000 /* for the name, and for each address */
#define LONG_S  15   /* for all of it */

struct outcome {
    struct event_base *base;
    bool has;
    char *why;
    size_t size;
};

static void on_connected(void *context, int fd)
{
    struct outcome *outcome = context;
    outcome->has = true;
    (void)close(fd);
    (void)event_base_loopbreak(outcome->base);
}

static void on_failed(void *context, const char *why)
{
    struct outcome *outcome = context;
    (void)snprintf(outcome->why, outcome->size, "%s", why);
    (void)event_base_loopbreak(outcome->base);
}

bool laz_doctor_connect(const struct laz_doctor_peer *peer, char *ret_why, size_t size)
{
    struct outcome outcome = {.base = event_base_new(), .why = ret_why, .size = size};
    const struct laz_dial_plan plan = {.host = peer->host,
            .port = peer->port,
            .datagram = peer->is_datagram,
            .wait_ms = WAIT_MS,
            .unsent_ms = WAIT_MS};
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = &outcome};
    const struct timeval longest = {.tv_sec = LONG_S};
    struct laz_dial *dial = NULL;
    struct laz_err err = {0};
    (void)snprintf(ret_why, size, "no answer within %d seconds", LONG_S);
    if (outcome.base == NULL) {
        (void)snprintf(ret_why, size, "no memory for an event loop");
    } else if (laz_dial_new(outcome.base, &plan, &owner, &dial, &err) < 0) {
        (void)snprintf(ret_why, size, "%s", err.message);
    } else {
        laz_dial_start(dial);
        (void)event_base_loopexit(outcome.base, &longest);
        (void)event_base_dispatch(outcome.base);
    }
    laz_dial_free(dial);
    if (outcome.base != NULL) {
        event_base_free(outcome.base);
    }
    return outcome.has;
}
