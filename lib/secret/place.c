/* SPDX-License-Identifier: Apache-2.0
 *
 * Regions and hosts.
 */
#include "secret/place.h"

#include <stdio.h>

static const char region_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

bool laz_secret_service(const struct laz_fetch_item *item, enum laz_fetch_service *ret)
{
    switch (item->source) {
    case LAZ_SECRET_SECRETS_MANAGER:
        *ret = LAZ_FETCH_SECRETS_MANAGER;
        return true;
    case LAZ_SECRET_PARAMETER:
    case LAZ_SECRET_PARAMETERS:
    case LAZ_SECRET_PARAMETER_TREE:
        *ret = LAZ_FETCH_PARAMETERS;
        return true;
    case LAZ_SECRET_IDENTITY: /* AWS's CAs have a region, and no other */
        *ret = LAZ_FETCH_PCA;
        return item->region[0] != '\0';
    case LAZ_SECRET_FILE:
    case LAZ_SECRET_VARIABLE:
    case LAZ_SECRET_VAULT:
    case LAZ_SECRET_SOURCE_COUNT:
        break;
    }
    return false;
}

static bool copy_region(const char *text, size_t length, char *ret)
{
    if (length == 0 || length > LAZ_SECRET_REGION_MAX || strspn(text, region_letters) < length) {
        return false;
    }
    (void)memcpy(ret, text, length);
    ret[length] = '\0';
    return true;
}

/* The fourth field of arn:partition:service:region:... */
static bool copy_region_of_arn(const char *arn, char *ret)
{
    const char *at = arn;
    for (int i = 0; i < 3; i++) {
        at = strchr(at, ':');
        if (at == NULL) {
            return false;
        }
        at++;
    }
    return strncmp(arn, "arn:", 4) == 0 && copy_region(at, strcspn(at, ":"), ret);
}

static bool find_region(const struct laz_fetch_config *config, const struct laz_fetch_item *item,
        enum laz_fetch_service service, const struct laz_aws_environment *environment, char *ret)
{
    if (service == LAZ_FETCH_KMS && copy_region_of_arn(item->kms_key, ret)) {
        return true;
    }
    const char *const said[] = {
            item->region,
            config->region,
            environment == NULL ? NULL : environment->region,
            environment == NULL ? NULL : environment->default_region,
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        if (said[i] != NULL && said[i][0] != '\0') {
            return copy_region(said[i], strlen(said[i]), ret);
        }
    }
    return false;
}

static const char *host_name(enum laz_fetch_service service)
{
    return service == LAZ_FETCH_SECRETS_MANAGER ? "secretsmanager"
            : service == LAZ_FETCH_PARAMETERS   ? "ssm"
            : service == LAZ_FETCH_PCA          ? "acm-pca"
                                                : "kms";
}

int laz_secret_find_place(const struct laz_fetch_config *config, const struct laz_fetch_item *item,
        enum laz_fetch_service service, const struct laz_aws_environment *environment,
        struct laz_secret_place *ret, struct laz_err *err)
{
    struct laz_secret_place place = {.port = 443};
    struct laz_url url;
    const char *endpoint = config->endpoint[service];
    if (!find_region(config, item, service, environment, place.region)) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "the region is not known: say secrets.region, or set AWS_REGION");
    }
    if (endpoint[0] == '\0') {
        (void)snprintf(place.host, sizeof(place.host), "%s%s.%s.amazonaws.com%s",
                host_name(service), config->fips ? "-fips" : "", place.region,
                strncmp(place.region, "cn-", 3) == 0 ? ".cn" : "");
    } else if (!laz_url_split(endpoint, &url) || !url.is_https ||
            (url.path[0] != '\0' && strcmp(url.path, "/") != 0)) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "the endpoint is no https URL of a host alone");
    } else {
        (void)snprintf(place.host, sizeof(place.host), "%.*s", (int)url.host_length, url.host);
        place.port = url.port;
    }
    *ret = place;
    return 0;
}

int laz_secret_find_vault(
        const struct laz_fetch_vault *vault, struct laz_secret_place *ret, struct laz_err *err)
{
    struct laz_secret_place place = {.port = 443};
    struct laz_url url;
    if (!laz_url_split(vault->address, &url) || !url.is_https ||
            (url.path[0] != '\0' && strcmp(url.path, "/") != 0)) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "Vault's address is no https URL of a host alone");
    }
    (void)snprintf(place.host, sizeof(place.host), "%.*s", (int)url.host_length, url.host);
    place.port = url.port;
    *ret = place;
    return 0;
}
