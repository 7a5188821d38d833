/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes one JSON value into a laz_buf: commas and escapes are right by construction. Bytes that
 * are not UTF-8 become U+FFFD; control characters are escaped, so that a value is always one line.
 */
#ifndef LAZ_CORE_JSON_H
#define LAZ_CORE_JSON_H

#include "core/buf.h"

/* How many bytes of well-formed UTF-8 begin the text, of which at least one byte is left; 0 if none
 * do. */
size_t laz_utf8_length(const char *text, size_t left);

/* Invariant: `comma` says whether the next member needs one before it. */
struct laz_json {
    struct laz_buf *buf; /* borrowed for the writer's life */
    bool comma;
};

void laz_json_init(struct laz_json *json, struct laz_buf *buf);

/* The key is NULL inside an array and for the outermost value. */
void laz_json_object(struct laz_json *json, const char *key);
void laz_json_object_end(struct laz_json *json);
void laz_json_array(struct laz_json *json, const char *key);
void laz_json_array_end(struct laz_json *json);
void laz_json_string(struct laz_json *json, const char *key, const char *value);
void laz_json_bytes(struct laz_json *json, const char *key, const char *value, size_t length);
void laz_json_u64(struct laz_json *json, const char *key, uint64_t value);
void laz_json_i64(struct laz_json *json, const char *key, int64_t value);
void laz_json_bool(struct laz_json *json, const char *key, bool value);

#endif
