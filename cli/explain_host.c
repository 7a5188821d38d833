/* SPDX-License-Identifier: Apache-2.0
 *
 * `policy explain FILE`: what a policy says to the host's shim. Nothing where it says nothing: what
 * the shim does then is in the reference.
 */
#include "cli/explanation.h"
#include "policy/fields.h"

/* The keys that are a word each, and where the word is. */
static const struct {
    const char *path;
    size_t offset;
} words[] = {
        {"host.exec", offsetof(struct laz_policy_host, exec)},
        {"host.exec-user", offsetof(struct laz_policy_host, exec_user)},
        {"host.ecs-exec", offsetof(struct laz_policy_host, ecs_exec)},
        {"host.privileged", offsetof(struct laz_policy_host, privileged)},
        {"host.user-namespace", offsetof(struct laz_policy_host, user_namespace)},
        {"host.annotations", offsetof(struct laz_policy_host, annotations)},
        {"host.seccomp", offsetof(struct laz_policy_host, seccomp)},
        {"host.update", offsetof(struct laz_policy_host, update)},
        {"host.checkpoint", offsetof(struct laz_policy_host, checkpoint)},
};

static const struct {
    const char *name;
    size_t offset;
} lists[] = {
        {"mount denied", offsetof(struct laz_policy_host, mounts_deny)},
        {"mount allowed", offsetof(struct laz_policy_host, mounts_allow)},
        {"device", offsetof(struct laz_policy_host, devices)},
        {"hook", offsetof(struct laz_policy_host, hooks)},
        {"masked", offsetof(struct laz_policy_host, masked_paths)},
        {"read-only", offsetof(struct laz_policy_host, readonly_paths)},
        {"exec without variable", offsetof(struct laz_policy_host, exec_env_deny)},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct laz_buf *add(
        struct laz_explanation *ret, const struct laz_policy *policy, struct laz_pos pos)
{
    return laz_lines_add(&ret->facts, policy, "host", pos);
}

static const char *word_of(const struct laz_field *field, uint32_t value)
{
    const struct laz_word *word = field->words;
    while (word->word != NULL && word->value != value) {
        word++;
    }
    return word->word != NULL ? word->word : "?";
}

static void explain_health_check(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_string_list *command = &policy->host.health_command;
    if (command->n == 0) {
        return;
    }
    const struct laz_field *field = laz_field_at(LAZ_FIELD_HOST_HEALTH_CHECK_EXEC);
    struct laz_buf *line = add(ret, policy, command->pos[0]);
    laz_buf_printf(line, "health-check, %s:", word_of(field, policy->host.health_exec));
    for (size_t i = 0; i < command->n; i++) {
        laz_buf_printf(line, " %s", command->items[i]);
    }
}

void laz_host_explain(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const char *host = (const char *)&policy->host;
    if (laz_policy_pos_of(policy, "host").line == 0) {
        return;
    }
    for (size_t i = 0; i < LENGTH(words); i++) {
        const struct laz_field *field = laz_field_at(laz_field_by_path(words[i].path));
        const uint32_t *value = (const void *)(host + words[i].offset);
        laz_buf_printf(add(ret, policy, laz_policy_pos_of(policy, words[i].path)), "%s: %s",
                field->key, word_of(field, *value));
    }
    explain_health_check(policy, ret);
    const struct laz_field *namespaces = laz_field_at(laz_field_by_path("host.namespaces"));
    for (const struct laz_word *word = namespaces->words; word->word != NULL; word++) {
        if ((policy->host.namespaces >> word->value & 1) != 0) {
            laz_buf_printf(add(ret, policy, policy->host.namespace_pos[word->value]),
                    "the host's own namespace: %s", word->word);
        }
    }
    for (size_t i = 0; i < LENGTH(lists); i++) {
        const struct laz_string_list *list = (const void *)(host + lists[i].offset);
        for (size_t k = 0; k < list->n; k++) {
            laz_buf_printf(add(ret, policy, list->pos[k]), "%s: %s", lists[i].name, list->items[k]);
        }
    }
}
