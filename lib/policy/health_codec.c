/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that the role `health` reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include "core/words.h"
#include "policy/health.h"
#include "policy/party.h"

#define FORMAT 1

LAZ_WORDS(laz_health_list_name, laz_health_list, LAZ_HEALTH_LISTS, LAZ_HEALTH_LIST_COUNT)
LAZ_WORDS(laz_health_kind_name, laz_health_kind, LAZ_HEALTH_KINDS, LAZ_HEALTH_KIND_COUNT)

/* ---- Encoding ---- */

static void put_texts(struct laz_buf *buf, const char *const *texts, uint32_t n)
{
    laz_section_put_uint(buf, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        laz_section_put_string(buf, texts[i]);
    }
}

static void put_check(struct laz_buf *buf, const struct laz_health_check *check)
{
    laz_section_put_string(buf, check->name);
    laz_section_put_uint(buf, check->list, 1);
    laz_section_put_uint(buf, check->kind, 1);
    laz_section_put_string(buf, check->host);
    laz_section_put_uint(buf, check->port, 2);
    laz_section_put_string(buf, check->path);
    laz_section_put_uint(buf, check->is_tls, 1);
    laz_section_put_string(buf, check->ca);
    laz_section_put_string(buf, check->server_name);
    laz_section_put_uint(buf, check->expect_min, 2);
    laz_section_put_uint(buf, check->expect_max, 2);
    laz_section_put_string(buf, check->service);
    laz_section_put_uint(buf, check->command, 1);
    laz_section_put_uint(buf, check->every_ms, 4);
    laz_section_put_uint(buf, check->timeout_ms, 4);
}

static void put_requirements(struct laz_buf *buf, const struct laz_health_config *config)
{
    laz_section_put_uint(buf, config->certificate_s, 4);
    put_texts(buf, config->sinks, config->n_sinks);
    laz_section_put_uint(buf, config->spool_percent, 1);
    laz_section_put_uint(buf, config->require_enforce, 1);
}

static void put_drain(struct laz_buf *buf, const struct laz_health_config *config)
{
    laz_section_put_uint(buf, config->lb_max_ms, 4);
    laz_section_put_uint(buf, config->lb_least_ms, 4);
    laz_section_put_uint(buf, config->lb_quiet_ms, 4);
    laz_section_put_uint(buf, config->lb_threshold, 4);
    put_texts(buf, config->items, config->n_items);
    laz_section_put_uint(buf, config->n_own_ports, 4);
    for (uint32_t i = 0; i < config->n_own_ports; i++) {
        laz_section_put_uint(buf, config->own_ports[i], 2);
    }
}

static bool has_room(const struct laz_health_config *config)
{
    return config->n_checks <= LAZ_HEALTH_CHECKS_MAX && config->n_sinks <= LAZ_HEALTH_SINKS_MAX &&
            config->n_items <= LAZ_HEALTH_ITEMS_MAX &&
            config->n_own_ports <= LAZ_HEALTH_OWN_PORTS_MAX &&
            config->workload.n_groups <= LAZ_PARTY_GROUPS_MAX;
}

int laz_health_encode(
        const struct laz_health_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    if (!has_room(config)) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more checks, sinks, items, ports or groups than \"health\" can have");
    }
    laz_section_put_uint(ret, FORMAT, 4);
    laz_section_put_party(ret, &config->workload);
    laz_section_put_string(ret, config->host);
    laz_section_put_uint(ret, config->port, 2);
    laz_section_put_uint(ret, config->has_identity, 1);
    laz_section_put_uint(ret, config->profile, 1);
    laz_section_put_uint(ret, config->fips, 1);
    laz_section_put_uint(ret, config->expose_full, 1);
    laz_section_put_uint(ret, config->startup_deadline_ms, 4);
    laz_section_put_uint(ret, config->ready_rise, 4);
    laz_section_put_uint(ret, config->ready_fall, 4);
    laz_section_put_uint(ret, config->live_fall, 4);
    put_requirements(ret, config);
    put_drain(ret, config);
    laz_section_put_uint(ret, config->n_checks, 4);
    for (uint32_t i = 0; i < config->n_checks; i++) {
        put_check(ret, &config->checks[i]);
    }
    if (ret->overflow || ret->len - start > LAZ_HEALTH_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "what \"health\" is told is longer than %d bytes: have fewer checks, or shorter "
                "paths",
                LAZ_HEALTH_MAX);
    }
    return 0;
}

