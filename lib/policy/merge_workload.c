/* SPDX-License-Identifier: Apache-2.0
 *
 * workload, privileges and limits: as whom the program runs, with which environment, capabilities
 * and limits.
 */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "policy/image.h"
#include "policy/merge.h"

static_assert(LAZ_PARTY_GROUPS_MAX == LAZ_IMAGE_GROUPS_MAX, "nobody is left out");

/* ---- Environment ---- */

static void remove_string(struct laz_string_list *list, size_t i)
{
    list->n--;
    (void)memmove(&list->items[i], &list->items[i + 1], (list->n - i) * sizeof(list->items[0]));
    (void)memmove(&list->pos[i], &list->pos[i + 1], (list->n - i) * sizeof(list->pos[0]));
}

/* Forget a variable by its name; entries are "NAME" or "NAME=value". */
static void forget_variable(struct laz_string_list *list, const char *name, size_t length)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *item = list->items[i];
        if (strncmp(item, name, length) == 0 && (item[length] == '\0' || item[length] == '=')) {
            remove_string(list, i);
            return;
        }
    }
}

static bool contains_word(const char *name, const char *word)
{
    size_t length = strlen(word);
    for (; *name != '\0'; name++) {
        if (strncasecmp(name, word, length) == 0) {
            return true;
        }
    }
    return false;
}

/* DB_PASSWORD_FILE: /run/secrets/db/password */
static bool names_a_file(const struct laz_node *node)
{
    size_t length = strlen("_FILE");
    return node->key_length > length && node->text[0] == '/' &&
            strcasecmp(node->key + node->key_length - length, "_FILE") == 0;
}

bool laz_is_secret_like(const char *name)
{
    static const char *const words[] = {
            "PASSWORD", "PASSWD", "SECRET", "TOKEN", "PRIVATE", "CREDENTIAL", "APIKEY"};
    size_t length = strlen(name);
    size_t key_length = strlen("_KEY");
    bool is_secret = length >= key_length && strcasecmp(name + length - key_length, "_KEY") == 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        is_secret = is_secret || contains_word(name, words[i]);
    }
    return is_secret;
}

static void warn_about_secret(struct laz_merge *merge, const struct laz_node *node)
{
    if (laz_is_secret_like(node->key) && node->length > 0 && !names_a_file(node)) {
        laz_report_warning(merge->report, node,
                "looks like a secret, which a policy is no place for: everybody can read it; "
                "\"secrets\" has it delivered");
    }
}

static void merge_environment(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy *policy = merge->policy;
    struct laz_node *pass = document->at[LAZ_FIELD_ENV_PASS];
    struct laz_node *set = document->at[LAZ_FIELD_ENV_SET];
    for (struct laz_node *node = laz_check_item(pass, NULL); node != NULL;
            node = laz_check_item(pass, node)) {
        forget_variable(&policy->env_set, node->text, node->length);
        forget_variable(&policy->env_pass, node->text, node->length);
        laz_strings_append(merge->arena, &policy->env_pass, node->text, node->length, node->pos);
    }
    for (struct laz_node *node = laz_check_item(set, NULL); node != NULL;
            node = laz_check_item(set, node)) {
        for (struct laz_node *other = laz_check_item(pass, NULL); other != NULL;
                other = laz_check_item(pass, other)) {
            if (strcmp(other->text, node->key) == 0) {
                laz_report_key(merge->report, LAZ_E_POLICY_INVALID, node,
                        "also under \"pass\", at line %" PRIu32, other->pos.line);
            }
        }
        warn_about_secret(merge, node);
        size_t length = node->key_length + 1 + node->length;
        char *entry = laz_arena_take(merge->arena, length + 1, 1);
        if (entry == NULL) {
            return;
        }
        (void)memcpy(entry, node->key, node->key_length);
        entry[node->key_length] = '=';
        (void)memcpy(entry + node->key_length + 1, node->text, node->length);
        forget_variable(&policy->env_set, node->key, node->key_length);
        forget_variable(&policy->env_pass, node->key, node->key_length);
        laz_strings_append(merge->arena, &policy->env_set, entry, length, node->pos);
    }
}

/* ---- Identity ---- */

static void merge_groups(struct laz_merge *merge, struct laz_node *groups)
{
    struct laz_policy *policy = merge->policy;
    for (struct laz_node *node = laz_check_item(groups, NULL); node != NULL;
            node = laz_check_item(groups, node)) {
        uint32_t gid = 0;
        struct laz_err err = {0};
        if (laz_group_resolve(merge->load->source, node->text, &gid, &err) < 0) {
            laz_report_node(merge->report, err.kind, node, "%s", err.message);
            continue;
        }
        size_t slot = 0;
        while (slot < policy->n_groups && policy->groups[slot] < gid) {
            slot++;
        }
        if (slot < policy->n_groups && policy->groups[slot] == gid) {
            continue;
        }
        if (policy->n_groups == LAZ_IMAGE_GROUPS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d groups",
                    LAZ_IMAGE_GROUPS_MAX);
            return;
        }
        if (laz_arena_append(merge->arena, &policy->groups, &policy->n_groups, sizeof(gid)) ==
                NULL) {
            return;
        }
        (void)memmove(&policy->groups[slot + 1], &policy->groups[slot],
                (policy->n_groups - 1 - slot) * sizeof(gid));
        policy->groups[slot] = gid;
    }
}

static void merge_capabilities(struct laz_merge *merge, struct laz_node *keep)
{
    for (struct laz_node *node = laz_check_item(keep, NULL); node != NULL;
            node = laz_check_item(keep, node)) {
        merge->policy->keep_capabilities |= UINT64_C(1) << node->number;
        merge->policy->capability_pos[node->number] = node->pos;
    }
}

static void merge_limits(struct laz_merge *merge, struct laz_node *limits)
{
    for (struct laz_node *node = laz_check_item(limits, NULL); node != NULL;
            node = laz_check_item(limits, node)) {
        merge->policy->limits[node->key_number] =
                (struct laz_limit_value){.set = true, .value = node->number, .pos = node->pos};
    }
}

void laz_merge_workload(struct laz_merge *merge, struct laz_document *document)
{
    merge_groups(merge, document->at[LAZ_FIELD_WORKLOAD_GROUPS]);
    merge_environment(merge, document);
    merge_capabilities(merge, document->at[LAZ_FIELD_CAPABILITIES_KEEP]);
    merge_limits(merge, document->at[LAZ_FIELD_LIMITS]);
}

void laz_finish_workload(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    const struct laz_node *cwd = merge->said[LAZ_FIELD_WORKLOAD_CWD];
    const char *path = cwd != NULL ? cwd->text : laz_field_at(LAZ_FIELD_WORKLOAD_CWD)->preset;
    policy->cwd = laz_arena_copy(merge->arena, path, strlen(path));
    struct laz_node *user = merge->said[LAZ_FIELD_WORKLOAD_USER];
    struct laz_err err = {0};
    if (user != NULL &&
            laz_user_resolve(merge->load->source, user->text, &policy->uid, &policy->gid, &err) <
                    0) {
        laz_report_node(merge->report, err.kind, user, "%s", err.message);
    }
}

void laz_merge_party(const struct laz_policy *policy, struct laz_party *ret)
{
    *ret = (struct laz_party){.uid = policy->uid, .gid = policy->gid};
    while (ret->n_groups < policy->n_groups && ret->n_groups < LAZ_PARTY_GROUPS_MAX) {
        ret->groups[ret->n_groups] = policy->groups[ret->n_groups];
        ret->n_groups++;
    }
}
