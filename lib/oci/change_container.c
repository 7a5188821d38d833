/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be changed of the container: mounts, hooks, hidden paths, the filter, annotations. All
 * of it is only in a config.json.
 */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "oci/change.h"
#include "oci/values.h"

#define VALUE_MAX ((size_t)1 << 20) /* of one value that goes in */
#define PATH_SIZE 4096              /* the kernel's own */
#define NAME_SIZE 64                /* of a system call */

/* ---- mounts ---- */

static bool is_from(const struct laz_oci_spec *spec, const struct laz_json_node *node,
        const struct laz_oci_new_mount *wanted)
{
    return laz_oci_is(spec, laz_oci_mount(spec, node).source, wanted->source);
}

/* An earlier one only where it is alone: it will be this one. */
static bool is_this_mount(const struct laz_oci_spec *spec, const struct laz_json_node *node,
        const struct laz_json_node *found, const struct laz_oci_new_mount *wanted)
{
    const struct laz_oci_mount is = laz_oci_mount(spec, node);
    return laz_oci_is(spec, is.destination, wanted->destination) &&
            laz_oci_is(spec, is.type, wanted->type) &&
            laz_oci_begins_with(spec, is.options, &wanted->options, true) &&
            (is_from(spec, node, wanted) ? found == NULL || is_from(spec, found, wanted)
                                         : found == NULL && wanted->before != NULL &&
                                    laz_oci_begins(spec, is.source, wanted->before));
}

/* The last that is ours, or NULL; an error where another one is in its place, or covers it. */
static int find_mount(const struct laz_oci_spec *spec, const struct laz_oci_new_mount *wanted,
        const struct laz_json_node **ret, struct laz_err *err)
{
    const struct laz_json_node *mounts = laz_oci_container(spec).mounts;
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *found = NULL;
    for (size_t i = 0; (node = laz_json_next(&spec->doc, mounts, node)) != NULL; i++) {
        struct laz_oci_mount mount = laz_oci_mount(spec, node);
        char place[PATH_SIZE];
        if (is_this_mount(spec, node, found, wanted)) {
            found = node;
            continue;
        }
        if (!laz_oci_clean_path(spec, mount.destination, place, sizeof(place))) {
            return laz_err_set(
                    err, LAZ_E_OCI, 0, "mounts[%zu].destination: absent, or too long", i);
        }
        bool is_over = found != NULL &&
                (laz_oci_is_above(place, wanted->destination) ||
                        laz_oci_is_above(wanted->destination, place));
        if (is_over || strcmp(place, wanted->destination) == 0) {
            return laz_err_set(err, LAZ_E_OCI, 0,
                    "mounts[%zu]: would hide what the host mounts at %s", i, wanted->destination);
        }
    }
    *ret = found;
    return 0;
}

static int append_to_root(struct laz_oci_change *change, const char *key,
        const struct laz_buf *value, struct laz_err *err)
{
    struct laz_json_place place = laz_json_at(laz_json_root(&change->spec->doc));
    if (laz_json_enter(&change->edits, place, key, LAZ_JSON_ARRAY, &place, err) < 0) {
        return -1;
    }
    return laz_oci_append_value(change, place, value, err);
}

int laz_oci_add_mount(
        struct laz_oci_change *change, const struct laz_oci_new_mount *mount, struct laz_err *err)
{
    const struct laz_json_node *found = NULL;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf value;
    laz_buf_init_heap(&value, VALUE_MAX);
    if (find_mount(change->spec, mount, &found, err) < 0) {
        return -1;
    }
    laz_json_init(&json, &value);
    if (found != NULL) {
        if (is_from(change->spec, found, mount)) {
            return 0;
        }
        laz_json_string(&json, NULL, mount->source);
        return laz_oci_set_value(change, laz_json_at(found), "source", &value, err);
    }
    laz_json_object(&json, NULL);
    laz_json_string(&json, "destination", mount->destination);
    laz_json_string(&json, "type", mount->type);
    laz_json_string(&json, "source", mount->source);
    laz_oci_put_strings(&json, "options", &mount->options);
    laz_json_object_end(&json);
    return append_to_root(change, "mounts", &value, err);
}

/* ---- hooks ---- */

