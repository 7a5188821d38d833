/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy check --task-definition: reads the files, finds the container that the policy is
 * for, has every part looked at, and prints.
 */
#include "cli/task.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "core/fd.h"
#include "policy/report.h"

static const struct {
    const char *name;
    enum laz_task_level level;
} findings[LAZ_TASK_ID_COUNT] = {
#define LAZ_FINDING(id, name, level, meaning) [LAZ_TASK_##id] = {name, LAZ_TASK_##level},
#include "cli/task_findings.def"
#undef LAZ_FINDING
};

static const char *level_name(enum laz_task_level level)
{
    switch (level) {
    case LAZ_TASK_ERROR:
        return "error";
    case LAZ_TASK_WARNING:
        return "warning";
    case LAZ_TASK_NOTE:
    case LAZ_TASK_LEVEL_COUNT:
        break;
    }
    return "note";
}

/* ---- Reading ---- */

static int read_text(const char *path, char *ret, size_t *ret_length, struct laz_err *err)
{
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
    }
    if (laz_fd_read_all(fd, ret, LAZ_TASK_FILE_MAX, ret_length, err) < 0) {
        return laz_err_context(err, "%.256s", path);
    }
    return 0;
}

static void find_position(const char *text, size_t at, uint32_t *ret_line, uint32_t *ret_col)
{
    *ret_line = 1;
    *ret_col = 1;
    for (size_t i = 0; i < at; i++) {
        bool is_end = text[i] == '\n';
        bool is_inside = ((unsigned char)text[i] & 0xC0U) == 0x80U;
        *ret_line += is_end ? 1 : 0;
        *ret_col = is_end ? 1 : *ret_col + (is_inside ? 0 : 1);
    }
}

static int read_file(struct laz_task_file *ret, const char *path, struct laz_err *err)
{
    size_t length = 0;
    ret->path = path;
    ret->text = malloc(LAZ_TASK_FILE_MAX);
    ret->nodes = calloc(LAZ_TASK_NODES_MAX, sizeof(*ret->nodes));
    if (ret->text == NULL || ret->nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read %.256s", path);
    }
    if (read_text(path, ret->text, &length, err) < 0) {
        return -1;
    }
    size_t wrong_at = 0;
    uint32_t line = 0;
    uint32_t col = 0;
    const struct laz_json_room room = {.nodes = ret->nodes,
            .max = LAZ_TASK_NODES_MAX,
            .kind = LAZ_E_POLICY_SYNTAX,
            .ret_wrong_at = &wrong_at};
    if (laz_json_read(ret->text, length, &room, &ret->doc, err) < 0) {
        find_position(ret->text, wrong_at < length ? wrong_at : length, &line, &col);
        return laz_err_context(err, "%.256s:%" PRIu32 ":%" PRIu32, path, line, col);
    }
    return 0;
}

static int wrong_shape(const struct laz_task_file *file, const char *wanted, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "%.256s: %s", file->path, wanted);
}

/* What `describe-task-definition` prints has it one level down. */
static int find_root(struct laz_task *task, struct laz_err *err)
{
    const struct laz_task_file *file = &task->definition;
    const struct laz_json_node *root = laz_json_root(&file->doc);
    const struct laz_json_node *inner = laz_json_member(&file->doc, root, "taskDefinition");
    task->root = inner == NULL ? root : inner;
    const struct laz_json_node *containers =
            laz_json_member(&file->doc, task->root, "containerDefinitions");
    if (containers == NULL || containers->type != LAZ_JSON_ARRAY ||
            laz_json_next(&file->doc, containers, NULL) == NULL) {
        return wrong_shape(file,
                "no task definition: it has no list containerDefinitions; wanted is what `aws ecs "
                "describe-task-definition` prints, or what `register-task-definition "
                "--cli-input-json` takes",
                err);
    }
    for (const struct laz_json_node *item = NULL;
            (item = laz_json_next(&file->doc, containers, item)) != NULL;) {
        char name[LAZ_TASK_NAME_MAX];
        laz_task_text(file, item, "name", name, sizeof(name));
        if (name[0] == '\0') {
            return wrong_shape(file, "no task definition: a container has no name", err);
        }
    }
    task->is_fargate = laz_task_has_word(task, task->root, "requiresCompatibilities", "FARGATE");
    return 0;
}

