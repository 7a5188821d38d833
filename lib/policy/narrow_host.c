/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed policy says to the host, and the host's own choice of a policy, becomes no laxer:
 * words only stricter, lists of permissions no longer, lists of refusals no shorter.
 */
#include "policy/merge.h"
#include "policy/narrow.h"

/* Of a list of words the laxest is last. */
static bool find_in_word(const struct laz_comparison *comparison, enum laz_field_id id,
        uint32_t child, uint32_t parent)
{
    if (child <= parent) {
        return false;
    }
    char key[LAZ_NAME_LENGTH_MAX];
    const struct laz_word *word = laz_field_at(id)->words;
    while (word->word != NULL && word->value != child) {
        word++;
    }
    laz_field_path(id, key, sizeof(key));
    return laz_comparison_note(comparison, key, word->word != NULL ? word->word : "?");
}

static bool find_in_words(const struct laz_comparison *comparison)
{
    const struct laz_policy_host *child = &comparison->child->host;
    const struct laz_policy_host *parent = &comparison->parent->host;
    const struct {
        enum laz_field_id id;
        uint32_t child;
        uint32_t parent;
    } words[] = {
            {LAZ_FIELD_HOST_EXEC, child->exec, parent->exec},
            {LAZ_FIELD_HOST_EXEC_USER, child->exec_user, parent->exec_user},
            {LAZ_FIELD_HOST_ECS_EXEC, child->ecs_exec, parent->ecs_exec},
            {LAZ_FIELD_HOST_PRIVILEGED, child->privileged, parent->privileged},
            {LAZ_FIELD_HOST_USER_NAMESPACE, child->user_namespace, parent->user_namespace},
            {LAZ_FIELD_HOST_ANNOTATIONS, child->annotations, parent->annotations},
            {LAZ_FIELD_HOST_SECCOMP, child->seccomp, parent->seccomp},
            {LAZ_FIELD_HOST_UPDATE, child->update, parent->update},
            {LAZ_FIELD_HOST_CHECKPOINT, child->checkpoint, parent->checkpoint},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (find_in_word(comparison, words[i].id, words[i].child, words[i].parent)) {
            return true;
        }
    }
    return false;
}

static bool is_same(const struct laz_string_list *a, const struct laz_string_list *b)
{
    size_t i = 0;
    while (i < a->n && i < b->n && strcmp(a->items[i], b->items[i]) == 0) {
        i++;
    }
    return i == a->n && i == b->n;
}

/* One command each is judged by a switch of its own, and all others by `exec`, which is compared
 * before. */
static bool find_in_health_check(const struct laz_comparison *comparison)
{
    const struct laz_policy_host *child = &comparison->child->host;
    const struct laz_policy_host *parent = &comparison->parent->host;
    bool is_one = is_same(&child->health_command, &parent->health_command);
    if (child->health_command.n > 0 &&
            find_in_word(comparison, LAZ_FIELD_HOST_HEALTH_CHECK_EXEC, child->health_exec,
                    is_one ? parent->health_exec : parent->exec)) {
        comparison->found->child_pos = child->health_command.pos[0];
        return true;
    }
    return !is_one && parent->health_command.n > 0 &&
            find_in_word(
                    comparison, LAZ_FIELD_HOST_HEALTH_CHECK_EXEC, child->exec, parent->health_exec);
}

/* What is to be seen stays to be seen. */
static bool find_lost_events(const struct laz_comparison *comparison)
{
    if (comparison->parent->host.seccomp != LAZ_HOST_SECCOMP_EVENTS ||
            comparison->child->host.seccomp == LAZ_HOST_SECCOMP_EVENTS) {
        return false;
    }
    (void)laz_comparison_note(comparison, "host.seccomp", "events");
    comparison->found->is_less = true;
    return true;
}

static bool find_in_namespaces(const struct laz_comparison *comparison)
{
    const struct laz_policy_host *child = &comparison->child->host;
    uint32_t added = child->namespaces & ~comparison->parent->host.namespaces;
    const struct laz_word *word = laz_field_at(LAZ_FIELD_HOST_NAMESPACES)->words;
    while (word->word != NULL && (added >> word->value & 1) == 0) {
        word++;
    }
    if (word->word == NULL) {
        return false;
    }
    (void)laz_comparison_note(comparison, "host.namespaces", word->word);
    comparison->found->child_pos = child->namespace_pos[word->value];
    return true;
}

/* A path may be below one of the list. */
static bool is_in(const struct laz_string_list *list, const char *text)
{
    size_t i = 0;
    while (i < list->n && strcmp(list->items[i], text) != 0 &&
            (text[0] != '/' || !laz_path_is_at_or_below(text, list->items[i]))) {
        i++;
    }
    return i < list->n;
}

/* Of a list of permissions, what the child adds. */
static bool find_more(const struct laz_comparison *comparison, const char *key,
        const struct laz_string_list *child, const struct laz_string_list *parent)
{
    for (size_t i = 0; i < child->n; i++) {
        if (!is_in(parent, child->items[i])) {
            (void)laz_comparison_note(comparison, key, child->items[i]);
            comparison->found->child_pos = child->pos[i];
            return true;
        }
    }
    return false;
}

/* Of a list of refusals, what the child lacks: only where they are not one file's. */
static bool find_less(const struct laz_comparison *comparison, const char *key,
        const struct laz_string_list *child, const struct laz_string_list *parent)
{
    for (size_t i = 0; i < parent->n; i++) {
        if (!is_in(child, parent->items[i])) {
            (void)laz_comparison_note(comparison, key, parent->items[i]);
            comparison->found->parent_pos = parent->pos[i];
            comparison->found->is_less = true;
            return true;
        }
    }
    return false;
}

bool laz_host_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy_host *child = &comparison->child->host;
    const struct laz_policy_host *parent = &comparison->parent->host;
    const struct laz_comparison *c = comparison;
    return find_in_words(c) || find_in_health_check(c) || find_lost_events(c) ||
            find_in_namespaces(c) ||
            find_more(c, "host.mounts.allow", &child->mounts_allow, &parent->mounts_allow) ||
            find_more(c, "host.devices", &child->devices, &parent->devices) ||
            find_more(c, "host.hooks", &child->hooks, &parent->hooks) ||
            find_less(c, "host.mounts.deny", &child->mounts_deny, &parent->mounts_deny) ||
            find_less(c, "host.masked-paths", &child->masked_paths, &parent->masked_paths) ||
            find_less(c, "host.readonly-paths", &child->readonly_paths, &parent->readonly_paths) ||
            find_less(c, "host.exec-env-deny", &child->exec_env_deny, &parent->exec_env_deny);
}
