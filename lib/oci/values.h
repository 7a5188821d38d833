/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that the host puts into a config.json, and whether one is there already.
 */
#ifndef LAZ_OCI_VALUES_H
#define LAZ_OCI_VALUES_H

#include "core/json.h"
#include "oci/change.h"

/* The array has this string among its elements; false for NULL. */
bool laz_oci_has_string(
        const struct laz_oci_spec *spec, const struct laz_json_node *array, const char *text);
/* The array begins with these, or is these and no more. */
bool laz_oci_begins_with(const struct laz_oci_spec *spec, const struct laz_json_node *array,
        const struct laz_oci_strings *strings, bool is_all);

/* The node's text is a path (made absolute, without "//", "." and ".."), or it does not fit. */
LAZ_MUST_CHECK bool laz_oci_clean_path(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, char *ret, size_t size);
/* One path is the other, or above it; both are clean. */
bool laz_oci_is_above(const char *above, const char *below);

/* A member with a value that the buffer holds; LAZ_E_MEMORY where the buffer overflowed. */
LAZ_MUST_CHECK int laz_oci_set_value(struct laz_oci_change *change, struct laz_json_place object,
        const char *key, const struct laz_buf *value, struct laz_err *err);
LAZ_MUST_CHECK int laz_oci_append_value(struct laz_oci_change *change, struct laz_json_place array,
        const struct laz_buf *value, struct laz_err *err);
/* Where the process is: the root of a process.json. */
LAZ_MUST_CHECK int laz_oci_enter_process(
        struct laz_oci_change *change, struct laz_json_place *ret, struct laz_err *err);
/* An object at the root of a config.json. LAZ_E_INTERNAL for a process.json. */
LAZ_MUST_CHECK int laz_oci_enter_root(struct laz_oci_change *change, const char *key,
        struct laz_json_place *ret, struct laz_err *err);

/* Strings as an array with this key, or NULL. */
void laz_oci_put_strings(
        struct laz_json *json, const char *key, const struct laz_oci_strings *strings);

#endif
