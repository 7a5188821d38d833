/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed policy asks of the workload is asked below it too, as often and as strictly, and
 * nobody else is shown the answers. A child may ask more of this host; it sends nobody elsewhere.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/address.h"
#include "policy/narrow.h"

static bool note(const struct laz_comparison *comparison, const char *key, const char *value)
{
    (void)laz_comparison_note(comparison, key, value);
    comparison->found->is_less = true;
    return true;
}

static bool note_number(
        const struct laz_comparison *comparison, const char *key, uint32_t number, const char *unit)
{
    struct laz_buf buf;
    char value[LAZ_NAME_LENGTH_MAX];
    laz_buf_init_fixed(&buf, value, sizeof(value));
    laz_buf_printf(&buf, "%" PRIu32 "%s", number, unit);
    return note(comparison, key, value);
}

static bool note_check(const struct laz_comparison *comparison,
        const struct laz_health_check *check, const char *value, bool is_less)
{
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "health.%s.checks.%s", laz_health_list_name(check->list), check->name);
    (void)laz_comparison_note(comparison, path, value);
    comparison->found->child_pos = laz_policy_pos_of_check(comparison->child, check->name);
    comparison->found->parent_pos = laz_policy_pos_of_check(comparison->parent, check->name);
    comparison->found->is_less = is_less;
    return true;
}

static const struct laz_health_check *find(
        const struct laz_health_config *config, const struct laz_health_check *wanted)
{
    for (uint32_t i = 0; i < config->n_checks; i++) {
        if (config->checks[i].list == wanted->list &&
                strcmp(config->checks[i].name, wanted->name) == 0) {
            return &config->checks[i];
        }
    }
    return NULL;
}

static bool is_same_command(const struct laz_comparison *comparison,
        const struct laz_health_check *mine, const struct laz_health_check *old)
{
    if (old->kind != LAZ_HEALTH_EXEC) {
        return true;
    }
    const struct laz_health_command *a = &comparison->child->watching.commands[mine->command];
    const struct laz_health_command *b = &comparison->parent->watching.commands[old->command];
    return a->length == b->length && memcmp(a->first, b->first, a->length) == 0;
}

/* What became of one of the parent's. */
static bool find_in_check(
        const struct laz_comparison *comparison, const struct laz_health_check *old)
{
    const struct laz_health_check *mine = find(&comparison->child->watching.config, old);
    if (mine == NULL) {
        return note_check(comparison, old, old->name, true);
    }
    bool is_other = mine->kind != old->kind || strcmp(mine->host, old->host) != 0 ||
            mine->port != old->port || strcmp(mine->path, old->path) != 0 ||
            mine->is_tls != old->is_tls || strcmp(mine->ca, old->ca) != 0 ||
            strcmp(mine->server_name, old->server_name) != 0 ||
            strcmp(mine->service, old->service) != 0;
    if (is_other || !is_same_command(comparison, mine, old)) {
        return note_check(comparison, mine, "another question", true);
    }
    struct laz_buf buf;
    char value[LAZ_NAME_LENGTH_MAX];
    laz_buf_init_fixed(&buf, value, sizeof(value));
    if (mine->expect_min < old->expect_min || mine->expect_max > old->expect_max) {
        laz_buf_printf(&buf, "expect %u-%u", mine->expect_min, mine->expect_max);
    } else if (mine->every_ms > old->every_ms) {
        laz_buf_printf(&buf, "every %" PRIu32 "ms", mine->every_ms);
    } else if (mine->timeout_ms > old->timeout_ms) {
        laz_buf_printf(&buf, "timeout %" PRIu32 "ms", mine->timeout_ms);
    }
    return buf.len > 0 && note_check(comparison, mine, value, true);
}

/* One that the parent does not have, and that leads out. */
static bool find_in_new(
        const struct laz_comparison *comparison, const struct laz_health_check *mine)
{
    bool is_here = mine->kind == LAZ_HEALTH_EXEC ||
            laz_host_is_loopback(mine->host, strlen(mine->host)) ||
            find(&comparison->parent->watching.config, mine) != NULL;
    return !is_here && note_check(comparison, mine, mine->host, false);
}

