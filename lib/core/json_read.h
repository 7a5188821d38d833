/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one JSON value (RFC 8259) that somebody else wrote, strictly: UTF-8 without a byte-order
 * mark, no key twice in an object, no half surrogate, nothing behind the value. Nothing is copied
 * and nothing allocated: nodes are the caller's memory and point into the text, so that a lexeme
 * can be kept byte for byte, and a secret is in no second place.
 */
#ifndef LAZ_CORE_JSON_READ_H
#define LAZ_CORE_JSON_READ_H

#include <stddef.h>

#include "core/buf.h"

#define LAZ_JSON_DEPTH_MAX  32 /* arrays and objects inside each other, unless the room says */
#define LAZ_JSON_DEPTH_DEEP 64 /* the most that a room may say */
#define LAZ_JSON_TEXT_MAX   UINT32_MAX /* bytes */

enum laz_json_type {
    LAZ_JSON_NULL,
    LAZ_JSON_FALSE,
    LAZ_JSON_TRUE,
    LAZ_JSON_NUMBER,
    LAZ_JSON_STRING,
    LAZ_JSON_ARRAY,
    LAZ_JSON_OBJECT,
};

/* Nodes follow each other as in the text; in an object a key, then its value. Invariant: start <
 * end, and own index < next: the first node behind this one and all that is in it. */
struct laz_json_node {
    uint32_t start; /* of the lexeme, quotes and brackets included */
    uint32_t end;
    uint32_t next;
    enum laz_json_type type;
};

struct laz_json_doc {
    const char *text; /* borrowed */
    uint32_t length;  /* of the text, blanks around the value included */
    const struct laz_json_node *nodes;
    uint32_t n;
};

/* Memory for the nodes, and what a fault is to be called. */
struct laz_json_room {
    struct laz_json_node *nodes;
    uint32_t max;
    enum laz_err_kind kind;
    unsigned depth;       /* 0: LAZ_JSON_DEPTH_MAX */
    size_t *ret_wrong_at; /* the byte where a fault is; written on failure alone; NULL: not asked */
};

/* More nodes than this a text of that length does not have. */
uint32_t laz_json_nodes_max(size_t length);

/* Where and why, if it is none or needs more room than there is. */
LAZ_MUST_CHECK int laz_json_read(const char *text, size_t length, const struct laz_json_room *room,
        struct laz_json_doc *ret, struct laz_err *err);

const struct laz_json_node *laz_json_root(const struct laz_json_doc *doc);
/* NULL where the node is NULL or no object, or there is no such member. */
const struct laz_json_node *laz_json_member(
        const struct laz_json_doc *doc, const struct laz_json_node *object, const char *key);
/* The node behind `previous` inside an array or object, or its first one; NULL at the end. */
const struct laz_json_node *laz_json_next(const struct laz_json_doc *doc,
        const struct laz_json_node *container, const struct laz_json_node *previous);

/* The following are false for NULL and for nodes of another type. */

/* The string is this text, or begins with it. */
bool laz_json_is(
        const struct laz_json_doc *doc, const struct laz_json_node *node, const char *text);
bool laz_json_begins(
        const struct laz_json_doc *doc, const struct laz_json_node *node, const char *text);
/* No byte of the string is 0, or above 127, as it is or escaped. */
bool laz_json_is_ascii(const struct laz_json_doc *doc, const struct laz_json_node *node);
bool laz_json_has_nul(const struct laz_json_doc *doc, const struct laz_json_node *node);
/* Text of a string appended, and not if it holds a NUL or does not fit. */
LAZ_MUST_CHECK bool laz_json_text(
        const struct laz_json_doc *doc, const struct laz_json_node *node, struct laz_buf *ret);
/* The same into an array, with a NUL behind it. */
LAZ_MUST_CHECK bool laz_json_copy(
        const struct laz_json_doc *doc, const struct laz_json_node *node, char *ret, size_t size);
/* Digits alone: no sign, point or exponent. */
LAZ_MUST_CHECK bool laz_json_number(const struct laz_json_doc *doc,
        const struct laz_json_node *node, uint64_t max, uint64_t *ret);

#endif
