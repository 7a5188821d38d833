/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a service is asked: in which region, at which host and port. Pure.
 */
#ifndef LAZ_SECRET_PLACE_H
#define LAZ_SECRET_PLACE_H

#include "core/url.h"
#include "net/aws_credentials.h"
#include "policy/fetch.h"

#define LAZ_SECRET_REGION_MAX 32

struct laz_secret_place {
    char region[LAZ_SECRET_REGION_MAX + 1];
    char host[LAZ_URL_HOST_MAX + 1];
    uint16_t port;
};

/* Which service an item is at; false for those that need none. */
LAZ_MUST_CHECK bool laz_secret_service(
        const struct laz_fetch_item *item, enum laz_fetch_service *ret);

/* An ARN's region counts before the policy's, and that before the environment's. LAZ_E_SECRET where
 * none is known, or the policy's endpoint is no https URL of a host alone. */
LAZ_MUST_CHECK int laz_secret_find_place(const struct laz_fetch_config *config,
        const struct laz_fetch_item *item, enum laz_fetch_service service,
        const struct laz_aws_environment *environment, struct laz_secret_place *ret,
        struct laz_err *err);

/* Vault's, without a region. */
LAZ_MUST_CHECK int laz_secret_find_vault(
        const struct laz_fetch_vault *vault, struct laz_secret_place *ret, struct laz_err *err);

#endif
