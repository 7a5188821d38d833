/* SPDX-License-Identifier: Apache-2.0
 *
 * Edits of a JSON text. The input is a script, a line of two letters for each edit, and the text
 * behind its first newline. What comes out is JSON again, with the tokens of the old text in their
 * order, less what was taken out, and what was put in where it belongs; edits are refused exactly
 * where one is about what another takes away; and without an edit nothing changes.
 */
#include <stdio.h>

#include "core/json_edit.h"
#include "fuzz.h"

#define NODES   256
#define STEPS   32
#define OUT_MAX 65536

enum what {
    REPLACE,
    REMOVE,
    APPEND,
    PREPEND,
    SET,
    CHOICES,
};

struct step {
    enum what what;
    uint32_t node;
    uint32_t parent; /* of what is removed */
};

struct run {
    struct laz_json_doc doc;
    struct step steps[STEPS];
    uint32_t n;
};

static bool read(
        const char *text, size_t length, struct laz_json_node *nodes, struct laz_json_doc *ret)
{
    struct laz_err err = {0};
    const struct laz_json_room room = {
            .nodes = nodes, .max = NODES, .kind = LAZ_E_OCI, .depth = LAZ_JSON_DEPTH_DEEP};
    return laz_json_read(text, length, &room, ret, &err) == 0;
}

static bool is_key(const struct laz_json_doc *doc, uint32_t node, uint32_t parent)
{
    const struct laz_json_node *container = &doc->nodes[parent];
    if (container->type != LAZ_JSON_OBJECT) {
        return false;
    }
    const struct laz_json_node *key = laz_json_next(doc, container, NULL);
    while (key != NULL && key != &doc->nodes[node]) {
        key = laz_json_next(doc, container, key + 1);
    }
    return key != NULL;
}

static uint32_t parent_of(const struct laz_json_doc *doc, uint32_t node)
{
    uint32_t parent = node;
    while (parent-- > 0) {
        if (doc->nodes[parent].next > node) {
            return parent;
        }
    }
    return node;
}

/* What a step would be, if it is one. */
static bool choose(const struct laz_json_doc *doc, uint8_t a, uint8_t b, struct step *ret)
{
    struct step step = {.what = (enum what)(a % CHOICES), .node = b % doc->n};
    enum laz_json_type type = doc->nodes[step.node].type;
    step.parent = parent_of(doc, step.node);
    *ret = step;
    if (step.node != 0 && is_key(doc, step.node, step.parent)) {
        return false;
    }
    switch (step.what) {
    case REPLACE:
        return true;
    case REMOVE:
        return step.node != 0;
    case APPEND:
    case PREPEND:
        return type == LAZ_JSON_ARRAY;
    case SET:
        return type == LAZ_JSON_OBJECT;
    case CHOICES:
        break;
    }
    return false;
}

/* Values that go in, and keys: no number is the same as another. */
static const char *marker(uint32_t i, bool is_key)
{
    static char text[2][32];
    (void)snprintf(text[is_key], sizeof(text[is_key]), is_key ? "set %u" : "7000%u", i);
    return text[is_key];
}

/* ---- what is expected ---- */

static bool takes(const struct step *step)
{
    return step->what == REPLACE || step->what == REMOVE;
}

/* One step is about what the other takes away. */
static bool is_conflict(const struct run *run, uint32_t a, uint32_t b)
{
    const struct step *taker = &run->steps[a];
    const struct step *other = &run->steps[b];
    bool is_inside = other->node >= taker->node && other->node < run->doc.nodes[taker->node].next;
    bool is_twice = taker->what == REMOVE && other->what == REMOVE && taker->node == other->node;
    return a != b && takes(taker) && is_inside && !is_twice;
}

static bool has_conflict(const struct run *run)
{
    for (uint32_t a = 0; a < run->n; a++) {
        for (uint32_t b = 0; b < run->n; b++) {
            if (is_conflict(run, a, b)) {
                return true;
            }
        }
    }
    return false;
}

static const struct step *taker_of(const struct run *run, uint32_t node)
{
    for (uint32_t i = 0; run != NULL && i < run->n; i++) {
        if (takes(&run->steps[i]) && run->steps[i].node == node) {
            return &run->steps[i];
        }
    }
    return NULL;
}

static void put_new(const struct run *run, uint32_t node, bool is_front, struct laz_buf *ret)
{
    for (uint32_t i = 0; run != NULL && i < run->n; i++) {
        const struct step *step = &run->steps[i];
        if (step->node != node || takes(step) || (step->what == PREPEND) != is_front) {
            continue;
        }
        if (step->what == SET) {
            laz_buf_printf(ret, "\"%s\"\n", marker(i, true));
        }
        laz_buf_printf(ret, "%s\n", marker(i, false));
    }
}

static void close_ended(const struct laz_json_doc *doc, const struct run *run, uint32_t *open,
        uint32_t at, struct laz_buf *ret)
{
    while (open[0] > 0 && doc->nodes[open[open[0]]].next == at) {
        put_new(run, open[open[0]], false, ret);
        laz_buf_char(ret, '.');
        open[0]--;
    }
}

