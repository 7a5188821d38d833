/* SPDX-License-Identifier: Apache-2.0
 *
 * Task protection of ECS, by the container agent: what holds back a rollout or a scale-in that
 * would stop this task. One question is one of these; whatever passes by itself is asked again
 * until its time is over. The address is a secret, as in net/ecs.h.
 */
#ifndef LAZ_NET_ECS_PROTECTION_H
#define LAZ_NET_ECS_PROTECTION_H

#include <event2/event.h>

#include "net/call.h"

#define LAZ_ECS_MINUTES_MAX 2880 /* as ECS has it */
#define LAZ_ECS_MINUTES     120  /* likewise, where nothing is said */
#define LAZ_ECS_TIME_MAX    32   /* bytes of a time, NUL included */
#define LAZ_ECS_REASON_MAX  64   /* bytes of a code or a reason, NUL included */

enum laz_ecs_question {
    LAZ_ECS_PROTECTED, /* is it? */
    LAZ_ECS_PROTECT,
    LAZ_ECS_RELEASE,
};

/* What ECS says of this task. */
struct laz_ecs_protection {
    bool is_on;
    char until[LAZ_ECS_TIME_MAX]; /* "" where it does not say */
};

/* One of the two, once, from the event loop. */
struct laz_ecs_protection_owner {
    void (*done)(void *context, const struct laz_ecs_protection *protection);
    void (*refused)(void *context, enum laz_call_verdict verdict, const char *why);
    void *context;
};

struct laz_ecs_asking;

struct laz_ecs_protection_plan {
    const char *uri; /* ECS_AGENT_URI */
    enum laz_ecs_question question;
    unsigned minutes; /* to protect it for; 1 to LAZ_ECS_MINUTES_MAX */
    uint32_t wait_ms; /* for an answer, all tries together */
};

/* Begins to ask. LAZ_E_SINK: nobody may be asked there. */
LAZ_MUST_CHECK int laz_ecs_protection_new(struct event_base *base,
        const struct laz_ecs_protection_plan *plan, const struct laz_ecs_protection_owner *owner,
        struct laz_ecs_asking **ret, struct laz_err *err);
void laz_ecs_protection_free(struct laz_ecs_asking *asking);

/* ---- what the agent answers; pure ---- */

/* Of an answer with 200: TAKEN; REFUSED where ECS does not do it, which it says with 200 too, or
 * where the answer is none. Of any other: by its status and its code. `why` says which it was. */
enum laz_call_verdict laz_ecs_judge_protection(unsigned status, const char *text, size_t length,
        struct laz_ecs_protection *ret, char why[LAZ_ERR_MESSAGE_MAX]);

#endif
