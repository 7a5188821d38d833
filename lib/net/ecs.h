/* SPDX-License-Identifier: Apache-2.0
 *
 * What the container agent of ECS says of the task (task metadata, version 4, else 3): asked once,
 * within a few seconds, and never again. Nobody but the agent's link-local address or this host is
 * asked. The path of that address holds an id that is as good as a password for whoever is on the
 * instance: it is in no message, and neither is anything of an answer that was not understood.
 */
#ifndef LAZ_NET_ECS_H
#define LAZ_NET_ECS_H

#include <event2/event.h>

#include "core/err.h"

#define LAZ_ECS_ARN_MAX    400 /* account, region, 255 of a cluster's name, 32 of an id */
#define LAZ_ECS_NAME_MAX   255 /* as the services name clusters, families and services */
#define LAZ_ECS_WORD_MAX   63
#define LAZ_ECS_DIGEST_MAX 127
#define LAZ_ECS_BODY_MAX   (512U << 10) /* bytes of an answer; ten containers have some 40 KiB */
#define LAZ_ECS_TRIES      3
#define LAZ_ECS_WHOLE_MS   4000 /* for all of it */

/* "" where it is not known. Plain data: it is kept in memory that a crashed process leaves. */
struct laz_ecs_facts {
    char task[LAZ_ECS_ARN_MAX + 1]; /* its ARN */
    char container[LAZ_ECS_ARN_MAX + 1];
    char cluster[LAZ_ECS_NAME_MAX + 1]; /* its name, also where the agent has its ARN */
    char family[LAZ_ECS_NAME_MAX + 1];
    char service[LAZ_ECS_NAME_MAX + 1];
    char revision[LAZ_ECS_WORD_MAX + 1];
    char az[LAZ_ECS_WORD_MAX + 1];
    char launch_type[LAZ_ECS_WORD_MAX + 1];
    char clock[LAZ_ECS_WORD_MAX + 1]; /* SYNCHRONIZED or NOT_SYNCHRONIZED */
    char image[LAZ_ECS_DIGEST_MAX + 1];
    uint64_t clock_error_us;
    uint64_t storage_used_mib; /* of the task's own storage */
    uint64_t storage_mib;      /* 0: it does not say */
    bool has_clock_error;
};

/* Of an answer about this container, or about its task: what is there is added, what is not, or is
 * of another type, stays. LAZ_E_SINK: not JSON, or no object. */
LAZ_MUST_CHECK int laz_ecs_parse_container(
        const char *text, size_t length, struct laz_ecs_facts *facts, struct laz_err *err);
LAZ_MUST_CHECK int laz_ecs_parse_task(
        const char *text, size_t length, struct laz_ecs_facts *facts, struct laz_err *err);

/* http from the agent's address or from this host. */
LAZ_MUST_CHECK bool laz_ecs_may_ask(const char *uri);
/* The port of such an address; 0 if it is none. */
uint16_t laz_ecs_port(const char *uri);
/* The task's id: what stands behind the last slash of its ARN. */
const char *laz_ecs_task_id(const struct laz_ecs_facts *facts);

/* What the environment says, "" where it says nothing; borrowed. */
struct laz_ecs_environment {
    const char *uri;    /* ECS_CONTAINER_METADATA_URI_V4 */
    const char *uri_v3; /* ECS_CONTAINER_METADATA_URI */
};

/* Once, from the event loop: `why` is "" where everything was understood. Without a task's ARN
 * nothing is known. */
struct laz_ecs_owner {
    void (*done)(void *context, const struct laz_ecs_facts *facts, const char *why);
    void *context;
};

struct laz_ecs;

/* Begins to ask. LAZ_E_SINK: there is nobody who may be asked. */
LAZ_MUST_CHECK int laz_ecs_new(struct event_base *base,
        const struct laz_ecs_environment *environment, const struct laz_ecs_owner *owner,
        struct laz_ecs **ret, struct laz_err *err);
void laz_ecs_free(struct laz_ecs *ecs);

#endif
