/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows about secrets: two of them in one place, a value that the
 * workload would have by another way too; and what is given up, by name.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "policy/merge.h"

/* ---- Contradictions ---- */

static struct laz_node *child_of(
        const struct laz_merge *merge, uint32_t i, enum laz_field_id map, enum laz_field_id field)
{
    const struct laz_node *node = laz_check_child(merge->secrets[i], map);
    return node == NULL ? NULL : laz_check_child(node, field);
}

/* And not what something else is made of, or a part of that: no name in a policy has a dot. */
static bool is_said(const struct laz_merge *merge, uint32_t i)
{
    return strchr(merge->policy->secrets.config.items[i].name, '.') == NULL;
}

static bool is_at_or_below(const char *path, const char *top)
{
    size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool is_exposed_as(const struct laz_secret_delivery *delivery, const char *variable)
{
    return delivery->exposed != NULL && strcmp(delivery->exposed, variable) == 0;
}

static void check_pair(struct laz_merge *merge, uint32_t i, uint32_t k)
{
    const struct laz_policy_secrets *secrets = &merge->policy->secrets;
    const struct laz_secret_delivery *mine = &secrets->deliveries[i];
    const struct laz_secret_delivery *other = &secrets->deliveries[k];
    const char *name = secrets->config.items[k].name;
    struct laz_node *path = child_of(merge, i, LAZ_FIELD_SECRET_FILE, LAZ_FIELD_FILE_PATH);
    if (path != NULL && other->path[0] != '\0') {
        if (strcmp(mine->path, other->path) == 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, path,
                    "is where item \"%s\" goes as well", name);
        } else if (is_at_or_below(mine->path, other->path) ||
                is_at_or_below(other->path, mine->path)) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, path,
                    "one path is a folder of the other: that of item \"%s\" is \"%s\"", name,
                    other->path);
        }
    }
    if (mine->fd != 0 && mine->fd == other->fd) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                child_of(merge, i, LAZ_FIELD_SECRET_FD, LAZ_FIELD_FD_NUMBER),
                "is the descriptor of item \"%s\"", name);
    }
    if (mine->variable[0] != '\0' &&
            (strcmp(mine->variable, other->variable) == 0 ||
                    is_exposed_as(other, mine->variable))) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                child_of(merge, i, LAZ_FIELD_SECRET_FD, LAZ_FIELD_FD_VARIABLE),
                "is the variable of item \"%s\"", name);
    }
    if (mine->exposed != NULL &&
            (strcmp(mine->exposed, other->variable) == 0 || is_exposed_as(other, mine->exposed))) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                child_of(merge, i, LAZ_FIELD_SECRET_EXPOSE, LAZ_FIELD_EXPOSE_VARIABLE),
                "is the variable of item \"%s\"", name);
    }
}

static bool is_passed(const struct laz_policy *policy, const char *variable)
{
    for (size_t i = 0; i < policy->env_pass.n; i++) {
        if (strcmp(policy->env_pass.items[i], variable) == 0) {
            return true;
        }
    }
    return false;
}

/* Does an item say this, and not `workload.env`? */
static bool is_of_item(const struct laz_policy *policy, struct laz_pos pos)
{
    for (uint32_t i = 0; i < policy->secrets.config.n_items; i++) {
        struct laz_pos own = laz_policy_pos_of_secret(policy, i, "fd.variable");
        if (pos.file == own.file && pos.line == own.line && pos.col == own.col) {
            return true;
        }
    }
    return false;
}

static bool is_set(const struct laz_policy *policy, const char *variable)
{
    size_t length = strlen(variable);
    for (size_t i = 0; i < policy->env_set.n; i++) {
        if (!is_of_item(policy, policy->env_set.pos[i]) &&
                strncmp(policy->env_set.items[i], variable, length) == 0 &&
                policy->env_set.items[i][length] == '=') {
            return true;
        }
    }
    return false;
}

static void check_variables(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_node *source = child_of(merge, i, LAZ_FIELD_SECRET_FROM, LAZ_FIELD_FROM_VARIABLE);
    struct laz_node *number = child_of(merge, i, LAZ_FIELD_SECRET_FD, LAZ_FIELD_FD_VARIABLE);
    if (source != NULL && is_passed(policy, source->text)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, source,
                "\"workload.env.pass\" hands it to the workload as well: a secret is not for the "
                "environment");
    }
    if (number != NULL && (is_passed(policy, number->text) || is_set(policy, number->text))) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, number,
                "is a variable of \"workload.env\" as well: it has one value");
    }
    struct laz_node *exposed =
            child_of(merge, i, LAZ_FIELD_SECRET_EXPOSE, LAZ_FIELD_EXPOSE_VARIABLE);
    if (exposed == NULL) {
        return;
    }
    if (is_passed(policy, exposed->text) || is_set(policy, exposed->text)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, exposed,
                "is a variable of \"workload.env\" as well: it has one value");
    } else if (is_exposed_as(
                       &policy->secrets.deliveries[i], policy->secrets.deliveries[i].variable)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, exposed,
                "has the number of the descriptor already");
    }
    if (policy->secrets.renewal.is_renewed[i]) {
        laz_report_key(merge->report, LAZ_E_POLICY_INVALID,
                laz_check_child(merge->secrets[i], LAZ_FIELD_SECRET_EXPOSE),
                "nobody can renew a variable of a process that runs, and \"file\" would be "
                "renewed: say \"refresh: false\", or \"file\" alone");
    }
}

