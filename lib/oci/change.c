/* SPDX-License-Identifier: Apache-2.0
 *
 * A change of a config.json or process.json from its beginning to the new text, and what can be
 * changed of the process.
 */
#include "oci/change.h"

#include <stdlib.h>
#include <string.h>

#include "core/format.h"
#include "core/json.h"
#include "oci/values.h"

#define VALUE_MAX ((size_t)1 << 20) /* of one value that goes in */

int laz_oci_change_init(
        struct laz_oci_change *change, const struct laz_oci_spec *spec, struct laz_err *err)
{
    *change = (struct laz_oci_change){.spec = spec};
    change->list = calloc(LAZ_OCI_EDITS_MAX, sizeof(*change->list));
    laz_json_edits_init(&change->edits, &spec->doc, change->list, LAZ_OCI_EDITS_MAX, LAZ_E_OCI);
    return change->list == NULL ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a change") : 0;
}

void laz_oci_change_done(struct laz_oci_change *change)
{
    laz_json_edits_done(&change->edits);
    free(change->list);
    change->list = NULL;
}

int laz_oci_change_apply(struct laz_oci_change *change, struct laz_buf *ret, struct laz_err *err)
{
    size_t before = ret->len;
    laz_cleanup_oci_spec struct laz_oci_spec again = {.form = change->spec->form};
    if (laz_json_apply(&change->edits, ret, err) < 0) {
        return -1;
    }
    if (laz_oci_spec_open(ret->data + before, ret->len - before, change->spec->form, &again, err) <
            0) {
        return laz_err_context(err, "after the change");
    }
    return 0;
}

/* ---- capabilities ---- */

/* Said aloud, where it was absent. */
static int put_empty_set(
        struct laz_oci_change *change, enum laz_oci_capability_set set, struct laz_err *err)
{
    static const char none[] = "[]";
    const char *name = laz_oci_capability_set_name(set);
    struct laz_json_place place;
    if (laz_oci_enter_process(change, &place, err) < 0 ||
            laz_json_enter(&change->edits, place, "capabilities", LAZ_JSON_OBJECT, &place, err) <
                    0) {
        return -1;
    }
    return laz_json_set(&change->edits, place, name, none, strlen(none), err);
}

static bool has_item(const struct laz_oci_spec *spec, const struct laz_json_node *node,
        const struct laz_oci_strings *strings)
{
    for (size_t i = 0; i < strings->n; i++) {
        if (laz_oci_is(spec, node, strings->items[i])) {
            return true;
        }
    }
    return false;
}

