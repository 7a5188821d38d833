/* SPDX-License-Identifier: Apache-2.0
 *
 * The variables that the container gets, and the roles that stand behind its secrets. Repeats no
 * value, and looks at it only to see whether it is a secret.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/task.h"
#include "policy/report.h"

#define NAME_MAX_BYTES 512
#define VALUE_MAX      8192 /* bytes: what is longer is not looked at */

/* Words of which a name consists: DB_PASSWORD, but not COMPASSWORD. */
static const char *const secret_words[] = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "SECRETS",
        "TOKEN", "APIKEY", "PRIVATEKEY", "CREDENTIALS", "CREDENTIAL", "SECRETKEY", "PWD",
        "PGPASSWORD"};
static const char *const secret_pairs[] = {
        "API_KEY", "PRIVATE_KEY", "ACCESS_KEY", "SECRET_KEY", "ENCRYPTION_KEY", "SIGNING_KEY"};
/* With these behind it, it says where the secret is, and not what it is. */
static const char *const place_words[] = {"FILE", "PATH", "DIR", "ARN", "NAME", "ID", "URL", "URI",
        "TTL", "REGION", "LIFETIME", "EXPIRY", "ENABLED"};

static bool ends_with_word(const char *name, const char *word)
{
    size_t length = strlen(name);
    size_t size = strlen(word);
    return length >= size && strcasecmp(name + length - size, word) == 0 &&
            (length == size || name[length - size - 1] == '_' || name[length - size - 1] == '-');
}

static bool is_secret_name(const char *name)
{
    for (size_t i = 0; i < sizeof(place_words) / sizeof(place_words[0]); i++) {
        if (ends_with_word(name, place_words[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(secret_pairs) / sizeof(secret_pairs[0]); i++) {
        if (ends_with_word(name, secret_pairs[i])) {
            return true;
        }
    }
    /* PWD alone is the working directory. */
    for (size_t i = 0; i < sizeof(secret_words) / sizeof(secret_words[0]); i++) {
        size_t size = strlen(secret_words[i]);
        for (const char *at = strcasestr(name, secret_words[i]); at != NULL;
                at = strcasestr(at + 1, secret_words[i])) {
            bool begins = at == name || at[-1] == '_' || at[-1] == '-';
            bool ends = at[size] == '\0' || at[size] == '_' || at[size] == '-';
            if (begins && ends && strcmp(name, "PWD") != 0) {
                return true;
            }
        }
    }
    return false;
}

/* https://user:password@host */
static bool has_password(const char *value)
{
    const char *at = strstr(value, "://");
    if (at == NULL) {
        return false;
    }
    at += 3;
    size_t length = strcspn(at, "/?# ");
    const char *end = memchr(at, '@', length);
    const char *colon = memchr(at, ':', length);
    return end != NULL && colon != NULL && colon + 1 < end;
}

static bool is_secret_value(const char *value)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char base64url[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if ((strncmp(value, "AKIA", 4) == 0 || strncmp(value, "ASIA", 4) == 0) &&
            strspn(value, upper) == 20 && value[20] == '\0') {
        return true;
    }
    if (strstr(value, "-----BEGIN") != NULL && strstr(value, "PRIVATE KEY-----") != NULL) {
        return true;
    }
    if (strncmp(value, "eyJ", 3) == 0) {
        const char *second = value + strspn(value, base64url);
        return strncmp(second, ".eyJ", 4) == 0;
    }
    return strncmp(value, "ghp_", 4) == 0 || strncmp(value, "xoxb-", 5) == 0 || has_password(value);
}

/* ---- What the policy does with a variable ---- */

static bool is_passed(const struct laz_policy *policy, const char *name)
{
    return laz_string_list_has(&policy->env_pass, name);
}

static bool is_set(const struct laz_policy *policy, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < policy->env_set.n; i++) {
        if (strncmp(policy->env_set.items[i], name, length) == 0 &&
                policy->env_set.items[i][length] == '=') {
            return true;
        }
    }
    return false;
}

/* Does Lazaret take it for itself? */
static bool is_taken(const struct laz_policy *policy, const char *name)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    for (uint32_t i = 0; i < config->n_items; i++) {
        if (config->items[i].source == LAZ_SECRET_VARIABLE &&
                strcmp(config->items[i].from, name) == 0) {
            return true;
        }
    }
    if (policy->watching.is_said &&
            (strcmp(policy->watching.color, name) == 0 ||
                    strcmp(policy->watching.version, name) == 0)) {
        return true;
    }
    return config->vault.address[0] != '\0' && config->vault.login == LAZ_FETCH_LOGIN_TOKEN &&
            strcmp(config->vault.token_variable, name) == 0;
}

static bool is_lazarets(const char *name)
{
    return strncmp(name, "LAZARET_", 8) == 0 || strncmp(name, "AWS_", 4) == 0 ||
            strncmp(name, "ECS_", 4) == 0;
}

static void look_reach(struct laz_task *task, const struct laz_json_node *item, const char *name)
{
    struct laz_quoted quoted;
    (void)laz_quote(&quoted, name, strlen(name));
    if (is_set(task->policy, name)) {
        laz_task_say(task, LAZ_TASK_VARIABLE_LOST, laz_task_at(task, item, "name"),
                "workload.env.set of the policy has %s too, and wins; say it in one place",
                quoted.text);
    } else if (!is_passed(task->policy, name) && !is_taken(task->policy, name) &&
            !is_lazarets(name)) {
        laz_task_say(task, LAZ_TASK_VARIABLE_LOST, laz_task_at(task, item, "name"),
                "workload.env.pass of the policy has no %s, so the workload does not get it; add "
                "it "
                "there, or take it out here",
                quoted.text);
    }
}

static void look_environment(struct laz_task *task)
{
    char value[VALUE_MAX];
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "environment", item)) != NULL;) {
        char name[NAME_MAX_BYTES];
        laz_task_text(&task->definition, item, "name", name, sizeof(name));
        laz_task_text(&task->definition, item, "value", value, sizeof(value));
        look_reach(task, item, name);
        if (is_secret_value(value)) {
            laz_task_say(task, LAZ_TASK_SECRET_VALUE, laz_task_at(task, item, "value"),
                    "this looks like a key, a token or a password, and whoever may describe the "
                    "task "
                    "definition reads it, in every revision; revoke it, and let the policy fetch "
                    "it "
                    "(secrets.items)");
        } else if (value[0] != '\0' && is_secret_name(name)) {
            laz_task_say(task, LAZ_TASK_SECRET_PLAIN, laz_task_at(task, item, "name"),
                    "by its name this is a secret, and whoever may describe the task definition "
                    "reads it; let the policy fetch it (secrets.items), and give the workload a "
                    "file");
        }
    }
}