/* Whoever has Vault's token reads there what it permits. */
static void check_token(struct laz_merge *merge)
{
    struct laz_node *token = merge->said[LAZ_FIELD_TOKEN_VARIABLE];
    if (token != NULL && is_passed(merge->policy, token->text)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, token,
                "\"workload.env.pass\" hands it to the workload as well: it could ask Vault "
                "itself");
    }
}

/* Both name an endpoint: which one is meant? */
static void check_fips(struct laz_merge *merge)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    struct laz_node *fips = merge->said[LAZ_FIELD_SECRETS_FIPS];
    bool has_endpoint = false;
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        has_endpoint = has_endpoint || config->endpoint[i][0] != '\0';
    }
    if (fips != NULL && config->fips && has_endpoint) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, fips,
                "names endpoints, as \"secrets.endpoints\" does: say one of the two");
    }
}

static void check_dir(struct laz_merge *merge)
{
    struct laz_node *dir = merge->said[LAZ_FIELD_SECRETS_DIR];
    if (dir != NULL && strcmp(dir->text, "/") == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, dir,
                "the workload could read everything: name a folder of a tmpfs");
    }
}

/* Where a key of the whole section was said; line 0: nowhere. */
static struct laz_pos said_at(const struct laz_merge *merge, enum laz_field_id field)
{
    return merge->policy->key_pos[field];
}

static void check_renewal_of_item(struct laz_merge *merge, uint32_t i)
{
    const struct laz_node *item = merge->secrets[i];
    struct laz_node *refresh = laz_check_child(item, LAZ_FIELD_SECRET_REFRESH);
    struct laz_node *on_change = laz_check_child(item, LAZ_FIELD_SECRET_ON_CHANGE);
    if (refresh != NULL && refresh->number != 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, refresh,
                "nothing is renewed: \"secrets.refresh\" is missing");
    } else if (on_change != NULL) {
        laz_report_key(merge->report, LAZ_E_POLICY_INVALID, on_change,
                "nothing changes: \"secrets.refresh\" is missing");
    }
}

/* What is said about renewal, and nothing is renewed. */
static void check_without_refresh(struct laz_merge *merge)
{
    static const enum laz_field_id fields[] = {LAZ_FIELD_SECRETS_STALE, LAZ_FIELD_SECRETS_GRACE};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (said_at(merge, fields[i]).line > 0) {
            laz_report_at(merge->report, LAZ_E_POLICY_INVALID, said_at(merge, fields[i]),
                    "secrets.%s: nothing is renewed: \"secrets.refresh\" is missing",
                    laz_field_at(fields[i])->key);
        }
    }
    for (uint32_t i = 0; i < merge->policy->secrets.config.n_items; i++) {
        if (is_said(merge, i)) {
            check_renewal_of_item(merge, i);
        }
    }
}

static void check_renewal(struct laz_merge *merge)
{
    const struct laz_policy_renewal *renewal = &merge->policy->secrets.renewal;
    struct laz_pos refresh = said_at(merge, LAZ_FIELD_SECRETS_REFRESH);
    bool is_any = false;
    if (!renewal->is_said) {
        check_without_refresh(merge);
        return;
    }
    for (uint32_t i = 0; i < merge->policy->secrets.config.n_items; i++) {
        is_any = is_any || renewal->is_renewed[i];
    }
    if (!is_any) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, refresh,
                "secrets.refresh: there is no item that can be renewed, and has not said "
                "\"refresh: false\"");
    }
    if (renewal->least_ms > renewal->interval_ms) {
        struct laz_pos least = said_at(merge, LAZ_FIELD_REFRESH_MIN_INTERVAL);
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, least.line > 0 ? least : refresh,
                "secrets.refresh.min-interval: longer than \"interval\"");
    }
    uint64_t longest_ms =
            renewal->interval_ms + (uint64_t)renewal->interval_ms * renewal->jitter / 100;
    if (renewal->stale_ms <= longest_ms) {
        struct laz_pos stale = said_at(merge, LAZ_FIELD_STALE_MAX);
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, stale.line > 0 ? stale : refresh,
                "secrets.stale.max: every value would be stale before it is asked for again: the "
                "longest wait is %" PRIu64 "ms",
                longest_ms);
    }
}