/* Does its entry point have lazaret-init? */
static bool is_ours(struct laz_task *task, const struct laz_json_node *container)
{
    char path[LAZ_TASK_TEXT_MAX];
    size_t index = 0;
    task->container = container;
    return laz_task_entry(task, path, sizeof(path), &index);
}

static size_t count_containers(const struct laz_task *task)
{
    size_t n = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        n++;
    }
    return n;
}

/* The one of that name; without a name the only one, or the only one that starts lazaret-init. */
static int find_container(struct laz_task *task, const char *wanted, struct laz_err *err)
{
    const struct laz_json_node *found = NULL;
    size_t n_found = 0;
    bool is_only = count_containers(task) == 1;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        bool fits = wanted != NULL ? laz_task_is(&task->definition, item, "name", wanted)
                                   : is_only || is_ours(task, item);
        found = fits ? item : found;
        n_found += fits ? 1 : 0;
    }
    task->container = found;
    if (n_found == 1) {
        laz_task_text(&task->definition, found, "name", task->name, sizeof(task->name));
        return 0;
    }
    if (wanted != NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--container: %.256s has %s container \"%.64s\"",
                task->definition.path, n_found == 0 ? "no" : "more than one", wanted);
    }
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "%.256s: %s container's entryPoint has lazaret-init; say with --container which one "
            "the "
            "policy is for",
            task->definition.path, n_found == 0 ? "no" : "more than one");
}

