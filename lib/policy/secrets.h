/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about secrets: the decoded form that lazaret-helper gets, where each
 * value goes, and where each thing was said. There is no place for a value.
 */
#ifndef LAZ_POLICY_SECRETS_H
#define LAZ_POLICY_SECRETS_H

#include "policy/fetch.h"
#include "policy/strings.h"

struct laz_policy;
struct laz_node;

struct laz_secret_delivery {
    const char *path; /* below `dir`; "": no file */
    uint32_t mode;
    uint32_t fd;          /* 0: no descriptor */
    const char *variable; /* set to the number of the descriptor; "": none */
};

/* Without items nothing of it counts. */
struct laz_policy_secrets {
    struct laz_fetch_config config; /* strings owned by the policy */
    const char *dir;
    struct laz_secret_delivery deliveries[LAZ_FETCH_ITEMS_MAX];
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