/* The tokens of a text, a line each; with a run, as they are to be after it. */
static void put_tokens(const struct laz_json_doc *doc, const struct run *run, struct laz_buf *ret)
{
    uint32_t open[LAZ_JSON_DEPTH_DEEP + 1] = {0}; /* how many, and which */
    for (uint32_t i = 0; i < doc->n;) {
        const struct laz_json_node *node = &doc->nodes[i];
        close_ended(doc, run, open, i, ret);
        bool is_member = open[0] > 0 && doc->nodes[open[open[0]]].type == LAZ_JSON_OBJECT;
        const struct step *taker = taker_of(run, i);
        const struct step *next = is_member ? taker_of(run, i + 1) : NULL;
        if (next != NULL && next->what == REMOVE && is_key(doc, i, open[open[0]])) {
            i = doc->nodes[i + 1].next; /* a key goes with its value */
            continue;
        }
        if (taker != NULL) {
            if (taker->what == REPLACE) {
                laz_buf_printf(ret, "%s\n", marker((uint32_t)(taker - run->steps), false));
            }
            i = node->next;
            continue;
        }
        if (node->type == LAZ_JSON_ARRAY || node->type == LAZ_JSON_OBJECT) {
            laz_buf_char(ret, doc->text[node->start]);
            open[++open[0]] = i;
            put_new(run, i, true, ret);
        } else {
            laz_buf_put(ret, doc->text + node->start, node->end - node->start);
            laz_buf_char(ret, '\n');
        }
        i++;
    }
    close_ended(doc, run, open, doc->n, ret);
}

/* ---- the edits ---- */

static int make(
        struct laz_json_edits *edits, const struct run *run, uint32_t i, struct laz_err *err)
{
    const struct step *step = &run->steps[i];
    const struct laz_json_node *node = &run->doc.nodes[step->node];
    const char *value = marker(i, false);
    size_t length = strlen(value);
    switch (step->what) {
    case REPLACE:
        return laz_json_replace(edits, node, value, length, err);
    case REMOVE:
        return laz_json_remove(edits, &run->doc.nodes[step->parent], node, err);
    case APPEND:
        return laz_json_append(edits, laz_json_at(node), value, length, err);
    case PREPEND:
        return laz_json_prepend(edits, laz_json_at(node), value, length, err);
    case SET:
        return laz_json_set(edits, laz_json_at(node), marker(i, true), value, length, err);
    case CHOICES:
        break;
    }
    return -1;
}

static void check(const struct run *run)
{
    static struct laz_json_node others[NODES + 4 * STEPS];
    struct laz_json_edit list[STEPS];
    struct laz_json_edits edits;
    struct laz_json_doc after;
    struct laz_err err = {0};
    struct laz_buf out;
    struct laz_buf expected;
    struct laz_buf tokens;
    laz_buf_init_heap(&out, OUT_MAX);
    laz_buf_init_heap(&expected, OUT_MAX);
    laz_buf_init_heap(&tokens, OUT_MAX);
    laz_json_edits_init(&edits, &run->doc, list, STEPS, LAZ_E_OCI);
    for (uint32_t i = 0; i < run->n; i++) {
        require(make(&edits, run, i, &err) == 0);
    }
    bool is_good = laz_json_apply(&edits, &out, &err) == 0;
    require(is_good == !has_conflict(run));
    require(is_good || strstr(err.message, "two edits of one place") != NULL);
    if (is_good) {
        const struct laz_json_room room = {.nodes = others,
                .max = NODES + 4 * STEPS,
                .kind = LAZ_E_OCI,
                .depth = LAZ_JSON_DEPTH_DEEP};
        require(laz_json_read(out.data, out.len, &room, &after, &err) == 0);
        put_tokens(&run->doc, run, &expected);
        put_tokens(&after, NULL, &tokens);
        require(tokens.len == expected.len && !tokens.overflow);
        require(memcmp(tokens.data, expected.data, tokens.len) == 0);
        require(run->n > 0 ||
                (out.len == run->doc.length && memcmp(out.data, run->doc.text, out.len) == 0));
    }
    laz_json_edits_done(&edits);
    laz_buf_done(&out);
    laz_buf_done(&expected);
    laz_buf_done(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct laz_json_node nodes[NODES];
    struct run run = {.n = 0};
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (size > 4096 || end == NULL) {
        return 0;
    }
    char *text = exact_copy(end + 1, size - (size_t)(end + 1 - data));
    if (read(text, size - (size_t)(end + 1 - data), nodes, &run.doc) &&
            memmem(text, run.doc.length, "set ", 4) == NULL &&
            memmem(text, run.doc.length, "7000", 4) == NULL) {
        for (const uint8_t *at = data; at + 1 < end && run.n < STEPS; at += 2) {
            run.n += choose(&run.doc, at[0], at[1], &run.steps[run.n]);
        }
        check(&run);
    }
    free(text);
    return 0;
}
