/* SPDX-License-Identifier: Apache-2.0
 *
 * Health in words.
 */
#include "cli/watching.h"

#include <inttypes.h>
#include <string.h>

#include "cli/explanation.h"

#define TARGET_MAX 1024 /* bytes of what is asked, in one line; what is more is cut */

static void put_time(struct laz_buf *buf, uint64_t ms)
{
    bool is_whole = ms % 1000 == 0;
    laz_buf_printf(buf, "%" PRIu64 "%s", is_whole ? ms / 1000 : ms, is_whole ? "s" : "ms");
}

/* How many failures in a row count. */
static uint32_t fall_of(
        const struct laz_health_config *config, const struct laz_health_check *check)
{
    return check->list == LAZ_HEALTH_READY   ? config->ready_fall
            : check->list == LAZ_HEALTH_LIVE ? config->live_fall
                                             : 0;
}

/* From the moment on at which the workload hangs, just after it has answered, to the answer that
 * counts: the attempts, and the last one's time-out. */
static uint64_t noticed_ms(
        const struct laz_health_config *config, const struct laz_health_check *check)
{
    return (uint64_t)fall_of(config, check) * check->every_ms + check->timeout_ms;
}

static void put_host(struct laz_buf *buf, const struct laz_health_check *check)
{
    bool is_six = strchr(check->host, ':') != NULL;
    laz_buf_printf(
            buf, "%s%s%s:%u", is_six ? "[" : "", check->host, is_six ? "]" : "", check->port);
}

/* A word with a blank looks like two, and a wrong command like the right one: it is quoted. */
static void put_word(struct laz_buf *buf, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    bool is_plain = word[0] != '\0' && word[strspn(word, plain)] == '\0';
    laz_buf_printf(buf, is_plain ? "%s" : "\"%s\"", word);
}

static void put_target(
        struct laz_buf *buf, const struct laz_policy *policy, const struct laz_health_check *check)
{
    switch (check->kind) {
    case LAZ_HEALTH_HTTP:
        laz_buf_str(buf, check->is_tls ? "https://" : "http://");
        put_host(buf, check);
        laz_buf_printf(buf, "%s (%u-%u)", check->path, check->expect_min, check->expect_max);
        break;
    case LAZ_HEALTH_EXEC: {
        const struct laz_health_command *command = &policy->watching.commands[check->command];
        const char *word = command->first;
        for (uint32_t i = 0; i < command->n; i++) {
            laz_buf_str(buf, i > 0 ? " " : "");
            put_word(buf, word);
            word += strlen(word) + 1;
        }
        break;
    }
    case LAZ_HEALTH_GRPC:
        put_host(buf, check);
        laz_buf_printf(buf, "%s%s", check->service[0] == '\0' ? "" : " ", check->service);
        break;
    case LAZ_HEALTH_TCP:
    case LAZ_HEALTH_KIND_COUNT:
        put_host(buf, check);
        break;
    }
}

/* "live alive: exec /bin/app --ping, every 15s, 5s at most; a hung workload is noticed after at
 * most 3 x 15s + 5s = 50s" */
static void put_check(
        struct laz_buf *buf, const struct laz_policy *policy, const struct laz_health_check *check)
{
    const struct laz_health_config *config = &policy->watching.config;
    uint32_t fall = fall_of(config, check);
    laz_buf_printf(buf, "%s %s: %s ", laz_health_list_name(check->list), check->name,
            laz_health_kind_name(check->kind));
    put_target(buf, policy, check);
    laz_buf_str(buf, ", every ");
    put_time(buf, check->every_ms);
    laz_buf_str(buf, ", ");
    put_time(buf, check->timeout_ms);
    laz_buf_str(buf, " at most; ");
    if (fall == 0) {
        laz_buf_str(buf, "must have passed by ");
        put_time(buf, config->startup_deadline_ms);
        return;
    }
    laz_buf_printf(buf, "a hung workload is noticed after at most %" PRIu32 " x ", fall);
    put_time(buf, check->every_ms);
    laz_buf_str(buf, " + ");
    put_time(buf, check->timeout_ms);
    laz_buf_str(buf, " = ");
    put_time(buf, noticed_ms(config, check));
}

