/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts and credentials.
 */
#include "secret/reach.h"

#include <stdio.h>
#include <string.h>

uint32_t laz_secret_needed(const struct laz_fetch_config *config, uint32_t wanted)
{
    uint32_t needed = wanted;
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        if ((wanted >> i & 1U) != 0 && item->previous != 0) {
            needed |= 1U << (item->previous - 1);
        }
        if ((wanted >> i & 1U) != 0 && item->source == LAZ_SECRET_IDENTITY) {
            const struct laz_fetch_identity *identity = &config->identities[item->identity];
            needed |= identity->source == LAZ_IDENTITY_FROM_ITEMS
                    ? 1U << identity->certificate_item | 1U << identity->key_item
                    : 0;
            needed |= item->part == LAZ_IDENTITY_P12 ? 1U << (identity->password - 1) : 0;
        }
    }
    return needed;
}

/* Is anybody asked who takes credentials? */
static bool needs_credentials(const struct laz_secret_means *means)
{
    if (means->config->vault.login == LAZ_FETCH_LOGIN_AWS) {
        return true;
    }
    for (uint32_t i = 0; i < means->config->n_items; i++) {
        const struct laz_fetch_item *item = &means->config->items[i];
        enum laz_fetch_service service;
        if ((means->asked >> i & 1U) != 0 &&
                (laz_secret_service(item, &service) || item->kms_key[0] != '\0')) {
            return true;
        }
    }
    return false;
}

bool laz_reach_is_about_service(const struct laz_err *err)
{
    return err->kind != LAZ_E_MEMORY && err->kind != LAZ_E_INTERNAL;
}

/* Who has none cannot ask; that is what its items say. */
static int open_credentials(struct laz_reach *reach, struct laz_err *err)
{
    const struct laz_secret_means *means = &reach->means;
    const struct laz_aws_credentials_plan plan = {.environment = means->environment,
            .may_use_imds = means->config->imds,
            .ca = means->ca,
            .profile = means->config->tls_profile,
            .files = means->files};
    if (!needs_credentials(means) || laz_aws_new(reach->base, &plan, &reach->aws, err) == 0) {
        return 0;
    }
    if (!laz_reach_is_about_service(err)) {
        return -1;
    }
    (void)snprintf(reach->no_aws, sizeof(reach->no_aws), "%s",
            means->no_ca[0] == '\0' ? err->message : means->no_ca);
    *err = (struct laz_err){0};
    return 0;
}

int laz_reach_init(struct laz_reach *ret, struct event_base *base,
        const struct laz_secret_means *means, struct laz_err *err)
{
    ret->base = base;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        ret->values[i] = -1;
    }
    ret->means = *means;
    return open_credentials(ret, err) != 0 ? -1 : laz_reach_open_vault(ret, err);
}

void laz_reach_done(struct laz_reach *reach)
{
    laz_vault_free(reach->vault);
    laz_tls_free(reach->vault_tls);
    laz_aws_free(reach->aws);
    laz_resolver_free(reach->resolver);
    for (size_t i = 0; i < reach->n_places; i++) {
        laz_tls_free(reach->places[i].tls);
    }
}

int laz_reach_find(struct laz_reach *reach, const struct laz_fetch_item *item,
        enum laz_fetch_service service, const struct laz_reach_place **ret, struct laz_err *err)
{
    const struct laz_secret_means *means = &reach->means;
    struct laz_reach_place *place = &reach->places[reach->n_places];
    if (laz_secret_find_place(means->config, item, service, means->environment, &place->at, err) !=
            0) {
        return -1;
    }
    if (means->no_ca[0] != '\0') {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s", means->no_ca);
    }
    if (reach->resolver == NULL && laz_resolver_new(reach->base, &reach->resolver, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < reach->n_places; i++) {
        const struct laz_secret_place *other = &reach->places[i].at;
        if (strcmp(other->host, place->at.host) == 0 && other->port == place->at.port &&
                strcmp(other->region, place->at.region) == 0) {
            *ret = &reach->places[i];
            return 0;
        }
    }
    const struct laz_tls_plan tls = {.ca = means->ca,
            .cert = "",
            .key = "",
            .peer = place->at.host,
            .profile = means->config->tls_profile,
            .files = means->files};
    if (laz_tls_new(&tls, &place->tls, err) != 0) {
        err->kind = laz_reach_is_about_service(err) ? LAZ_E_SECRET : err->kind;
        return -1;
    }
    reach->n_places++;
    *ret = place;
    return 0;
}
