/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks two JSON values side by side. Members are paired by their key; elements of arrays by what
 * they are, in their order: what is in one of the two alone came or went, and two containers that
 * stand where neither is found again are one that changed inside.
 */
#include "oci/diff.h"

#include <string.h>

#define SHOWN_MAX 1000 /* bytes of a value: mounts and hooks are shown whole */
#define AHEAD_MAX 512  /* elements that are looked at for the same one */
#define PATH_SIZE 512  /* bytes of a path */

/* A value of one of the two texts. */
struct side {
    const struct laz_json_doc *doc;
    const struct laz_json_node *container;
    const struct laz_json_node *element; /* the next one: a key, or a value of an array; or NULL */
    uint32_t n;                          /* its number */
};

struct frame {
    struct side before;
    struct side after;
    size_t path; /* how long it was outside of this one */
};

struct walk {
    struct frame frames[LAZ_JSON_DEPTH_DEEP + 1];
    size_t depth;
    struct laz_buf path;
    struct laz_buf *ret;
};

/* ---- lines ---- */

static void put_shown(
        struct laz_buf *ret, const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    size_t length = node->end - node->start;
    for (size_t i = 0; i < length && i < SHOWN_MAX; i++) {
        char c = doc->text[node->start + i];
        bool is_plain = c >= 0x20 && c < 0x7F;
        bool is_blank = c == '\n' || c == '\t' || c == '\r';
        laz_buf_put(ret, is_plain ? &c : is_blank ? " " : "?", 1);
    }
    laz_buf_str(ret, length > SHOWN_MAX ? "..." : "");
}

/* The path with an element of the innermost container behind it. */
static void enter_path(struct walk *walk, const struct side *side)
{
    if (side->container->type == LAZ_JSON_ARRAY) {
        laz_buf_printf(&walk->path, "[%u]", side->n);
        return;
    }
    const struct laz_json_node inside = {
            .start = side->element->start + 1, .end = side->element->end - 1};
    laz_buf_str(&walk->path, walk->path.len == 0 ? "" : ".");
    put_shown(&walk->path, side->doc, &inside);
}

static void put_line(struct walk *walk, const char *mark)
{
    laz_buf_str(walk->ret, mark);
    laz_buf_put(walk->ret, walk->path.data, walk->path.len);
    laz_buf_str(walk->ret, walk->path.len == 0 ? "" : ": ");
}

static const struct laz_json_node *value_of(const struct side *side)
{
    return side->container->type == LAZ_JSON_OBJECT ? side->element + 1 : side->element;
}

/* The element came, or went. */
static void put_one(struct walk *walk, const struct side *side, const char *mark)
{
    size_t path = walk->path.len;
    enter_path(walk, side);
    put_line(walk, mark);
    put_shown(walk->ret, side->doc, value_of(side));
    laz_buf_char(walk->ret, '\n');
    walk->path.len = path;
}

static void put_changed(struct walk *walk, const struct laz_json_doc *before,
        const struct laz_json_node *old, const struct laz_json_doc *after,
        const struct laz_json_node *new)
{
    put_line(walk, "~ ");
    put_shown(walk->ret, before, old);
    laz_buf_str(walk->ret, " -> ");
    put_shown(walk->ret, after, new);
    laz_buf_char(walk->ret, '\n');
}

/* ---- pairs ---- */

static void advance(struct side *side)
{
    side->element = laz_json_next(side->doc, side->container, value_of(side));
    side->n++;
}

static bool is_same(const struct laz_json_doc *before, const struct laz_json_node *old,
        const struct laz_json_doc *after, const struct laz_json_node *new)
{
    size_t length = old->end - old->start;
    return new->end - new->start ==
            length &&memcmp(before->text + old->start, after->text + new->start, length) == 0;
}

static bool is_container(const struct laz_json_node *node)
{
    return node->type == LAZ_JSON_ARRAY || node->type == LAZ_JSON_OBJECT;
}

static struct side open_side(const struct laz_json_doc *doc, const struct laz_json_node *container)
{
    return (struct side){
            .doc = doc, .container = container, .element = laz_json_next(doc, container, NULL)};
}