static int compare(const void *left, const void *right)
{
    const struct laz_task_finding *a = left;
    const struct laz_task_finding *b = right;
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->col != b->col) {
        return a->col < b->col ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static void look(struct laz_task *task)
{
    laz_task_look_start(task);
    laz_task_look_stop(task);
    laz_task_look_health(task);
    laz_task_look_ports(task);
    laz_task_look_files(task);
    laz_task_look_rights(task);
    laz_task_look_environment(task);
    laz_task_look_logs(task);
    laz_task_look_target(task);
    qsort(task->findings, task->n_findings, sizeof(task->findings[0]), compare);
}

int laz_task_init(struct laz_task *ret, const struct laz_policy *policy,
        const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    *ret = (struct laz_task){.policy = policy};
    ret->findings = calloc(LAZ_TASK_FINDINGS_MAX, sizeof(ret->findings[0]));
    if (ret->findings == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for findings");
    }
    if (read_file(&ret->definition, arguments->task_definition, err) < 0 ||
            find_root(ret, err) < 0 || find_container(ret, arguments->container, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < arguments->n_groups; i++) {
        ret->n_groups++;
        if (read_file(&ret->groups[i], arguments->groups[i], err) < 0) {
            return -1;
        }
        const struct laz_json_node *root = laz_json_root(&ret->groups[i].doc);
        if (laz_json_member(&ret->groups[i].doc, root, "TargetGroups") == NULL &&
                laz_json_member(&ret->groups[i].doc, root, "Attributes") == NULL &&
                laz_json_member(&ret->groups[i].doc, root, "Name") == NULL) {
            return wrong_shape(&ret->groups[i],
                    "no target group: wanted is what `aws elbv2 describe-target-groups` or "
                    "`describe-target-group-attributes` prints, or what `create-target-group "
                    "--cli-input-json` takes",
                    err);
        }
    }
    look(ret);
    return 0;
}

static void free_file(struct laz_task_file *file)
{
    free(file->text);
    free(file->nodes);
}

void laz_task_done(struct laz_task *task)
{
    free_file(&task->definition);
    for (size_t i = 0; i < task->n_groups; i++) {
        free_file(&task->groups[i]);
    }
    free(task->findings);
    *task = (struct laz_task){0};
}

/* ---- Saying ---- */

static bool holds(const struct laz_task_file *file, const struct laz_json_node *container,
        const struct laz_json_node *wanted)
{
    return wanted >= container && wanted < &file->doc.nodes[container->next];
}

/* containerDefinitions[0].linuxParameters.tmpfs[1]: from the root of the file, one level at a time.
 */
static void put_path(
        const struct laz_task_file *file, const struct laz_json_node *wanted, struct laz_buf *ret)
{
    const struct laz_json_doc *doc = &file->doc;
    const struct laz_json_node *at = laz_json_root(doc);
    while (at != NULL && at != wanted) {
        bool is_object = at->type == LAZ_JSON_OBJECT;
        const struct laz_json_node *item = NULL;
        const struct laz_json_node *value = NULL;
        uint32_t index = 0;
        while ((item = laz_json_next(doc, at, value)) != NULL) {
            value = is_object ? item + 1 : item;
            if (holds(file, value, wanted)) {
                break;
            }
            index++;
        }
        if (item == NULL) {
            return;
        }
        if (is_object) {
            laz_buf_str(ret, ret->len > 0 ? "." : "");
            laz_buf_put(ret, doc->text + item->start + 1, item->end - item->start - 2);
        } else {
            laz_buf_printf(ret, "[%" PRIu32 "]", index);
        }
        at = value;
    }
}

void laz_task_say(struct laz_task *task, enum laz_task_id id, struct laz_task_place place,
        const char *format, ...)
{
    task->n_by_level[findings[id].level]++;
    if (task->n_findings == LAZ_TASK_FINDINGS_MAX) {
        task->dropped++;
        return;
    }
    struct laz_task_finding *item = &task->findings[task->n_findings++];
    *item = (struct laz_task_finding){.id = id, .file = place.file};
    find_position(place.file->text, place.node->start, &item->line, &item->col);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, item->path, sizeof(item->path));
    put_path(place.file, place.node, &buf);
    if (place.key != NULL) {
        laz_buf_printf(&buf, "%s%s", buf.len > 0 ? "." : "", place.key);
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(item->message, sizeof(item->message), format, args);
    va_end(args);
}

/* ---- Printing ---- */

void laz_task_print(const struct laz_task *task)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    for (size_t i = 0; i < task->n_findings; i++) {
        const struct laz_task_finding *item = &task->findings[i];
        laz_buf_printf(&buf, "%s:%" PRIu32 ":%" PRIu32 ": %s: %s: %s (%s)\n", item->file->path,
                item->line, item->col, level_name(findings[item->id].level), item->path,
                item->message, findings[item->id].name);
    }
    if (task->dropped > 0) {
        laz_buf_printf(&buf, "%s: %zu more are not shown\n", task->definition.path, task->dropped);
    }
    struct laz_err ignored = {0};
    if (buf.len > 0) {
        laz_ignore(
                laz_fd_write_all(STDERR_FILENO, buf.data, buf.len, &ignored)); /* nobody to tell */
    }
}

void laz_task_put(struct laz_buf *buf, const struct laz_task *task)
{
    const size_t *n = task->n_by_level;
    laz_buf_printf(buf,
            "  %-12s%s, container %s: %zu error%s, %zu warning%s, %zu note%s; see "
            "docs/reference/task-definition.md\n",
            "task", task->definition.path, task->name, n[LAZ_TASK_ERROR],
            n[LAZ_TASK_ERROR] == 1 ? "" : "s", n[LAZ_TASK_WARNING],
            n[LAZ_TASK_WARNING] == 1 ? "" : "s", n[LAZ_TASK_NOTE],
            n[LAZ_TASK_NOTE] == 1 ? "" : "s");
}

void laz_task_json(struct laz_json *json, const struct laz_task *task)
{
    laz_json_object(json, "task");
    laz_json_string(json, "file", task->definition.path);
    laz_json_string(json, "container", task->name);
    laz_json_bool(json, "fargate", task->is_fargate);
    laz_json_u64(json, "errors", task->n_by_level[LAZ_TASK_ERROR]);
    laz_json_u64(json, "warnings", task->n_by_level[LAZ_TASK_WARNING]);
    laz_json_u64(json, "notes", task->n_by_level[LAZ_TASK_NOTE]);
    laz_json_array(json, "findings");
    for (size_t i = 0; i < task->n_findings; i++) {
        const struct laz_task_finding *item = &task->findings[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "severity", level_name(findings[item->id].level));
        laz_json_string(json, "name", findings[item->id].name);
        laz_json_string(json, "file", item->file->path);
        laz_json_u64(json, "line", item->line);
        laz_json_u64(json, "col", item->col);
        laz_json_string(json, "path", item->path);
        laz_json_string(json, "message", item->message);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
}
