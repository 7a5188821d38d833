/* SPDX-License-Identifier: Apache-2.0
 *
 * A loaded policy as the shim sees it.
 */
#include "policy/host_policy.h"

#include <string.h>

static bool has_host_secrets(const struct laz_policy *policy)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    size_t length = strlen(LAZ_HOST_SECRETS "/");
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        if (item->source == LAZ_SECRET_FILE &&
                strncmp(item->from, LAZ_HOST_SECRETS "/", length) == 0) {
            return true;
        }
    }
    return false;
}

void laz_host_policy_of(const struct laz_policy *policy, struct laz_host_policy *ret)
{
    *ret = (struct laz_host_policy){
            .name = policy->name,
            .mode = policy->mode,
            .uid = policy->uid,
            .gid = policy->gid,
            .keep_capabilities = policy->keep_capabilities,
            .host = policy->host,
            .has_host_secrets = has_host_secrets(policy),
    };
    (void)memcpy(ret->source_digest, policy->source_digest, LAZ_SHA256_SIZE);
    for (; ret->n_groups < policy->n_groups && ret->n_groups < LAZ_IMAGE_GROUPS_MAX;
            ret->n_groups++) {
        ret->groups[ret->n_groups] = policy->groups[ret->n_groups];
    }
    (void)memcpy(ret->limits, policy->limits, sizeof(ret->limits));
}