/* ---- Decoding ---- */

static bool is_known(const struct laz_health_config *config, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(config->checks[k].name, config->checks[i].name) == 0) {
            return true;
        }
    }
    return false;
}

/* What only some kinds have, the others do not. */
static bool fits(const struct laz_health_check *check)
{
    bool is_http = check->kind == LAZ_HEALTH_HTTP;
    bool is_exec = check->kind == LAZ_HEALTH_EXEC;
    return is_exec == (check->host[0] == '\0') && is_exec == (check->port == 0) &&
            is_exec == (check->command != LAZ_HEALTH_NONE) && is_http == (check->path[0] == '/') &&
            is_http == (check->expect_min != 0) && (is_http || check->path[0] == '\0') &&
            (is_http || !check->is_tls) && check->is_tls == (check->ca[0] == '/') &&
            check->is_tls == (check->server_name[0] != '\0') &&
            (check->is_tls || check->ca[0] == '\0') &&
            (check->kind == LAZ_HEALTH_GRPC || check->service[0] == '\0') &&
            check->timeout_ms < check->every_ms;
}

static void take_check(struct laz_section *in, struct laz_health_check *ret)
{
    ret->name = laz_section_string(in, 1, LAZ_HEALTH_NAME_MAX);
    ret->list = (enum laz_health_list)laz_section_uint(in, 1, 0, LAZ_HEALTH_LIST_COUNT - 1);
    ret->kind = (enum laz_health_kind)laz_section_uint(in, 1, 0, LAZ_HEALTH_KIND_COUNT - 1);
    ret->host = laz_section_string(in, 0, LAZ_HEALTH_HOST_MAX);
    ret->port = (uint16_t)laz_section_uint(in, 2, 0, UINT16_MAX);
    ret->path = laz_section_string(in, 0, LAZ_HEALTH_PATH_MAX);
    ret->is_tls = laz_section_bool(in);
    ret->ca = laz_section_string(in, 0, LAZ_HEALTH_MAX);
    ret->server_name = laz_section_string(in, 0, LAZ_HEALTH_HOST_MAX);
    ret->expect_min = (uint16_t)laz_section_uint(in, 2, 0, 599);
    ret->expect_max = (uint16_t)laz_section_uint(in, 2, ret->expect_min, 599);
    ret->service = laz_section_string(in, 0, LAZ_HEALTH_SERVICE_MAX);
    ret->command = (uint8_t)laz_section_uint(in, 1, 0, UINT8_MAX);
    ret->every_ms = laz_section_u32(in, LAZ_HEALTH_EVERY_MIN, LAZ_HEALTH_EVERY_MAX);
    ret->timeout_ms = laz_section_u32(in, LAZ_HEALTH_TIMEOUT_MIN, LAZ_HEALTH_TIMEOUT_MAX);
    laz_section_require(in,
            (ret->expect_min == 0 ? ret->expect_max == 0 : ret->expect_min >= 100) &&
                    (ret->command < LAZ_HEALTH_COMMANDS_MAX || ret->command == LAZ_HEALTH_NONE),
            "a status or a command is out of range");
    laz_section_require(in, fits(ret), "a check does not fit together");
}