static bool is_this_hook(const struct laz_oci_spec *spec, const struct laz_json_node *node,
        const struct laz_oci_new_hook *wanted)
{
    struct laz_oci_hook is = laz_oci_hook(spec, node);
    uint64_t timeout_s = 0;
    return laz_oci_is(spec, is.path, wanted->path) &&
            laz_oci_begins_with(spec, is.args, &wanted->args, true) &&
            laz_oci_begins_with(spec, is.env, &wanted->env, true) &&
            laz_json_number(&spec->doc, is.timeout, UINT32_MAX, &timeout_s) &&
            timeout_s == wanted->timeout_s;
}

static void put_hook(struct laz_buf *ret, const struct laz_oci_new_hook *hook)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "path", hook->path);
    laz_oci_put_strings(&json, "args", &hook->args);
    laz_oci_put_strings(&json, "env", &hook->env);
    laz_json_u64(&json, "timeout", hook->timeout_s);
    laz_json_object_end(&json);
}

int laz_oci_add_hook(struct laz_oci_change *change, enum laz_oci_stage stage,
        const struct laz_oci_new_hook *hook, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    const struct laz_json_node *hooks = laz_oci_hooks(spec, stage);
    struct laz_json_place place;
    laz_cleanup_buf struct laz_buf value;
    laz_buf_init_heap(&value, VALUE_MAX);
    if (hook->path[0] != '/' || hook->env.n == 0 || hook->timeout_s == 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0,
                "a hook without an absolute path, an environment of its own and a time-out");
    }
    for (const struct laz_json_node *node = laz_json_next(&spec->doc, hooks, NULL); node != NULL;
            node = laz_json_next(&spec->doc, hooks, node)) {
        if (is_this_hook(spec, node, hook)) {
            return 0;
        }
    }
    put_hook(&value, hook);
    if (laz_oci_enter_root(change, "hooks", &place, err) < 0 ||
            laz_json_enter(&change->edits, place, laz_oci_stage_name(stage), LAZ_JSON_ARRAY, &place,
                    err) < 0) {
        return -1;
    }
    return laz_oci_append_value(change, place, &value, err);
}

/* ---- paths ---- */

static int add_path(
        struct laz_oci_change *change, const char *key, const char *path, struct laz_err *err)
{
    struct laz_json_place place;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf value;
    laz_buf_init_heap(&value, VALUE_MAX);
    laz_json_init(&json, &value);
    laz_json_string(&json, NULL, path);
    if (laz_oci_enter_root(change, "linux", &place, err) < 0 ||
            laz_json_enter(&change->edits, place, key, LAZ_JSON_ARRAY, &place, err) < 0) {
        return -1;
    }
    return laz_oci_append_value(change, place, &value, err);
}

