/* SPDX-License-Identifier: Apache-2.0
 *
 * One question of a check to a server, over HTTP or gRPC. Knows the check's plan and nothing of the
 * role.
 */
#ifndef LAZ_INIT_HEALTH_TALK_H
#define LAZ_INIT_HEALTH_TALK_H

#include <event2/event.h>

#include "net/resolver.h"
#include "net/tls.h"
#include "policy/health.h"

struct laz_health_talk_plan {
    const struct laz_health_check *check; /* borrowed, as all here */
    const struct laz_tls *tls;            /* NULL: plain */
    struct laz_resolver *resolver;        /* NULL: its own, where there is a name */
};

/* From the event loop. Ended comes once for each start, but not after a stop. */
struct laz_health_talk_owner {
    void (*connected)(void *context);
    void (*ended)(void *context, const char *why); /* NULL: it passed */
    void *context;
};

struct laz_health_talk;

LAZ_MUST_CHECK int laz_health_talk_new(struct event_base *base,
        const struct laz_health_talk_plan *plan, const struct laz_health_talk_owner *owner,
        struct laz_health_talk **ret, struct laz_err *err);
void laz_health_talk_start(struct laz_health_talk *talk);
/* At once; nobody is told. */
void laz_health_talk_stop(struct laz_health_talk *talk);
/* Has the server still to close, perhaps long after its answer? */
bool laz_health_talk_is_open(const struct laz_health_talk *talk);

#endif
