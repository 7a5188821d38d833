/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of regions, hosts and streams.
 */
#include "net/tls.h"
#include "sink/cloudwatch.h"

static bool is_region(const char *text)
{
    return text != NULL && text[0] != '\0' && strlen(text) <= LAZ_SHIP_REGION_MAX &&
            strspn(text, LAZ_SHIP_NAME_LETTERS) == strlen(text);
}

const char *laz_cloudwatch_region(const struct laz_cloudwatch_names *names)
{
    if (names->config->region[0] != '\0') {
        return names->config->region;
    }
    if (names->aws == NULL) {
        return NULL;
    }
    if (is_region(names->aws->region)) {
        return names->aws->region;
    }
    return is_region(names->aws->default_region) ? names->aws->default_region : NULL;
}

static void put_clean(struct laz_buf *ret, const char *text)
{
    for (const char *c = text == NULL || text[0] == '\0' ? "-" : text; *c != '\0'; c++) {
        bool is_good = *c > ' ' && *c <= '~' && *c != ':' && *c != '*';
        laz_buf_put(ret, is_good ? c : "-", 1);
    }
}

void laz_cloudwatch_put_stream(struct laz_buf *ret, const struct laz_cloudwatch_names *names)
{
    for (const char *at = names->config->stream; *at != '\0';) {
        if (strncmp(at, "{policy}", 8) == 0) {
            put_clean(ret, names->policy);
            at += 8;
        } else if (strncmp(at, "{host}", 6) == 0) {
            put_clean(ret, names->host);
            at += 6;
        } else if (strncmp(at, "{task}", 6) == 0) {
            put_clean(ret, names->task);
            at += 6;
        } else {
            laz_buf_char(ret, *at++);
        }
    }
}

void laz_cloudwatch_put_host(struct laz_buf *ret, const struct laz_cloudwatch_names *names)
{
    const char *region = laz_cloudwatch_region(names);
    if (names->config->host[0] != '\0' || region == NULL) {
        laz_buf_str(ret, names->config->host);
        return;
    }
    laz_buf_printf(ret, "logs%s.%s.amazonaws.com%s", names->config->fips ? "-fips" : "", region,
            strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

const char *laz_cloudwatch_ca(const struct laz_ship_sink *config)
{
    return config->tls_ca[0] != '\0' ? config->tls_ca : laz_tls_system_ca();
}