static void take_checks(struct laz_section *in, struct laz_health_config *config)
{
    bool is_any = false;
    config->n_checks = laz_section_u32(in, 0, LAZ_HEALTH_CHECKS_MAX);
    for (uint32_t i = 0; i < config->n_checks && in->wrong == NULL; i++) {
        take_check(in, &config->checks[i]);
        laz_section_require(in, !is_known(config, i), "two checks have one name");
        is_any = is_any || config->checks[i].list == LAZ_HEALTH_STARTUP;
    }
    laz_section_require(in,
            is_any == (config->startup_deadline_ms != 0) &&
                    (!is_any || config->startup_deadline_ms >= LAZ_HEALTH_DEADLINE_MIN),
            "start-up checks and their deadline do not fit together");
}

static void take_requirements(struct laz_section *in, struct laz_health_config *config)
{
    config->certificate_s = laz_section_u32(in, 0, LAZ_HEALTH_CERTIFICATE_MAX);
    config->n_sinks = laz_section_u32(in, 0, LAZ_HEALTH_SINKS_MAX);
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        config->sinks[i] = laz_section_string(in, 1, LAZ_HEALTH_NAME_MAX);
    }
    config->spool_percent = (uint32_t)laz_section_uint(in, 1, 0, 100);
    config->require_enforce = laz_section_bool(in);
}

static void take_drain(struct laz_section *in, struct laz_health_config *config)
{
    config->lb_max_ms = laz_section_u32(in, 0, UINT32_MAX);
    config->lb_least_ms = laz_section_u32(in, 0, config->lb_max_ms);
    config->lb_quiet_ms = laz_section_u32(in, 0, UINT32_MAX);
    config->lb_threshold = laz_section_u32(in, 1, LAZ_HEALTH_IN_A_ROW_MAX);
    config->n_items = laz_section_u32(in, 0, LAZ_HEALTH_ITEMS_MAX);
    for (uint32_t i = 0; i < config->n_items; i++) {
        config->items[i] = laz_section_string(in, 1, LAZ_HEALTH_MAX);
    }
    config->n_own_ports = laz_section_u32(in, 0, LAZ_HEALTH_OWN_PORTS_MAX);
    for (uint32_t i = 0; i < config->n_own_ports; i++) {
        config->own_ports[i] = (uint16_t)laz_section_uint(in, 2, 1, UINT16_MAX);
    }
}

static void take_body(struct laz_section *in, struct laz_health_config *config)
{
    laz_section_require(
            in, laz_section_u32(in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    laz_section_party(in, &config->workload);
    config->host = laz_section_string(in, 0, LAZ_HEALTH_HOST_MAX);
    config->port = (uint16_t)laz_section_uint(in, 2, 0, UINT16_MAX);
    config->has_identity = laz_section_bool(in);
    config->profile = (enum laz_tls_profile)laz_section_uint(in, 1, 0, LAZ_TLS_PROFILE_COUNT - 1);
    config->fips = (enum laz_tls_fips)laz_section_uint(in, 1, 0, LAZ_TLS_FIPS_COUNT - 1);
    config->expose_full = laz_section_bool(in);
    laz_section_require(in,
            (config->host[0] == '\0') == (config->port == 0) &&
                    (config->port != 0 || (!config->has_identity && !config->expose_full)),
            "where it listens does not fit together");
    config->startup_deadline_ms = laz_section_u32(in, 0, LAZ_HEALTH_DEADLINE_MAX);
    config->ready_rise = laz_section_u32(in, 1, LAZ_HEALTH_IN_A_ROW_MAX);
    config->ready_fall = laz_section_u32(in, 1, LAZ_HEALTH_IN_A_ROW_MAX);
    config->live_fall = laz_section_u32(in, 1, LAZ_HEALTH_IN_A_ROW_MAX);
    take_requirements(in, config);
    take_drain(in, config);
    take_checks(in, config);
}

int laz_health_decode(
        const void *block, size_t length, struct laz_health_config *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_health_config config = {0};
    laz_section_require(&in, length <= LAZ_HEALTH_MAX, "it is too long");
    take_body(&in, &config);
    laz_section_require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what health is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
