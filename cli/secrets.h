/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets in words, for `check`, `explain` and `secrets check`: where each comes from and where it
 * goes, never what it is.
 */
#ifndef LAZ_CLI_SECRETS_H
#define LAZ_CLI_SECRETS_H

#include "core/json.h"
#include "policy/policy.h"

struct laz_explanation;

/* "Secrets Manager arn:aws:..., version AWSPREVIOUS, its member "password"" */
void laz_secret_put_source(struct laz_buf *buf, const struct laz_fetch_item *item);
/* "32 bytes of base64, decrypted by arn:aws:kms:...; as hex with a line feed" */
void laz_secret_put_form(struct laz_buf *buf, const struct laz_fetch_item *item);
/* "file db/password, mode 0400, and descriptor 20 by KEY_FD"; "the set of phi"; "Lazaret alone" */
void laz_secret_put_delivery(
        struct laz_buf *buf, const struct laz_policy_secrets *secrets, uint32_t item);

/* `check`: one line for each item. */
void laz_secrets_put(struct laz_buf *buf, const struct laz_policy *policy);
/* The same, and all there is to say about each item, as the member "secrets". */
void laz_secrets_json(struct laz_json *json, const struct laz_policy *policy);

/* `explain`: the items, and how long a start waits for them. */
void laz_secrets_explain(const struct laz_policy *policy, struct laz_explanation *ret);

/* What AWS or Vault must permit for an item: "secretsmanager:GetSecretValue" on a resource, or
 * "vault:read" of a path. At most two. */
#define LAZ_PERMISSIONS_MAX         2
#define LAZ_PERMISSION_RESOURCE_MAX (LAZ_FETCH_FROM_MAX + 128)
struct laz_permission {
    const char *action; /* static */
    char resource[LAZ_PERMISSION_RESOURCE_MAX];
    bool has_context; /* that of the item */
};
size_t laz_secret_permissions(const struct laz_fetch_config *config,
        const struct laz_fetch_item *item, struct laz_permission ret[LAZ_PERMISSIONS_MAX]);

#endif