/* Is it the same value that ECS would put into the variable? What stands behind an ARN is
 * ":member:stage:version". */
static bool is_item(const struct laz_fetch_item *item, const char *from)
{
    size_t length = strlen(item->from);
    size_t member = strlen(item->json_key);
    if (length == 0 || strncmp(from, item->from, length) != 0) {
        return false;
    }
    const char *rest = from + length;
    if (rest[0] == '\0') {
        return member == 0;
    }
    return rest[0] == ':' && strncmp(rest + 1, item->json_key, member) == 0 &&
            (rest[1 + member] == ':' || rest[1 + member] == '\0');
}

static void look_secret(struct laz_task *task, const struct laz_json_node *secret)
{
    const struct laz_fetch_config *config = &task->policy->secrets.config;
    char name[NAME_MAX_BYTES];
    char from[LAZ_FETCH_FROM_MAX];
    laz_task_text(&task->definition, secret, "name", name, sizeof(name));
    laz_task_text(&task->definition, secret, "valueFrom", from, sizeof(from));
    for (uint32_t i = 0; i < config->n_items; i++) {
        if (is_item(&config->items[i], from)) {
            laz_task_say(task, LAZ_TASK_SECRET_TWICE, laz_task_on(task, secret),
                    "the policy fetches it as %s, so take it out here: what ECS execs into the "
                    "container has this environment, whatever lazaret-init passes on",
                    config->items[i].name);
            return;
        }
    }
    if (is_taken(task->policy, name)) {
        laz_task_say(task, LAZ_TASK_SECRET_EXPOSED, laz_task_on(task, secret),
                "lazaret-init takes it out of its own environment, but what ECS execs into the "
                "container has it; the policy can fetch it itself: put valueFrom under "
                "secrets.items, from");
        return;
    }
    if (is_passed(task->policy, name)) {
        laz_task_say(task, LAZ_TASK_SECRET_EXPOSED, laz_task_on(task, secret),
                "the workload, all its children and what ECS execs into the container have it in "
                "their environment; put valueFrom under secrets.items, from, of the policy, and "
                "give "
                "the workload a file");
        return;
    }
    look_reach(task, secret, name);
}

