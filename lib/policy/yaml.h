/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict YAML of policies as a tree: mappings, sequences and one-line scalars, each with its
 * position. Whatever would let one text mean two things (aliases, anchors, tags, merge keys,
 * complex keys, directives, several documents, invisible characters) is refused by name.
 */
#ifndef LAZ_POLICY_YAML_H
#define LAZ_POLICY_YAML_H

#include "policy/arena.h"
#include "policy/diagnostic.h"

struct laz_report;

enum laz_node_kind {
    LAZ_NODE_SCALAR,
    LAZ_NODE_SEQUENCE,
    LAZ_NODE_MAPPING
};

/* Lives in the arena. Invariant: depth of the tree <= LAZ_POLICY_DEPTH_MAX. */
struct laz_node {
    enum laz_node_kind kind;
    bool is_plain; /* a scalar without quotes */
    bool is_bad;   /* reported: to be skipped */
    bool has_bad;  /* something below is */
    struct laz_pos pos;

    const char *text; /* scalar: UTF-8, no control characters, terminated */
    size_t length;

    const char *key; /* in a mapping, terminated; else NULL */
    size_t key_length;
    struct laz_pos key_pos;
    uint32_t hash; /* of the key */

    uint32_t index; /* among the children of `parent` */
    uint32_t n_children;
    struct laz_node *parent; /* NULL at the root */
    struct laz_node *first;
    struct laz_node *last;
    struct laz_node *next;

    /* Set by check.c. */
    uint16_t field;      /* enum laz_field_id; 0 if none */
    bool is_item;        /* an element of the field's list or dictionary */
    bool is_below_item;  /* in a mapping that is such an element */
    bool is_word;        /* one of the field's words, instead of its list or mapping */
    uint64_t number;     /* what the scalar means; its kind depends on the field's type */
    uint64_t key_number; /* what the key means, in dictionaries */
};

/* Parse one file. -1 if the text is not a tree (one error is reported); duplicate keys are reported
 * and the later ones marked bad, with 0. Never reads beyond length. */
LAZ_MUST_CHECK int laz_yaml_parse(const char *text, size_t length, uint16_t file,
        struct laz_arena *arena, struct laz_report *report, struct laz_node **ret_root);

/* Walking in source order without recursion: the node after `node` inside `root`, its children
 * first, or without them; NULL at the end. */
struct laz_node *laz_node_next(const struct laz_node *root, struct laz_node *node);
struct laz_node *laz_node_skip(const struct laz_node *root, struct laz_node *node);

/* "syscalls.rules[2].names[0]"; "" for the root. */
void laz_node_path(const struct laz_node *node, struct laz_buf *ret);

#endif
