/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about secrets: the decoded form that lazaret-helper gets, where each
 * value goes, and where each thing was said. There is no place for a value.
 */
#ifndef LAZ_POLICY_SECRETS_H
#define LAZ_POLICY_SECRETS_H

#include "policy/fetch.h"
#include "policy/strings.h"
#include "policy/vocabulary.h"

/* Of secrets.refresh, stale and grace; milliseconds. */
#define LAZ_RENEWAL_INTERVAL_MIN 10000
#define LAZ_RENEWAL_INTERVAL_MAX 604800000 /* a week */
#define LAZ_RENEWAL_JITTER_MAX   50        /* per cent */
#define LAZ_RENEWAL_LEAST_MIN    1000
#define LAZ_RENEWAL_STALE_MAX    UINT64_C(2592000000) /* 30 days */
#define LAZ_RENEWAL_GRACE_MAX    3600000

struct laz_policy;
struct laz_node;

struct laz_secret_delivery {
    const char *path; /* below `dir`; "": no file */
    uint32_t mode;
    uint32_t fd;          /* 0: no descriptor */
    const char *variable; /* set to the number of the descriptor; "": none */
    const char *exposed;  /* the variable that has the value itself; NULL: none */
};

/* Which of them are asked for again, and when; interval_ms counts where `refresh` is said. */
struct laz_policy_renewal {
    bool is_said;
    uint32_t interval_ms;
    uint32_t jitter; /* per cent of it */
    uint32_t least_ms;
    uint32_t stale_ms;
    enum laz_stale_then then;
    uint32_t grace_ms;
    bool is_renewed[LAZ_FETCH_ITEMS_MAX];
    uint8_t signal[LAZ_FETCH_ITEMS_MAX]; /* on a change; 0: none */
    uint8_t group[LAZ_FETCH_ITEMS_MAX];  /* of an identity, one more than its number; 0: of none */
};

/* Without items nothing of it counts. */
struct laz_policy_secrets {
    struct laz_fetch_config config; /* strings owned by the policy */
    const char *dir;
    struct laz_secret_delivery deliveries[LAZ_FETCH_ITEMS_MAX];
    struct laz_policy_renewal renewal;
    const struct laz_node *items[LAZ_FETCH_ITEMS_MAX];           /* of each, where it was said */
    const struct laz_node *identities[LAZ_FETCH_IDENTITIES_MAX]; /* likewise */
};

/* Is it fetched from AWS? */
bool laz_secret_is_of_aws(const struct laz_fetch_item *item);

/* Where a key of an item was said ("from", "file.mode"), or the item; line 0 if there is no such
 * item. */
struct laz_pos laz_policy_pos_of_secret(
        const struct laz_policy *policy, size_t item, const char *key);

#endif
