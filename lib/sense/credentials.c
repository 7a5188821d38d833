/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares a process with the policy.
 */
#include "sense/credentials.h"

#include <linux/capability.h>

#include "core/format.h"

#define FILTERED     2  /* Seccomp: of /proc/PID/status */
#define GROUPS_SHOWN 16 /* a record has an end */

static bool is_all(const uint32_t ids[4], uint32_t wanted)
{
    return ids[0] == wanted && ids[1] == wanted && ids[2] == wanted && ids[3] == wanted;
}

static bool keeps(const struct laz_sense_config *config, unsigned capability)
{
    return (config->keep_capabilities >> capability & 1) != 0;
}

/* The main group may be listed as a supplementary one too. */
static bool has_only_known_groups(
        const struct laz_process_status *status, const struct laz_sense_config *config)
{
    if (status->n_groups > LAZ_PROCESS_GROUPS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < status->n_groups; i++) {
        bool is_known = status->groups[i] == config->gid;
        for (uint32_t k = 0; k < config->n_groups; k++) {
            is_known = is_known || status->groups[i] == config->groups[k];
        }
        if (!is_known) {
            return false;
        }
    }
    return true;
}

uint32_t laz_credentials_compare(
        const struct laz_process_status *status, const struct laz_sense_config *config)
{
    const struct {
        enum laz_drift drift;
        uint64_t set;
    } sets[] = {{LAZ_DRIFT_CAP_INH, status->cap_inh}, {LAZ_DRIFT_CAP_PRM, status->cap_prm},
            {LAZ_DRIFT_CAP_EFF, status->cap_eff}, {LAZ_DRIFT_CAP_AMB, status->cap_amb}};
    uint32_t found = 0;
    if (!is_all(status->uid, config->uid) && !keeps(config, CAP_SETUID)) {
        found |= 1U << LAZ_DRIFT_UID;
    }
    if (!keeps(config, CAP_SETGID)) {
        found |= is_all(status->gid, config->gid) ? 0 : 1U << LAZ_DRIFT_GID;
        found |= has_only_known_groups(status, config) ? 0 : 1U << LAZ_DRIFT_GROUPS;
    }
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        found |= (sets[i].set & ~config->keep_capabilities) != 0 ? 1U << sets[i].drift : 0;
    }
    if (config->is_bounded && (status->cap_bnd & ~config->keep_capabilities) != 0) {
        found |= 1U << LAZ_DRIFT_CAP_BND;
    }
    found |= status->no_new_privs == 0 ? 1U << LAZ_DRIFT_NO_NEW_PRIVS : 0;
    found |= status->seccomp >= 0 && status->seccomp != FILTERED ? 1U << LAZ_DRIFT_SECCOMP : 0;
    return found;
}

static const char *name_of(enum laz_drift drift)
{
    static const char *const names[] = {
#define X(id, name) name,
            LAZ_DRIFTS(X)
#undef X
    };
    return names[drift];
}

void laz_credentials_name(uint32_t drifts, struct laz_buf *ret)
{
    bool is_first = true;
    for (unsigned i = 0; i < LAZ_DRIFT_COUNT; i++) {
        if ((drifts >> i & 1U) != 0) {
            laz_buf_printf(ret, "%s%s", is_first ? "" : " ", name_of((enum laz_drift)i));
            is_first = false;
        }
    }
}

static void put_list(struct laz_json *json, const char *key, const uint32_t *ids, uint32_t n)
{
    laz_json_array(json, key);
    for (uint32_t i = 0; i < n && i < GROUPS_SHOWN; i++) {
        laz_json_u64(json, NULL, ids[i]);
    }
    laz_json_array_end(json);
}

static void put_set(struct laz_json *json, const char *key, uint64_t set)
{
    char text[24];
    (void)laz_format(text, sizeof(text), "%016llx", (unsigned long long)set);
    laz_json_string(json, key, text);
}

static void put_is(
        struct laz_json *json, enum laz_drift drift, const struct laz_process_status *status)
{
    const char *key = name_of(drift);
    uint32_t n =
            status->n_groups < LAZ_PROCESS_GROUPS_MAX ? status->n_groups : LAZ_PROCESS_GROUPS_MAX;
    switch (drift) {
    case LAZ_DRIFT_UID:
        put_list(json, key, status->uid, 4);
        break;
    case LAZ_DRIFT_GID:
        put_list(json, key, status->gid, 4);
        break;
    case LAZ_DRIFT_GROUPS:
        put_list(json, key, status->groups, n);
        break;
    case LAZ_DRIFT_CAP_INH:
        put_set(json, key, status->cap_inh);
        break;
    case LAZ_DRIFT_CAP_PRM:
        put_set(json, key, status->cap_prm);
        break;
    case LAZ_DRIFT_CAP_EFF:
        put_set(json, key, status->cap_eff);
        break;
    case LAZ_DRIFT_CAP_BND:
        put_set(json, key, status->cap_bnd);
        break;
    case LAZ_DRIFT_CAP_AMB:
        put_set(json, key, status->cap_amb);
        break;
    case LAZ_DRIFT_NO_NEW_PRIVS:
        laz_json_i64(json, key, status->no_new_privs);
        break;
    case LAZ_DRIFT_SECCOMP:
        laz_json_i64(json, key, status->seccomp);
        break;
    case LAZ_DRIFT_COUNT:
        break;
    }
}

static void put_expected(
        struct laz_json *json, enum laz_drift drift, const struct laz_sense_config *config)
{
    const char *key = name_of(drift);
    switch (drift) {
    case LAZ_DRIFT_UID:
        laz_json_u64(json, key, config->uid);
        break;
    case LAZ_DRIFT_GID:
        laz_json_u64(json, key, config->gid);
        break;
    case LAZ_DRIFT_GROUPS:
        put_list(json, key, config->groups, config->n_groups);
        break;
    case LAZ_DRIFT_CAP_INH:
    case LAZ_DRIFT_CAP_PRM:
    case LAZ_DRIFT_CAP_EFF:
    case LAZ_DRIFT_CAP_BND:
    case LAZ_DRIFT_CAP_AMB:
        put_set(json, key, config->keep_capabilities);
        break;
    case LAZ_DRIFT_NO_NEW_PRIVS:
        laz_json_i64(json, key, 1);
        break;
    case LAZ_DRIFT_SECCOMP:
        laz_json_i64(json, key, FILTERED);
        break;
    case LAZ_DRIFT_COUNT:
        break;
    }
}

void laz_credentials_put(uint32_t drifts, const struct laz_process_status *status,
        const struct laz_sense_config *config, struct laz_json *json)
{
    laz_json_object(json, "is");
    for (unsigned i = 0; i < LAZ_DRIFT_COUNT; i++) {
        if ((drifts >> i & 1U) != 0) {
            put_is(json, (enum laz_drift)i, status);
        }
    }
    laz_json_object_end(json);
    laz_json_object(json, "expected");
    for (unsigned i = 0; i < LAZ_DRIFT_COUNT; i++) {
        if ((drifts >> i & 1U) != 0) {
            put_expected(json, (enum laz_drift)i, config);
        }
    }
    laz_json_object_end(json);
}
