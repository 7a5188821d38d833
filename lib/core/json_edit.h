/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes to a JSON text that somebody else wrote: edits are collected and applied once, into a new
 * text, in which every byte outside of them is the old text's own. No number is converted, no blank
 * moved, nothing unknown lost. Edits that contradict each other are refused; one that changes
 * nothing is none. Values that go in are JSON texts of the caller's making. Not for PID 1: heap.
 */
#ifndef LAZ_CORE_JSON_EDIT_H
#define LAZ_CORE_JSON_EDIT_H

#include "core/json_read.h"

#define LAZ_JSON_EDIT_TEXTS_MAX ((size_t)4 << 20) /* bytes of all values that go in */

/* One edit; json_edit.c alone looks inside. */
struct laz_json_edit {
    uint32_t kind;
    uint32_t container; /* the node whose element comes or goes */
    uint32_t parent;    /* in the place of a node: the edit that makes the container */
    uint32_t made;      /* LAZ_JSON_ARRAY or _OBJECT: it makes one, which other edits fill */
    uint32_t start;     /* what it takes out of the old text */
    uint32_t end;
    uint32_t before;  /* where the element before the one that goes ends */
    uint32_t after;   /* where the one behind it begins; 0: there is none */
    uint32_t ordinal; /* of the element in its container, or how many there are */
    uint32_t text;    /* in `texts`: key and colon, where it has one, and the value */
    uint32_t length;
    uint32_t key;   /* how much of the text is key and colon */
    uint32_t order; /* of another edit: which is the n-th in the text, once all are known */
};

/* Invariant: n <= max. The document and the list are the caller's, for as long. */
struct laz_json_edits {
    const struct laz_json_doc *doc;
    struct laz_json_edit *list;
    uint32_t n;
    uint32_t max;
    enum laz_err_kind kind; /* what a fault is to be called */
    struct laz_buf texts;
};

/* An array or object: in the document, or one that an edit makes. */
struct laz_json_place {
    const struct laz_json_node *node; /* NULL: `edit` makes it */
    uint32_t edit;
};

/* End with laz_json_edits_done, also where something failed. */
void laz_json_edits_init(struct laz_json_edits *edits, const struct laz_json_doc *doc,
        struct laz_json_edit *list, uint32_t max, enum laz_err_kind kind);
void laz_json_edits_done(struct laz_json_edits *edits);

struct laz_json_place laz_json_at(const struct laz_json_node *node);

/* The following fail, with the kind of the edits, where the place is no array or object as is
 * needed, where the member was set already, and where there are more edits than fit. */

/* This value, whole, becomes another. */
LAZ_MUST_CHECK int laz_json_replace(struct laz_json_edits *edits, const struct laz_json_node *node,
        const char *json, size_t length, struct laz_err *err);
/* An element of an array, or a member of an object (its value's node), goes; twice is once. */
LAZ_MUST_CHECK int laz_json_remove(struct laz_json_edits *edits,
        const struct laz_json_node *container, const struct laz_json_node *node,
        struct laz_err *err);
/* The member has this value afterwards: replaced where it stands, or added at the end. */
LAZ_MUST_CHECK int laz_json_set(struct laz_json_edits *edits, struct laz_json_place object,
        const char *key, const char *json, size_t length, struct laz_err *err);
/* Behind the last element; several in the order in which they were asked for. */
LAZ_MUST_CHECK int laz_json_append(struct laz_json_edits *edits, struct laz_json_place array,
        const char *json, size_t length, struct laz_err *err);
/* Before the first element; several in the order in which they were asked for. */
LAZ_MUST_CHECK int laz_json_prepend(struct laz_json_edits *edits, struct laz_json_place array,
        const char *json, size_t length, struct laz_err *err);
/* The array or object that the member is; where there is none, or null, an empty one is made. */
LAZ_MUST_CHECK int laz_json_enter(struct laz_json_edits *edits, struct laz_json_place object,
        const char *key, enum laz_json_type type, struct laz_json_place *ret, struct laz_err *err);

/* Appended to `ret`, once. Fails where two edits are about the same bytes, or where it does not
 * fit. Without an edit it is the text of the document, from its first byte to its last. */
LAZ_MUST_CHECK int laz_json_apply(
        struct laz_json_edits *edits, struct laz_buf *ret, struct laz_err *err);

#endif