static int add_paths(struct laz_oci_change *change, const char *key,
        const struct laz_oci_strings *paths, struct laz_err *err)
{
    const struct laz_json_node *list =
            laz_oci_member(change->spec, laz_oci_container(change->spec).linux_node, key);
    for (size_t i = 0; i < paths->n; i++) {
        if (!laz_oci_has_string(change->spec, list, paths->items[i]) &&
                add_path(change, key, paths->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int laz_oci_mask_paths(
        struct laz_oci_change *change, const struct laz_oci_strings *paths, struct laz_err *err)
{
    return add_paths(change, "maskedPaths", paths, err);
}

int laz_oci_readonly_paths(
        struct laz_oci_change *change, const struct laz_oci_strings *paths, struct laz_err *err)
{
    return add_paths(change, "readonlyPaths", paths, err);
}

int laz_oci_part_root(struct laz_oci_change *change, struct laz_err *err)
{
    static const char word[] = "\"rprivate\"";
    struct laz_json_place place;
    if (laz_oci_enter_root(change, "linux", &place, err) < 0) {
        return -1;
    }
    return laz_json_set(&change->edits, place, "rootfsPropagation", word, strlen(word), err);
}

/* ---- the filter ---- */

int laz_oci_set_seccomp(
        struct laz_oci_change *change, const char *json, size_t length, struct laz_err *err)
{
    struct laz_json_place place;
    if (laz_oci_enter_root(change, "linux", &place, err) < 0) {
        return -1;
    }
    return laz_json_set(&change->edits, place, "seccomp", json, length, err);
}

/* An action that no runtime knows is refused by it, and counts as one that lets calls happen. */
static bool is_refusal(const struct laz_oci_spec *spec, const struct laz_json_node *action)
{
    static const char *const refusals[] = {"SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
            "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (laz_oci_is(spec, action, refusals[i])) {
            return true;
        }
    }
    return false;
}

bool laz_oci_seccomp_refuses_by_default(const struct laz_oci_spec *spec)
{
    return is_refusal(spec, laz_oci_member(spec, laz_oci_container(spec).seccomp, "defaultAction"));
}

static bool is_pass(const struct laz_oci_spec *spec, const struct laz_json_node *action)
{
    return laz_oci_is(spec, action, "SCMP_ACT_ALLOW") || laz_oci_is(spec, action, "SCMP_ACT_LOG");
}

/* Without a default and without rules it is none to runc, and an error to crun. */
bool laz_oci_seccomp_refuses(const struct laz_oci_spec *spec)
{
    const struct laz_json_node *seccomp = laz_oci_container(spec).seccomp;
    const struct laz_json_node *fallback = laz_oci_member(spec, seccomp, "defaultAction");
    const struct laz_json_node *rules = laz_oci_member(spec, seccomp, "syscalls");
    const struct laz_json_node *rule = laz_json_next(&spec->doc, rules, NULL);
    bool passes = fallback == NULL ? rule == NULL : is_pass(spec, fallback);
    for (; passes && rule != NULL; rule = laz_json_next(&spec->doc, rules, rule)) {
        passes = is_pass(spec, laz_oci_member(spec, rule, "action"));
    }
    return !passes;
}

struct narrowing {
    struct laz_oci_change *change;
    const struct laz_json_node *rules;
    bool (*keep)(void *context, const char *name);
    void *context;
};

static bool is_kept(const struct narrowing *narrowing, const struct laz_json_node *node)
{
    char name[NAME_SIZE]; /* what does not fit is no system call */
    return laz_json_copy(&narrowing->change->spec->doc, node, name, sizeof(name)) &&
            narrowing->keep(narrowing->context, name);
}

static int narrow_rule(
        const struct narrowing *narrowing, const struct laz_json_node *rule, struct laz_err *err)
{
    const struct laz_json_doc *doc = &narrowing->change->spec->doc;
    const struct laz_json_node *names = laz_oci_member(narrowing->change->spec, rule, "names");
    const struct laz_json_node *node = NULL;
    bool is_any_kept = false;
    while ((node = laz_json_next(doc, names, node)) != NULL) {
        is_any_kept = is_any_kept || is_kept(narrowing, node);
    }
    if (!is_any_kept) {
        return laz_json_remove(&narrowing->change->edits, narrowing->rules, rule, err);
    }
    while ((node = laz_json_next(doc, names, node)) != NULL) {
        if (!is_kept(narrowing, node) &&
                laz_json_remove(&narrowing->change->edits, names, node, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int laz_oci_narrow_seccomp(struct laz_oci_change *change,
        bool (*keep)(void *context, const char *name), void *context, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    const struct laz_json_node *seccomp = laz_oci_container(spec).seccomp;
    const struct narrowing narrowing = {.change = change,
            .rules = laz_oci_member(spec, seccomp, "syscalls"),
            .keep = keep,
            .context = context};
    if (seccomp == NULL) {
        return laz_err_set(err, LAZ_E_OCI, 0, "linux.seccomp: there is none to be narrowed");
    }
    if (!laz_oci_seccomp_refuses_by_default(spec)) {
        return laz_err_set(err, LAZ_E_OCI, 0,
                "linux.seccomp.defaultAction: lets calls happen, and cannot be narrowed by name");
    }
    for (const struct laz_json_node *rule = laz_json_next(&spec->doc, narrowing.rules, NULL);
            rule != NULL; rule = laz_json_next(&spec->doc, narrowing.rules, rule)) {
        if (!is_refusal(spec, laz_oci_member(spec, rule, "action")) &&
                narrow_rule(&narrowing, rule, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- annotations ---- */

int laz_oci_drop_annotations(struct laz_oci_change *change, const char *prefix, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    const struct laz_json_node *annotations = laz_oci_container(spec).annotations;
    for (const struct laz_json_node *key = laz_json_next(&spec->doc, annotations, NULL);
            key != NULL; key = laz_json_next(&spec->doc, annotations, key + 1)) {
        if (laz_oci_begins(spec, key, prefix) &&
                laz_json_remove(&change->edits, annotations, key + 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}
