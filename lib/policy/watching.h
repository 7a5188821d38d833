/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about health: the decoded form that lazaret-helper gets, what PID 1
 * keeps for itself, and where each check was said.
 */
#ifndef LAZ_POLICY_WATCHING_H
#define LAZ_POLICY_WATCHING_H

#include "policy/diagnostic.h"
#include "policy/health.h"

struct laz_policy;
struct laz_node;

struct laz_health_command {
    uint32_t n;
    const char *first; /* the words, each ended by NUL, back to back; owned by the policy */
    size_t length;     /* of all of them */
};

/* Without `is_said` nothing of it counts. */
struct laz_watching {
    bool is_said;
    struct laz_health_config config; /* strings owned by the policy */
    uint32_t identity;               /* which of the secrets', where there is one */
    const char *color;               /* names of variables; "": none */
    const char *version;
    uint32_t n_commands;
    struct laz_health_command commands[LAZ_HEALTH_COMMANDS_MAX];
    const struct laz_node *checks[LAZ_HEALTH_CHECKS_MAX]; /* of each, where it was said */
};

/* Where this check was said; line 0 if there is none of that name. */
struct laz_pos laz_policy_pos_of_check(const struct laz_policy *policy, const char *name);

/* "200-299" or "200". false: it is neither. */
bool laz_status_split(const char *text, uint16_t *ret_min, uint16_t *ret_max);

#endif