static void put_listen(struct laz_buf *buf, const struct laz_policy *policy)
{
    const struct laz_watching *watching = &policy->watching;
    const struct laz_health_config *config = &watching->config;
    if (config->port == 0) {
        laz_buf_str(buf, "no port: the sockets inside alone");
        return;
    }
    bool is_six = strchr(config->host, ':') != NULL;
    laz_buf_printf(buf, "listens on %s%s%s:%u, ", is_six ? "[" : "", config->host,
            is_six ? "]" : "", config->port);
    if (config->has_identity) {
        laz_buf_printf(
                buf, "TLS as %s", policy->secrets.config.identities[watching->identity].name);
    } else {
        laz_buf_str(buf, "clear text");
    }
    laz_buf_str(buf, config->expose_full ? ", shows everything" : ", shows the short document");
}

static bool put_requirements(struct laz_buf *buf, const struct laz_health_config *config)
{
    size_t start = buf->len;
    if (config->certificate_s > 0) {
        laz_buf_printf(buf, ", certificates good for %" PRIu32 " h", config->certificate_s / 3600);
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        laz_buf_printf(buf, ", sink %s up", config->sinks[i]);
    }
    if (config->spool_percent > 0) {
        laz_buf_printf(buf, ", spool below %" PRIu32 "%%", config->spool_percent);
    }
    laz_buf_str(buf, config->require_enforce ? ", mode enforce" : "");
    return buf->len > start;
}

static bool put_drain(struct laz_buf *buf, const struct laz_policy *policy)
{
    const struct laz_health_config *config = &policy->watching.config;
    if (config->lb_max_ms == 0) {
        return false;
    }
    laz_buf_str(buf, "drain of ");
    put_time(buf, config->lb_least_ms);
    laz_buf_str(buf, " to ");
    put_time(buf, config->lb_max_ms);
    laz_buf_printf(buf,
            ", over when every balancer that asks was refused %" PRIu32
            " times, or none asks and nobody has connected for ",
            config->lb_threshold);
    put_time(buf, config->lb_quiet_ms);
    laz_buf_str(buf, "; then the workload has ");
    put_time(buf, policy->shutdown.grace_ms);
    laz_buf_str(buf, " to end");
    return true;
}

/* ---- what goes back ---- */

static bool renews_identities(const struct laz_policy *policy)
{
    const struct laz_policy_renewal *renewal = &policy->secrets.renewal;
    bool renews = false;
    for (uint32_t i = 0; renewal->is_said && i < policy->secrets.config.n_items; i++) {
        renews = renews || (renewal->is_renewed[i] && renewal->group[i] != 0);
    }
    return renews;
}

/* How soon the first check notices that the workload fails with what is new; 0: there is none. */
static uint64_t first_notice_ms(const struct laz_policy *policy)
{
    const struct laz_health_config *config = &policy->watching.config;
    uint64_t first_ms = 0;
    for (uint32_t i = 0; policy->watching.is_said && i < config->n_checks; i++) {
        uint64_t ms = noticed_ms(config, &config->checks[i]);
        if (fall_of(config, &config->checks[i]) > 0 && (first_ms == 0 || ms < first_ms)) {
            first_ms = ms;
        }
    }
    return first_ms;
}

static bool goes_back(const struct laz_policy *policy)
{
    uint64_t first_ms = first_notice_ms(policy);
    return first_ms > 0 && first_ms < policy->secrets.renewal.grace_ms;
}

static void put_rollback(struct laz_buf *buf, const struct laz_policy *policy)
{
    if (!renews_identities(policy)) {
        return;
    }
    laz_buf_printf(buf, "  %-12s", "rollback");
    if (goes_back(policy)) {
        laz_buf_str(buf, "a new certificate goes back, once, if a check fails within ");
    } else if (first_notice_ms(policy) > 0) {
        laz_buf_str(buf, "no new certificate goes back: a check takes ");
        put_time(buf, first_notice_ms(policy));
        laz_buf_str(buf, " to notice, and \"secrets.grace\" is ");
    } else {
        laz_buf_str(buf,
                "no new certificate goes back: no \"ready\" or \"live\" check of "
                "\"health\" says how the workload is with it\n");
        return;
    }
    put_time(buf, policy->secrets.renewal.grace_ms);
    laz_buf_char(buf, '\n');
}

/* ---- check ---- */

