/* SPDX-License-Identifier: Apache-2.0
 *
 * host: what the host's shim does with a container. Its single values are stored by the table; here
 * are its lists, which add up, and what of it is given up by name.
 */
#include "policy/merge.h"

/* The lists of texts; namespaces are bits. */
static const struct {
    enum laz_field_id id;
    size_t offset;
    const char *relaxation; /* what an entry gives up; NULL: nothing */
} lists[] = {
        {LAZ_FIELD_HOST_EXEC_ENV_DENY, offsetof(struct laz_policy_host, exec_env_deny), NULL},
        {LAZ_FIELD_HOST_MOUNTS_DENY, offsetof(struct laz_policy_host, mounts_deny), NULL},
        {LAZ_FIELD_HOST_MOUNTS_ALLOW, offsetof(struct laz_policy_host, mounts_allow), "mount of"},
        {LAZ_FIELD_HOST_DEVICES, offsetof(struct laz_policy_host, devices), "device"},
        {LAZ_FIELD_HOST_HOOKS, offsetof(struct laz_policy_host, hooks), "hook"},
        {LAZ_FIELD_HOST_MASKED_PATHS, offsetof(struct laz_policy_host, masked_paths), NULL},
        {LAZ_FIELD_HOST_READONLY_PATHS, offsetof(struct laz_policy_host, readonly_paths), NULL},
};

#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

static struct laz_string_list *list_at(struct laz_policy_host *host, size_t i)
{
    return (struct laz_string_list *)(void *)((char *)host + lists[i].offset);
}

/* A command is whole or another: words do not add up, and may be there twice. */
static void merge_health_check(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy_host *host = &merge->policy->host;
    struct laz_node *command = document->at[LAZ_FIELD_HOST_HEALTH_CHECK_ARGV];
    const struct laz_node *exec = document->at[LAZ_FIELD_HOST_HEALTH_CHECK_EXEC];
    if (command == NULL) {
        return;
    }
    host->health_command = (struct laz_string_list){0};
    host->health_exec = exec == NULL ? LAZ_HOST_EXEC_CONFINED : (uint32_t)exec->number;
    for (struct laz_node *word = laz_check_item(command, NULL); word != NULL;
            word = laz_check_item(command, word)) {
        if (host->health_command.n == LAZ_HOST_COMMAND_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, command, "more than %d words",
                    LAZ_HOST_COMMAND_MAX);
            return;
        }
        laz_strings_append(
                merge->arena, &host->health_command, word->text, word->length, word->pos);
    }
    if (host->health_command.n == 0 && !command->has_bad) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, command,
                "names no command: such as [/.lazaret/lazaret-init, probe, live]");
    }
}

void laz_merge_host(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy_host *host = &merge->policy->host;
    merge_health_check(merge, document);
    struct laz_node *namespaces = document->at[LAZ_FIELD_HOST_NAMESPACES];
    for (size_t i = 0; i < N_LISTS; i++) {
        laz_merge_texts(merge, document->at[lists[i].id], list_at(host, i), LAZ_HOST_LIST_MAX);
    }
    for (struct laz_node *node = laz_check_item(namespaces, NULL); node != NULL;
            node = laz_check_item(namespaces, node)) {
        host->namespaces |= 1U << node->number;
        host->namespace_pos[node->number] = node->pos;
    }
}

/* Whoever wears the profile of the host alone would have what it was loosened by. */
void laz_complete_host(struct laz_merge *merge)
{
    struct laz_node *said = merge->said[LAZ_FIELD_HOST_SECCOMP];
    const struct laz_policy_host *host = &merge->policy->host;
    if (said != NULL && said->number == LAZ_HOST_SECCOMP_EVENTS && !laz_host_confines_execs(host) &&
            !laz_complete_is_wrong(merge, LAZ_FIELD_HOST)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, said,
                "\"events\" loosens the profile that an exec wears: let every exec be confined or "
                "denied (host.exec, host.ecs-exec, host.health-check), or keep the engine's "
                "profile");
    }
}

void laz_relaxations_host(struct laz_merge *merge)
{
    static const struct {
        enum laz_field_id id;
        uint32_t value; /* that gives something up */
    } words[] = {
            {LAZ_FIELD_HOST_EXEC, LAZ_HOST_EXEC_ALLOW},
            {LAZ_FIELD_HOST_ECS_EXEC, LAZ_HOST_EXEC_ALLOW},
            {LAZ_FIELD_HOST_CHECKPOINT, LAZ_HOST_VERB_ALLOW},
            {LAZ_FIELD_HOST_SECCOMP, LAZ_HOST_SECCOMP_EVENTS},
    };
    struct laz_policy_host *host = &merge->policy->host;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const struct laz_node *said = merge->said[words[i].id];
        if (said != NULL && said->number == words[i].value) {
            const struct laz_field *field = laz_field_at(words[i].id);
            laz_relaxations_add(merge, said->pos, "host: %s %s", field->key,
                    words[i].id == LAZ_FIELD_HOST_SECCOMP ? "events" : "allow");
        }
    }
    if (host->health_command.n > 0 && host->health_exec == LAZ_HOST_EXEC_ALLOW) {
        laz_relaxations_add(merge, host->health_command.pos[0], "host: health-check allow");
    }
    const struct laz_word *word = laz_field_at(LAZ_FIELD_HOST_NAMESPACES)->words;
    for (; word->word != NULL; word++) {
        if ((host->namespaces >> word->value & 1) != 0) {
            laz_relaxations_add(merge, host->namespace_pos[word->value],
                    "host: the host's %s namespace", word->word);
        }
    }
    for (size_t i = 0; i < N_LISTS; i++) {
        const struct laz_string_list *list = list_at(host, i);
        for (size_t k = 0; lists[i].relaxation != NULL && k < list->n; k++) {
            laz_relaxations_add(
                    merge, list->pos[k], "host: %s %s", lists[i].relaxation, list->items[k]);
        }
    }
}