static int clamp_set(struct laz_oci_change *change, enum laz_oci_capability_set set,
        const struct laz_oci_strings *allowed, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    const struct laz_json_node *names = laz_oci_capabilities(spec, set);
    if (names == NULL) {
        return put_empty_set(change, set, err);
    }
    for (const struct laz_json_node *name = laz_json_next(&spec->doc, names, NULL); name != NULL;
            name = laz_json_next(&spec->doc, names, name)) {
        if (!has_item(spec, name, allowed) &&
                laz_json_remove(&change->edits, names, name, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int laz_oci_clamp_capabilities(
        struct laz_oci_change *change, const struct laz_oci_strings *allowed, struct laz_err *err)
{
    for (int set = 0; set < LAZ_OCI_CAPABILITY_SETS; set++) {
        if (clamp_set(change, (enum laz_oci_capability_set)set, allowed, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- flags, arguments, user ---- */

int laz_oci_set_no_new_privileges(struct laz_oci_change *change, struct laz_err *err)
{
    struct laz_json_place process;
    if (laz_oci_enter_process(change, &process, err) < 0) {
        return -1;
    }
    return laz_json_set(&change->edits, process, "noNewPrivileges", "true", 4, err);
}

int laz_oci_prepend_args(struct laz_oci_change *change, size_t n_drop,
        const struct laz_oci_strings *args, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    struct laz_oci_process process;
    if (laz_oci_process(spec, &process, err) < 0) {
        return -1;
    }
    if (process.args == NULL) {
        return laz_err_set(
                err, LAZ_E_OCI, 0, "process.args: there are none to put anything before");
    }
    if ((n_drop == 0 || n_drop == args->n) &&
            laz_oci_begins_with(spec, process.args, args, false)) {
        return 0;
    }
    const struct laz_json_node *arg = laz_json_next(&spec->doc, process.args, NULL);
    for (size_t i = 0; i < n_drop && arg != NULL;
            i++, arg = laz_json_next(&spec->doc, process.args, arg)) {
        if (laz_json_remove(&change->edits, process.args, arg, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < args->n; i++) {
        struct laz_json json;
        laz_cleanup_buf struct laz_buf value;
        laz_buf_init_heap(&value, VALUE_MAX);
        laz_json_init(&json, &value);
        laz_json_string(&json, NULL, args->items[i]);
        if (value.overflow) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for an argument");
        }
        if (laz_json_prepend(
                    &change->edits, laz_json_at(process.args), value.data, value.len, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int set_number(struct laz_oci_change *change, struct laz_json_place object, const char *key,
        uint64_t number, struct laz_err *err)
{
    char text[24];
    int length = laz_format(text, sizeof(text), "%llu", (unsigned long long)number);
    return laz_json_set(&change->edits, object, key, text, (size_t)length, err);
}

int laz_oci_set_user(struct laz_oci_change *change, uint32_t uid, uint32_t gid, struct laz_err *err)
{
    struct laz_json_place process;
    struct laz_json_place user;
    if (laz_oci_enter_process(change, &process, err) < 0 ||
            laz_json_enter(&change->edits, process, "user", LAZ_JSON_OBJECT, &user, err) < 0 ||
            set_number(change, user, "uid", uid, err) < 0) {
        return -1;
    }
    return set_number(change, user, "gid", gid, err);
}

/* A member that may be absent, of an object that is there. */
static int drop_member(struct laz_oci_change *change, const struct laz_json_node *object,
        const char *key, struct laz_err *err)
{
    const struct laz_json_node *node = laz_oci_member(change->spec, object, key);
    return node == NULL ? 0 : laz_json_remove(&change->edits, object, node, err);
}

static bool has_groups(const struct laz_oci_spec *spec, const struct laz_json_node *list,
        const uint32_t *groups, size_t n)
{
    const struct laz_json_node *node = NULL;
    uint64_t group = 0;
    size_t i = 0;
    while (list != NULL && (node = laz_json_next(&spec->doc, list, node)) != NULL) {
        if (i == n || !laz_json_number(&spec->doc, node, UINT32_MAX, &group) ||
                group != groups[i]) {
            return false;
        }
        i++;
    }
    return i == n;
}

int laz_oci_set_groups(
        struct laz_oci_change *change, const uint32_t *groups, size_t n, struct laz_err *err)
{
    struct laz_oci_process process;
    struct laz_json_place place;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf value;
    laz_buf_init_heap(&value, VALUE_MAX);
    if (laz_oci_process(change->spec, &process, err) < 0) {
        return -1;
    }
    if (has_groups(change->spec, process.groups, groups, n)) {
        return 0;
    }
    laz_json_init(&json, &value);
    laz_json_array(&json, NULL);
    for (size_t i = 0; i < n; i++) {
        laz_json_u64(&json, NULL, groups[i]);
    }
    laz_json_array_end(&json);
    if (laz_oci_enter_process(change, &place, err) < 0 ||
            laz_json_enter(&change->edits, place, "user", LAZ_JSON_OBJECT, &place, err) < 0) {
        return -1;
    }
    return laz_oci_set_value(change, place, "additionalGids", &value, err);
}

int laz_oci_drop_labels(struct laz_oci_change *change, struct laz_err *err)
{
    struct laz_oci_process process;
    if (laz_oci_process(change->spec, &process, err) < 0 ||
            drop_member(change, process.node, "apparmorProfile", err) < 0) {
        return -1;
    }
    return drop_member(change, process.node, "selinuxLabel", err);
}

/* ---- limits ---- */

/* One bound of a limit; absent and null are 0, which is below everything. */
static int clamp_bound(struct laz_oci_change *change, const struct laz_json_node *limit,
        const char *key, uint64_t most, struct laz_err *err)
{
    const struct laz_json_node *node = laz_oci_member(change->spec, limit, key);
    uint64_t number = 0;
    if (node != NULL && !laz_json_number(&change->spec->doc, node, UINT64_MAX, &number)) {
        return laz_err_set(
                err, LAZ_E_OCI, 0, "process.rlimits: %s is not a number of 64 bits", key);
    }
    return number <= most ? 0 : set_number(change, laz_json_at(limit), key, most, err);
}

int laz_oci_clamp_rlimit(struct laz_oci_change *change, const char *type, uint64_t soft,
        uint64_t hard, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    struct laz_oci_process process;
    bool is_there = false;
    if (laz_oci_process(spec, &process, err) < 0) {
        return -1;
    }
    for (const struct laz_json_node *limit = laz_json_next(&spec->doc, process.rlimits, NULL);
            limit != NULL; limit = laz_json_next(&spec->doc, process.rlimits, limit)) {
        if (!laz_oci_is(spec, laz_oci_member(spec, limit, "type"), type)) {
            continue;
        }
        is_there = true;
        if (clamp_bound(change, limit, "soft", soft, err) < 0 ||
                clamp_bound(change, limit, "hard", hard, err) < 0) {
            return -1;
        }
    }
    if (is_there) {
        return 0;
    }
    struct laz_json_place place;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf value;
    laz_buf_init_heap(&value, VALUE_MAX);
    laz_json_init(&json, &value);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "type", type);
    laz_json_u64(&json, "hard", hard);
    laz_json_u64(&json, "soft", soft);
    laz_json_object_end(&json);
    if (laz_oci_enter_process(change, &place, err) < 0 ||
            laz_json_enter(&change->edits, place, "rlimits", LAZ_JSON_ARRAY, &place, err) < 0) {
        return -1;
    }
    return laz_oci_append_value(change, place, &value, err);
}

/* ---- the environment ---- */

int laz_oci_drop_environment(struct laz_oci_change *change, const char *prefix, struct laz_err *err)
{
    const struct laz_oci_spec *spec = change->spec;
    struct laz_oci_process process;
    if (laz_oci_process(spec, &process, err) < 0) {
        return -1;
    }
    for (const struct laz_json_node *entry = laz_json_next(&spec->doc, process.env, NULL);
            entry != NULL; entry = laz_json_next(&spec->doc, process.env, entry)) {
        if (laz_oci_begins(spec, entry, prefix) &&
                laz_json_remove(&change->edits, process.env, entry, err) < 0) {
            return -1;
        }
    }
    return 0;
}