static bool has_variable(const struct laz_task *task, const char *name)
{
    static const char *const lists[] = {"environment", "secrets"};
    for (size_t i = 0; i < 2; i++) {
        for (const struct laz_json_node *item = NULL;
                (item = laz_task_item(task, task->container, lists[i], item)) != NULL;) {
            if (laz_task_is(&task->definition, item, "name", name)) {
                return true;
            }
        }
    }
    return false;
}

static void look_missing(struct laz_task *task)
{
    const struct laz_fetch_config *config = &task->policy->secrets.config;
    bool has_files = laz_task_item(task, task->container, "environmentFiles", NULL) != NULL;
    if (has_files) {
        laz_task_say(task, LAZ_TASK_VARIABLES_UNSEEN,
                laz_task_at(task, task->container, "environmentFiles"),
                "what is in these files cannot be seen from here: secrets do not belong there");
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        if (item->source == LAZ_SECRET_VARIABLE && !item->optional && !has_files &&
                !has_variable(task, item->from)) {
            laz_task_say(task, LAZ_TASK_VARIABLE_MISSING,
                    laz_task_at(task, task->container, "secrets"),
                    "the policy takes %s from the variable %s, which the container does not have: "
                    "it "
                    "refuses to start with 103",
                    item->name, item->from);
        }
    }
}

/* ---- Roles ---- */

/* The first thing for which the policy needs AWS; NULL: nothing. */
static const char *asks_aws(const struct laz_policy *policy)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    const struct laz_ship_config *shipping = &policy->shipping.config;
    for (uint32_t i = 0; i < config->n_items; i++) {
        if (laz_secret_is_of_aws(&config->items[i]) || config->items[i].kms_key[0] != '\0') {
            return config->items[i].name;
        }
    }
    for (uint32_t i = 0; i < config->n_identities; i++) {
        if (config->identities[i].source == LAZ_IDENTITY_FROM_ACM_PCA) {
            return config->identities[i].name;
        }
    }
    for (uint32_t i = 0; i < shipping->n_sinks; i++) {
        if (shipping->sinks[i].type == LAZ_SINK_CLOUDWATCH ||
                (shipping->sinks[i].type == LAZ_SINK_EMF && shipping->sinks[i].group[0] != '\0')) {
            return shipping->sinks[i].name;
        }
    }
    return config->vault.address[0] != '\0' && config->vault.login == LAZ_FETCH_LOGIN_AWS
            ? "secrets.vault"
            : NULL;
}

static void look_roles(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    const char *what = asks_aws(task->policy);
    const struct laz_json_node *logging = laz_task_get(file, task->container, "logConfiguration");
    bool needs_agent = laz_task_item(task, task->container, "secrets", NULL) != NULL ||
            (task->is_fargate && laz_task_is(file, logging, "logDriver", "awslogs"));
    if (what != NULL && laz_task_get(file, task->root, "taskRoleArn") == NULL) {
        laz_task_say(task, LAZ_TASK_ROLE_MISSING, laz_task_at(task, task->root, "taskRoleArn"),
                "the policy needs AWS for %s, by the task's own role; say one, with what `lazaret "
                "secrets check` lists",
                what);
    }
    if (needs_agent && laz_task_get(file, task->root, "executionRoleArn") == NULL) {
        laz_task_say(task, LAZ_TASK_EXECUTION_ROLE,
                laz_task_at(task, task->root, "executionRoleArn"),
                "ECS reads secrets and writes awslogs by the execution role, and without it does "
                "not "
                "start the container");
    }
}

void laz_task_look_environment(struct laz_task *task)
{
    look_environment(task);
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "secrets", item)) != NULL;) {
        look_secret(task, item);
    }
    look_missing(task);
    look_roles(task);
}