static const char *identity_of(const struct laz_policy *policy)
{
    return policy->watching.config.has_identity
            ? policy->secrets.config.identities[policy->watching.identity].name
            : "";
}

/* A variable that the parent does not show to whoever can connect. */
static bool shows_other(
        const struct laz_comparison *comparison, const char *key, const char *mine, const char *its)
{
    return mine[0] != '\0' && strcmp(mine, its) != 0 && laz_comparison_note(comparison, key, mine);
}

static bool find_in_listen(const struct laz_comparison *comparison)
{
    const struct laz_health_config *child = &comparison->child->watching.config;
    const struct laz_health_config *parent = &comparison->parent->watching.config;
    struct laz_buf buf;
    char value[LAZ_HEALTH_HOST_MAX + sizeof(":65535")];
    laz_buf_init_fixed(&buf, value, sizeof(value));
    if (child->port != 0 &&
            (child->port != parent->port || strcmp(child->host, parent->host) != 0)) {
        laz_buf_printf(&buf, "%s:%u", child->host, child->port);
        return laz_comparison_note(comparison, "health.listen", value);
    }
    if (child->expose_full && !parent->expose_full) {
        return laz_comparison_note(comparison, "health.expose", "full");
    }
    if (parent->has_identity &&
            strcmp(identity_of(comparison->child), identity_of(comparison->parent)) != 0) {
        return laz_comparison_note(comparison, "health.tls", identity_of(comparison->child));
    }
    const struct laz_watching *mine = &comparison->child->watching;
    const struct laz_watching *its = &comparison->parent->watching;
    return child->port != 0 &&
            (shows_other(comparison, "health.color-from", mine->color, its->color) ||
                    shows_other(comparison, "health.version-from", mine->version, its->version));
}

static bool has_sink(const struct laz_health_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        if (strcmp(config->sinks[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool find_in_requirements(const struct laz_comparison *comparison)
{
    const struct laz_health_config *child = &comparison->child->watching.config;
    const struct laz_health_config *parent = &comparison->parent->watching.config;
    for (uint32_t i = 0; i < parent->n_sinks; i++) {
        if (!has_sink(child, parent->sinks[i])) {
            return note(comparison, "health.ready-requires.sinks", parent->sinks[i]);
        }
    }
    if (child->certificate_s < parent->certificate_s) {
        return note_number(
                comparison, "health.ready-requires.certificates", child->certificate_s / 60, "m");
    }
    if (parent->spool_percent != 0 && child->spool_percent > parent->spool_percent) {
        return note_number(comparison, "health.ready-requires.spool", child->spool_percent, "%");
    }
    return false;
}

static bool find_in_counts(const struct laz_comparison *comparison)
{
    const struct laz_health_config *child = &comparison->child->watching.config;
    const struct laz_health_config *parent = &comparison->parent->watching.config;
    const struct {
        const char *key;
        bool is_less;
        uint32_t number;
        const char *unit;
    } rows[] = {
            {"health.startup.deadline",
                    parent->startup_deadline_ms != 0 &&
                            child->startup_deadline_ms > parent->startup_deadline_ms,
                    child->startup_deadline_ms, "ms"},
            {"health.ready.rise", child->ready_rise < parent->ready_rise, child->ready_rise, ""},
            {"health.ready.fall", child->ready_fall > parent->ready_fall, child->ready_fall, ""},
            {"health.live.fall", child->live_fall > parent->live_fall, child->live_fall, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].is_less) {
            return note_number(comparison, rows[i].key, rows[i].number, rows[i].unit);
        }
    }
    return false;
}

bool laz_health_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_health_config *child = &comparison->child->watching.config;
    const struct laz_health_config *parent = &comparison->parent->watching.config;
    if (find_in_listen(comparison)) {
        return true;
    }
    for (uint32_t i = 0; i < child->n_checks; i++) {
        if (find_in_new(comparison, &child->checks[i])) {
            return true;
        }
    }
    if (!comparison->parent->watching.is_said) {
        return false;
    }
    for (uint32_t i = 0; i < parent->n_checks; i++) {
        if (find_in_check(comparison, &parent->checks[i])) {
            return true;
        }
    }
    return find_in_counts(comparison) || find_in_requirements(comparison);
}
