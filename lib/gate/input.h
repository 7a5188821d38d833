/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of evidence: JSON that the aws command line, a target or an earlier gate wrote. Read
 * strictly, kept as a tree over its text. What cannot be read says why, and decides nothing.
 */
#ifndef LAZ_GATE_INPUT_H
#define LAZ_GATE_INPUT_H

#include "core/json_read.h"
#include "core/sha256.h"
#include "gate/config.h"

/* Ceilings. The description of 100 tasks with ten containers each is a megabyte. */
#define LAZ_GATE_TEXT_MAX  ((size_t)2 * 1024 * 1024) /* bytes of a file */
#define LAZ_GATE_NODES_MAX 131072                    /* values in it: keys are compared with keys */

struct laz_gate_input {
    enum laz_gate_input_kind kind;
    const char *path;               /* borrowed */
    char group[LAZ_GATE_GROUP_MAX]; /* of target-health: what stands before the "="; "" for none */
    char *text;                     /* owned; NULL: the file could not be had */
    size_t length;
    int64_t modified_ms; /* Unix time; -1: not known */
    uint8_t sha256[LAZ_SHA256_SIZE];
    struct laz_json_node *nodes; /* owned */
    struct laz_json_doc doc;
    bool is_good;                /* it is JSON, whole, and an object or an array */
    char why[LAZ_GATE_SAID_MAX]; /* it is not; set by whoever could not read the file, too */
};

/* Parse what is in `text`, unless `why` says already that there is nothing; is_good and why say
 * what came of it. */
void laz_gate_input_parse(struct laz_gate_input *input);
void laz_gate_input_done(struct laz_gate_input *input);

/* ---- A tree that others wrote: everything may be missing or of another type ---- */

/* A cursor: the document, and a value of it or NULL. */
struct laz_gate_json {
    const struct laz_json_doc *doc;
    const struct laz_json_node *node;
};

struct laz_gate_json laz_gate_json_root(const struct laz_gate_input *input);
struct laz_gate_json laz_gate_json_member(struct laz_gate_json object, const char *key);
/* The element behind `previous`, whose node is NULL for the first. Nothing for what is no array. */
struct laz_gate_json laz_gate_json_element(
        struct laz_gate_json array, struct laz_gate_json previous);
bool laz_gate_json_is(struct laz_gate_json value, enum laz_json_type type);
size_t laz_gate_json_count(struct laz_gate_json array);

/* Into `ret`, printable, at most size - 1 bytes; false, and "", if it is no text or longer. */
LAZ_MUST_CHECK bool laz_gate_json_text(struct laz_gate_json value, char *ret, size_t size);
/* -1 if it is no whole number. */
int64_t laz_gate_json_number(struct laz_gate_json value);
/* 0 false, 1 true, -1 neither. */
int laz_gate_json_flag(struct laz_gate_json value);
/* Unix time in milliseconds of an RFC 3339 text, or of a number of seconds; -1 if it is neither. */
int64_t laz_gate_json_time(struct laz_gate_json value);

/* The same of text. */
int64_t laz_gate_time(const char *text, size_t length);

#endif
