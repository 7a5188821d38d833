/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a config.json: compared with what is wanted, and written.
 */
#include "oci/values.h"

#include <string.h>

bool laz_oci_has_string(
        const struct laz_oci_spec *spec, const struct laz_json_node *array, const char *text)
{
    const struct laz_json_node *item = laz_json_next(&spec->doc, array, NULL);
    while (item != NULL && !laz_oci_is(spec, item, text)) {
        item = laz_json_next(&spec->doc, array, item);
    }
    return item != NULL;
}

bool laz_oci_begins_with(const struct laz_oci_spec *spec, const struct laz_json_node *array,
        const struct laz_oci_strings *strings, bool is_all)
{
    const struct laz_json_node *item = laz_json_next(&spec->doc, array, NULL);
    for (size_t i = 0; i < strings->n; i++) {
        if (!laz_oci_is(spec, item, strings->items[i])) {
            return false;
        }
        item = laz_json_next(&spec->doc, array, item);
    }
    return array != NULL && (item == NULL || !is_all);
}

/* ---- paths ---- */

bool laz_oci_clean_path(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, char *ret, size_t size)
{
    if (size < 2 || !laz_json_copy(&spec->doc, node, ret + 1, size - 1)) {
        return false;
    }
    size_t length = 0; /* of what is clean; never more than what was looked at */
    const char *part = ret + 1;
    while (*part != '\0') {
        size_t n = strcspn(part, "/");
        bool is_up = n == 2 && part[0] == '.' && part[1] == '.';
        if (is_up) {
            while (length > 0 && ret[--length] != '/') {
            }
        } else if (n > 0 && !(n == 1 && part[0] == '.')) {
            const char *from = part;
            ret[length++] = '/';
            (void)memmove(ret + length, from, n);
            length += n;
        }
        part += n + (part[n] == '/');
    }
    ret[length == 0 ? length++ : 0] = '/';
    ret[length] = '\0';
    return true;
}

bool laz_oci_is_above(const char *above, const char *below)
{
    size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);
    return strncmp(above, below, length) == 0 && (below[length] == '\0' || below[length] == '/');
}

/* ---- edits ---- */

int laz_oci_set_value(struct laz_oci_change *change, struct laz_json_place object, const char *key,
        const struct laz_buf *value, struct laz_err *err)
{
    return value->overflow
            ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %s", key)
            : laz_json_set(&change->edits, object, key, value->data, value->len, err);
}

int laz_oci_append_value(struct laz_oci_change *change, struct laz_json_place array,
        const struct laz_buf *value, struct laz_err *err)
{
    return value->overflow ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a value")
                           : laz_json_append(&change->edits, array, value->data, value->len, err);
}

int laz_oci_enter_root(struct laz_oci_change *change, const char *key, struct laz_json_place *ret,
        struct laz_err *err)
{
    if (change->spec->form != LAZ_OCI_CONFIG) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a process.json has no %s", key);
    }
    const struct laz_json_node *root = laz_json_root(&change->spec->doc);
    return laz_json_enter(&change->edits, laz_json_at(root), key, LAZ_JSON_OBJECT, ret, err);
}

int laz_oci_enter_process(
        struct laz_oci_change *change, struct laz_json_place *ret, struct laz_err *err)
{
    if (change->spec->form == LAZ_OCI_CONFIG) {
        return laz_oci_enter_root(change, "process", ret, err);
    }
    *ret = laz_json_at(laz_json_root(&change->spec->doc));
    return 0;
}

void laz_oci_put_strings(
        struct laz_json *json, const char *key, const struct laz_oci_strings *strings)
{
    laz_json_array(json, key);
    for (size_t i = 0; i < strings->n; i++) {
        laz_json_string(json, NULL, strings->items[i]);
    }
    laz_json_array_end(json);
}