/* Two values that stand for each other; `path` is what it is to be again behind them. */
static void compare(struct walk *walk, const struct laz_json_doc *before,
        const struct laz_json_node *old, const struct laz_json_doc *after,
        const struct laz_json_node *new, size_t path)
{
    if (is_same(before, old, after, new)) {
        walk->path.len = path;
        return;
    }
    if (old->type == new->type && is_container(old)) {
        walk->frames[walk->depth++] = (struct frame){
                .before = open_side(before, old), .after = open_side(after, new), .path = path};
        return;
    }
    put_changed(walk, before, old, after, new);
    walk->path.len = path;
}

/* The element of one array is further on in the other. */
static bool is_ahead(const struct side *of, const struct side *in)
{
    const struct laz_json_node *node = in->element;
    for (size_t i = 0; node != NULL && i < AHEAD_MAX; i++) {
        if (is_same(of->doc, of->element, in->doc, node)) {
            return true;
        }
        node = laz_json_next(in->doc, in->container, node);
    }
    return false;
}

static void step_array(struct walk *walk, struct frame *frame)
{
    struct side *before = &frame->before;
    struct side *after = &frame->after;
    bool has_both = before->element != NULL && after->element != NULL;
    if (has_both && is_same(before->doc, before->element, after->doc, after->element)) {
        advance(before);
        advance(after);
        return;
    }
    bool is_kept = has_both && is_ahead(before, after);
    bool is_new = has_both && !is_ahead(after, before);
    if (has_both && !is_kept && is_new && before->element->type == after->element->type) {
        const struct laz_json_node *old = before->element;
        const struct laz_json_node *new = after->element;
        size_t path = walk->path.len;
        enter_path(walk, before);
        advance(before);
        advance(after);
        compare(walk, before->doc, old, after->doc, new, path);
        return;
    }
    bool is_gone = after->element == NULL || (has_both && !is_kept);
    put_one(walk, is_gone ? before : after, is_gone ? "- " : "+ ");
    advance(is_gone ? before : after);
}

/* The member of the other object with the key of this element, or NULL. */
static const struct laz_json_node *find_pair(const struct side *of, const struct side *in)
{
    const struct laz_json_node *key = laz_json_next(in->doc, in->container, NULL);
    while (key != NULL && !is_same(of->doc, of->element, in->doc, key)) {
        key = laz_json_next(in->doc, in->container, key + 1);
    }
    return key == NULL ? NULL : key + 1;
}

/* First what was there, then what came. */
static void step_object(struct walk *walk, struct frame *frame)
{
    struct side *before = &frame->before;
    struct side *after = &frame->after;
    struct side *side = before->element != NULL ? before : after;
    const struct side at = *side;
    const struct laz_json_node *pair = find_pair(side, side == before ? after : before);
    advance(side);
    if (pair == NULL) {
        put_one(walk, &at, side == before ? "- " : "+ ");
        return;
    }
    if (side == before) {
        size_t path = walk->path.len;
        enter_path(walk, &at);
        compare(walk, before->doc, value_of(&at), after->doc, pair, path);
    }
}

int laz_oci_diff(const struct laz_json_doc *before, const struct laz_json_doc *after,
        struct laz_buf *ret, struct laz_err *err)
{
    char memory[PATH_SIZE];
    struct walk walk = {.ret = ret};
    laz_buf_init_fixed(&walk.path, memory, sizeof(memory));
    compare(&walk, before, laz_json_root(before), after, laz_json_root(after), 0);
    while (walk.depth > 0) {
        struct frame *frame = &walk.frames[walk.depth - 1];
        if (frame->before.element == NULL && frame->after.element == NULL) {
            walk.path.len = frame->path;
            walk.depth--;
            continue;
        }
        if (frame->before.container->type == LAZ_JSON_ARRAY) {
            step_array(&walk, frame);
        } else {
            step_object(&walk, frame);
        }
    }
    return ret->overflow || walk.path.overflow
            ? laz_err_set(err, LAZ_E_OCI, 0, "too many differences to be shown")
            : 0;
}