/* Where the first of what is fetched was said. */
static struct laz_pos pos_of_all(const struct laz_merge *merge)
{
    static const enum laz_field_id fields[] = {LAZ_FIELD_SECRETS, LAZ_FIELD_KEYS};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (said_at(merge, fields[i]).line > 0) {
            return said_at(merge, fields[i]);
        }
    }
    return said_at(merge, LAZ_FIELD_TLS_IDENTITIES);
}

static void check_length(struct laz_merge *merge)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    char *memory = laz_arena_take(merge->arena, LAZ_FETCH_MAX + 1, 1);
    if (memory == NULL) {
        return;
    }
    laz_buf_init_fixed(&buf, memory, LAZ_FETCH_MAX + 1);
    if (laz_fetch_encode(&merge->policy->secrets.config, &buf, &err) < 0) {
        laz_report_at(merge->report, err.kind, pos_of_all(merge), "secrets: %s", err.message);
    }
}

/* A core of the workload could have them. Who wants cores names the limit, which is a relaxation.
 */
static void forbid_cores(struct laz_merge *merge, struct laz_pos pos)
{
    struct laz_limit_value *core = &merge->policy->limits[RLIMIT_CORE];
    if (!core->set) {
        *core = (struct laz_limit_value){.set = true, .value = 0, .pos = pos};
    }
}

void laz_complete_secrets(struct laz_merge *merge)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    struct laz_pos pos = pos_of_all(merge);
    bool is_any = said_at(merge, LAZ_FIELD_SECRETS).line > 0 || config->n_items > 0 ||
            config->n_identities > 0;
    if (!is_any || laz_complete_is_wrong(merge, LAZ_FIELD_SECRETS) ||
            laz_complete_is_wrong(merge, LAZ_FIELD_KEYS) ||
            laz_complete_is_wrong(merge, LAZ_FIELD_TLS)) {
        return;
    }
    if (config->n_items == 0) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, pos,
                "secrets: nothing is fetched: name what is, under \"items\"");
        return;
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        for (uint32_t k = 0; k < i && is_said(merge, i); k++) {
            check_pair(merge, i, k);
        }
        if (is_said(merge, i)) {
            check_variables(merge, i);
        }
    }
    if (merge->policy->shipping.config.n_sinks == 0) { /* or it is said already */
        laz_complete_user(merge, "secrets");
    }
    forbid_cores(merge, pos);
    check_fips(merge);
    laz_complete_vault(merge);
    check_token(merge);
    check_dir(merge);
    check_renewal(merge);
    check_length(merge);
}

/* ---- What is given up ---- */

/* Who has the task's credentials can fetch whatever init can. */
static void add_credentials(struct laz_merge *merge)
{
    static const char *const names[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SECRET_ACCESS_KEY"};
    const struct laz_policy *policy = merge->policy;
    const struct laz_fetch_config *config = &policy->secrets.config;
    bool is_of_aws = config->vault.login == LAZ_FETCH_LOGIN_AWS;
    for (uint32_t i = 0; i < config->n_items; i++) {
        is_of_aws = is_of_aws || laz_secret_is_of_aws(&config->items[i]);
    }
    for (size_t i = 0; is_of_aws && i < policy->env_pass.n; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (strcmp(policy->env_pass.items[i], names[k]) == 0) {
                laz_relaxations_add(merge, policy->env_pass.pos[i],
                        "secrets: the workload can fetch them itself, by %s", names[k]);
            }
        }
    }
}

void laz_relaxations_secrets(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_policy_secrets *secrets = &policy->secrets;
    if (secrets->config.n_items == 0) {
        return;
    }
    if (secrets->config.imds) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_SECRETS_IMDS],
                "secrets: the role of the instance may be used");
    }
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        if (secrets->deliveries[i].mode == 0444) {
            laz_relaxations_add(merge, laz_policy_pos_of_secret(policy, i, "file.mode"),
                    "secrets: every user may read %s", secrets->config.items[i].name);
        }
        if (secrets->deliveries[i].exposed != NULL) {
            laz_relaxations_add(merge, laz_policy_pos_of_secret(policy, i, "expose-in-environment"),
                    "secrets: %s is in the environment, as %s", secrets->config.items[i].name,
                    secrets->deliveries[i].exposed);
        }
    }
    if (secrets->renewal.is_said && secrets->renewal.then == LAZ_STALE_KEEP) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_STALE_THEN],
                "secrets: what is stale counts as good");
    }
    add_credentials(merge);
    if (policy->limits[RLIMIT_CORE].value > 0) {
        laz_relaxations_add(merge, policy->limits[RLIMIT_CORE].pos,
                "secrets: a core of the workload may have them");
    }
    const struct laz_policy_shipping *shipping = &policy->shipping;
    if (shipping->config.passthrough && shipping->capture &&
            laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG)) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_LOGS_PASSTHROUGH],
                "secrets: what the workload prints of them is passed through as well, unmasked");
    }
}
