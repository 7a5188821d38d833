/* SPDX-License-Identifier: Apache-2.0
 *
 * filesystem: the Landlock rules by path.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/merge.h"

static const struct {
    enum laz_field_id field;
    enum laz_path_class class;
} classes[] = {
        {LAZ_FIELD_FILESYSTEM_READ, LAZ_PATH_READ},
        {LAZ_FIELD_FILESYSTEM_READ_EXEC, LAZ_PATH_READ_EXEC},
        {LAZ_FIELD_FILESYSTEM_WRITE, LAZ_PATH_WRITE},
        {LAZ_FIELD_FILESYSTEM_WRITE_EXEC, LAZ_PATH_WRITE_EXEC},
        {LAZ_FIELD_FILESYSTEM_DEVICES, LAZ_PATH_DEVICES},
};

static void remove_paths(struct laz_merge *merge, struct laz_node *remove)
{
    struct laz_policy *policy = merge->policy;
    for (struct laz_node *node = laz_check_item(remove, NULL); node != NULL;
            node = laz_check_item(remove, node)) {
        size_t kept = 0;
        for (size_t i = 0; i < policy->n_paths; i++) {
            if (strcmp(policy->paths[i].path, node->text) != 0) {
                policy->paths[kept++] = policy->paths[i];
            }
        }
        if (kept == policy->n_paths) {
            laz_report_warning(merge->report, node, "no extended policy has this path");
        }
        policy->n_paths = kept;
    }
}

/* The rule that this document already has for the path. */
static const struct laz_path_rule *find_in_document(
        const struct laz_policy *policy, const struct laz_node *node)
{
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        if (rule->pos.file == node->pos.file && strcmp(rule->path, node->text) == 0) {
            return rule;
        }
    }
    return NULL;
}

static bool is_known(
        const struct laz_policy *policy, const struct laz_node *node, enum laz_path_class class)
{
    for (size_t i = 0; i < policy->n_paths; i++) {
        if (policy->paths[i].class == class && strcmp(policy->paths[i].path, node->text) == 0) {
            return true;
        }
    }
    return false;
}

static void add_path(struct laz_merge *merge, struct laz_node *node, enum laz_path_class class)
{
    struct laz_policy *policy = merge->policy;
    if (class == LAZ_PATH_DEVICES && !laz_path_is_at_or_below(node->text, "/dev")) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "must be below /dev: of an ordinary file this would be write access, which "
                "\"write\" is for");
        return;
    }
    const struct laz_path_rule *other = find_in_document(policy, node);
    if (other != NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "also under \"%s\", at line %" PRIu32, laz_path_class_name(other->class),
                other->pos.line);
        return;
    }
    if (is_known(policy, node, class)) {
        return;
    }
    if (policy->n_paths == LAZ_POLICY_PATHS_MAX) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d paths",
                LAZ_POLICY_PATHS_MAX);
        return;
    }
    struct laz_path_rule *rule = NULL;
    char *path = laz_arena_copy(merge->arena, node->text, node->length);
    if (path != NULL) {
        rule = laz_arena_append(merge->arena, &policy->paths, &policy->n_paths, sizeof(*rule));
    }
    if (rule != NULL) {
        *rule = (struct laz_path_rule){.path = path, .class = class, .pos = node->pos};
    }
}

static void mark_optional(struct laz_merge *merge, struct laz_node *optional)
{
    struct laz_policy *policy = merge->policy;
    for (struct laz_node *node = laz_check_item(optional, NULL); node != NULL;
            node = laz_check_item(optional, node)) {
        bool is_found = false;
        for (size_t i = 0; i < policy->n_paths; i++) {
            if (strcmp(policy->paths[i].path, node->text) == 0) {
                policy->paths[i].optional = true;
                is_found = true;
            }
        }
        if (!is_found) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "this path is in none of the other lists");
        }
    }
}

void laz_merge_filesystem(struct laz_merge *merge, struct laz_document *document)
{
    remove_paths(merge, document->at[LAZ_FIELD_FILESYSTEM_REMOVE]);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        struct laz_node *list = document->at[classes[i].field];
        for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
                node = laz_check_item(list, node)) {
            add_path(merge, node, classes[i].class);
        }
    }
    mark_optional(merge, document->at[LAZ_FIELD_FILESYSTEM_OPTIONAL]);
    struct laz_node *isolate = document->at[LAZ_FIELD_FILESYSTEM_ISOLATE];
    for (struct laz_node *node = laz_check_item(isolate, NULL); node != NULL;
            node = laz_check_item(isolate, node)) {
        if (node->number == 0) {
            merge->policy->isolate_signals = true;
        } else {
            merge->policy->isolate_abstract_sockets = true;
        }
    }
}