static void put_watching(struct laz_buf *buf, const struct laz_policy *policy)
{
    const struct laz_health_config *config = &policy->watching.config;
    char text[TARGET_MAX];
    struct laz_buf line;
    if (!policy->watching.is_said) {
        return;
    }
    laz_buf_printf(buf, "  %-12s", "health");
    put_listen(buf, policy);
    laz_buf_char(buf, '\n');
    for (uint32_t i = 0; i < config->n_checks; i++) {
        laz_buf_printf(buf, "  %-12s", "");
        put_check(buf, policy, &config->checks[i]);
        laz_buf_char(buf, '\n');
    }
    laz_buf_init_fixed(&line, text, sizeof(text));
    if (put_requirements(&line, config)) {
        laz_buf_printf(buf, "  %-12sready requires%s\n", "", text + 1); /* without the comma */
    }
    laz_buf_init_fixed(&line, text, sizeof(text));
    if (put_drain(&line, policy)) {
        laz_buf_printf(buf, "  %-12s%s\n", "", text);
    }
}

void laz_watching_put(struct laz_buf *buf, const struct laz_policy *policy)
{
    put_watching(buf, policy);
    put_rollback(buf, policy);
}

static void json_check(struct laz_json *json, const struct laz_policy *policy,
        const struct laz_health_check *check)
{
    char text[TARGET_MAX];
    struct laz_buf target;
    laz_buf_init_fixed(&target, text, sizeof(text));
    put_target(&target, policy, check);
    laz_json_object(json, NULL);
    laz_json_string(json, "name", check->name);
    laz_json_string(json, "list", laz_health_list_name(check->list));
    laz_json_string(json, "kind", laz_health_kind_name(check->kind));
    laz_json_string(json, "target", text);
    laz_json_u64(json, "every_ms", check->every_ms);
    laz_json_u64(json, "timeout_ms", check->timeout_ms);
    if (check->list != LAZ_HEALTH_STARTUP) {
        laz_json_u64(json, "noticed_ms", noticed_ms(&policy->watching.config, check));
    }
    laz_json_object_end(json);
}

void laz_watching_json(struct laz_json *json, const struct laz_policy *policy)
{
    const struct laz_health_config *config = &policy->watching.config;
    if (renews_identities(policy)) {
        laz_json_bool(json, "rollback", goes_back(policy));
    }
    if (!policy->watching.is_said) {
        return;
    }
    laz_json_object(json, "health");
    if (config->port != 0) {
        laz_json_string(json, "host", config->host);
        laz_json_u64(json, "port", config->port);
        laz_json_bool(json, "tls", config->has_identity);
        laz_json_string(json, "expose", config->expose_full ? "full" : "minimal");
    }
    laz_json_u64(json, "startup_deadline_ms", config->startup_deadline_ms);
    laz_json_array(json, "checks");
    for (uint32_t i = 0; i < config->n_checks; i++) {
        json_check(json, policy, &config->checks[i]);
    }
    laz_json_array_end(json);
    laz_json_u64(json, "lb_grace_least_ms", config->lb_least_ms);
    laz_json_u64(json, "lb_grace_ms", config->lb_max_ms);
    laz_json_object_end(json);
}

/* ---- explain ---- */

void laz_watching_explain(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_health_config *config = &policy->watching.config;
    char text[TARGET_MAX];
    struct laz_buf line;
    if (!policy->watching.is_said) {
        return;
    }
    put_listen(laz_lines_add(&ret->facts, policy, "health", laz_policy_pos_of(policy, "health")),
            policy);
    for (uint32_t i = 0; i < config->n_checks; i++) {
        const struct laz_health_check *check = &config->checks[i];
        put_check(laz_lines_add(&ret->facts, policy, "health",
                          laz_policy_pos_of_check(policy, check->name)),
                policy, check);
    }
    laz_buf_init_fixed(&line, text, sizeof(text));
    if (put_requirements(&line, config)) {
        laz_buf_printf(laz_lines_add(&ret->facts, policy, "health",
                               laz_policy_pos_of(policy, "health.ready-requires")),
                "ready requires%s", text + 1);
    }
    laz_buf_init_fixed(&line, text, sizeof(text));
    if (put_drain(&line, policy)) {
        laz_buf_str(laz_lines_add(&ret->facts, policy, "health",
                            laz_policy_pos_of(policy, "shutdown.lb-grace")),
                text);
    }
}
