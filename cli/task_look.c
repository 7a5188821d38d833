/* SPDX-License-Identifier: Apache-2.0
 *
 * How the parts of the check look at a task definition: members, lists, numbers, times, paths.
 */
#include <stdio.h>
#include <string.h>

#include "cli/task.h"
#include "core/num.h"

const struct laz_json_node *laz_task_get(
        const struct laz_task_file *file, const struct laz_json_node *object, const char *key)
{
    const struct laz_json_node *node = laz_json_member(&file->doc, object, key);
    return node == NULL || node->type == LAZ_JSON_NULL ? NULL : node;
}

struct laz_task_place laz_task_at(
        const struct laz_task *task, const struct laz_json_node *object, const char *key)
{
    const struct laz_json_node *node = laz_json_member(&task->definition.doc, object, key);
    return (struct laz_task_place){.file = &task->definition,
            .node = node == NULL ? object : node,
            .key = node == NULL ? key : NULL};
}

struct laz_task_place laz_task_on(const struct laz_task *task, const struct laz_json_node *node)
{
    return (struct laz_task_place){.file = &task->definition, .node = node};
}

bool laz_task_number(
        struct laz_task *task, const struct laz_json_node *object, const char *key, uint64_t *ret)
{
    const struct laz_json_node *node = laz_task_get(&task->definition, object, key);
    if (node == NULL) {
        return false;
    }
    if (!laz_json_number(&task->definition.doc, node, UINT32_MAX, ret)) {
        laz_task_say(task, LAZ_TASK_WRONG_TYPE, laz_task_on(task, node),
                "this is to be a number of digits alone");
        return false;
    }
    return true;
}

bool laz_task_true(const struct laz_task *task, const struct laz_json_node *object, const char *key)
{
    const struct laz_json_node *node = laz_task_get(&task->definition, object, key);
    return node != NULL && node->type == LAZ_JSON_TRUE;
}

void laz_task_text(const struct laz_task_file *file, const struct laz_json_node *object,
        const char *key, char *ret, size_t size)
{
    const struct laz_json_node *node = key == NULL ? object : laz_task_get(file, object, key);
    ret[0] = '\0';
    laz_ignore(laz_json_copy(&file->doc, node, ret, size) ? 0 : -1); /* then it is "" */
}

bool laz_task_is(const struct laz_task_file *file, const struct laz_json_node *object,
        const char *key, const char *text)
{
    char found[LAZ_TASK_TEXT_MAX];
    laz_task_text(file, object, key, found, sizeof(found));
    return strcmp(found, text) == 0;
}

const struct laz_json_node *laz_task_item(const struct laz_task *task,
        const struct laz_json_node *object, const char *key, const struct laz_json_node *previous)
{
    const struct laz_json_node *list = laz_task_get(&task->definition, object, key);
    return list == NULL || list->type != LAZ_JSON_ARRAY
            ? NULL
            : laz_json_next(&task->definition.doc, list, previous);
}

bool laz_task_has_word(const struct laz_task *task, const struct laz_json_node *object,
        const char *key, const char *word)
{
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, object, key, item)) != NULL;) {
        if (laz_task_is(&task->definition, item, NULL, word)) {
            return true;
        }
    }
    return false;
}

bool laz_task_digits(const char **at, uint64_t max, uint64_t *ret)
{
    size_t length = strspn(*at, "0123456789");
    if (!laz_parse_u64(*at, length, max, ret)) {
        return false;
    }
    *at += length;
    return true;
}

const char *laz_task_seconds(struct laz_task_seconds *ret, uint64_t ms)
{
    if (ms % 1000 == 0) {
        (void)snprintf(ret->text, sizeof(ret->text), "%llu s", (unsigned long long)(ms / 1000));
    } else {
        (void)snprintf(ret->text, sizeof(ret->text), "%llu.%03llu s",
                (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
    }
    return ret->text;
}

bool laz_task_is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') {
        length--;
    }
    return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

bool laz_task_is_init(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && strcmp(slash + 1, "lazaret-init") == 0;
}

bool laz_task_entry(const struct laz_task *task, char *ret, size_t size, size_t *ret_index)
{
    size_t index = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "entryPoint", item)) != NULL; index++) {
        laz_task_text(&task->definition, item, NULL, ret, size);
        if (laz_task_is_init(ret)) {
            *ret_index = index;
            return true;
        }
    }
    return false;
}
