/* SPDX-License-Identifier: Apache-2.0
 *
 * Edits of a JSON text as splices: each takes some bytes out and puts others in. Which commas go
 * and come is decided once all edits are known, so that what leaves and enters the same container
 * does not have to come in an order.
 */
#include "core/json_edit.h"

#include "core/json.h"

#define NONE UINT32_MAX

enum kind {
    REPLACE,
    REMOVE,
    FRONT, /* before the first element */
    BACK,  /* behind the last */
};

static const char *const marks[2][2] = {{"[", "]"}, {"{", "}"}};

void laz_json_edits_init(struct laz_json_edits *edits, const struct laz_json_doc *doc,
        struct laz_json_edit *list, uint32_t max, enum laz_err_kind kind)
{
    *edits = (struct laz_json_edits){.doc = doc, .list = list, .max = max, .kind = kind};
    laz_buf_init_heap(&edits->texts, LAZ_JSON_EDIT_TEXTS_MAX);
}

void laz_json_edits_done(struct laz_json_edits *edits)
{
    laz_buf_done(&edits->texts);
}

struct laz_json_place laz_json_at(const struct laz_json_node *node)
{
    return (struct laz_json_place){.node = node, .edit = NONE};
}

static uint32_t index_of(const struct laz_json_edits *edits, const struct laz_json_node *node)
{
    return (uint32_t)(node - edits->doc->nodes);
}

static int fail(
        const struct laz_json_edits *edits, uint32_t at, const char *why, struct laz_err *err)
{
    return laz_err_set(err, edits->kind, 0, "cannot be changed: byte %u: %s", at, why);
}

/* ---- new edits ---- */

static struct laz_json_edit *add(struct laz_json_edits *edits, enum kind kind, struct laz_err *err)
{
    if (edits->n == edits->max) {
        (void)laz_err_set(err, edits->kind, 0, "cannot be changed: more than %u edits", edits->max);
        return NULL;
    }
    struct laz_json_edit *edit = &edits->list[edits->n++];
    *edit = (struct laz_json_edit){.kind = kind, .container = NONE, .parent = NONE};
    return edit;
}

/* "key": at the end of the texts; how long it is. */
static uint32_t put_key(struct laz_json_edits *edits, const char *key)
{
    struct laz_json json;
    size_t before = edits->texts.len;
    laz_json_init(&json, &edits->texts);
    laz_json_string(&json, NULL, key);
    laz_buf_char(&edits->texts, ':');
    return (uint32_t)(edits->texts.len - before);
}

/* Key and value of an edit; without a key for NULL. */
static int give_text(struct laz_json_edits *edits, struct laz_json_edit *edit, const char *key,
        const char *json, size_t length, struct laz_err *err)
{
    edit->text = (uint32_t)edits->texts.len;
    edit->key = key == NULL ? 0 : put_key(edits, key);
    laz_buf_put(&edits->texts, json, length);
    edit->length = (uint32_t)(edits->texts.len - edit->text);
    return edits->texts.overflow
            ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu bytes of JSON", length)
            : 0;
}

static bool is_same_lexeme(const struct laz_json_edits *edits, const struct laz_json_node *node,
        const char *json, size_t length)
{
    return node->end - node->start == length &&
            memcmp(edits->doc->text + node->start, json, length) == 0;
}

/* An element is a value, or a key and its value. */
static const struct laz_json_node *value_of(
        const struct laz_json_node *container, const struct laz_json_node *element)
{
    return container->type == LAZ_JSON_OBJECT ? element + 1 : element;
}

static struct laz_json_edit *replace(struct laz_json_edits *edits, const struct laz_json_node *node,
        const char *json, size_t length, struct laz_err *err)
{
    struct laz_json_edit *edit = add(edits, REPLACE, err);
    if (edit == NULL) {
        return NULL;
    }
    edit->start = node->start;
    edit->end = node->end;
    return give_text(edits, edit, NULL, json, length, err) < 0 ? NULL : edit;
}

int laz_json_replace(struct laz_json_edits *edits, const struct laz_json_node *node,
        const char *json, size_t length, struct laz_err *err)
{
    if (is_same_lexeme(edits, node, json, length)) {
        return 0;
    }
    return replace(edits, node, json, length, err) == NULL ? -1 : 0;
}

static bool is_removed(const struct laz_json_edits *edits, uint32_t container, uint32_t ordinal)
{
    for (uint32_t i = 0; i < edits->n; i++) {
        const struct laz_json_edit *edit = &edits->list[i];
        if (edit->kind == REMOVE && edit->container == container && edit->ordinal == ordinal) {
            return true;
        }
    }
    return false;
}

int laz_json_remove(struct laz_json_edits *edits, const struct laz_json_node *container,
        const struct laz_json_node *node, struct laz_err *err)
{
    const struct laz_json_node *element = NULL;
    uint32_t before = 0;
    uint32_t ordinal = 0;
    while ((element = laz_json_next(edits->doc, container,
                    element == NULL ? NULL : value_of(container, element))) != NULL &&
            value_of(container, element) != node) {
        before = value_of(container, element)->end;
        ordinal++;
    }
    if (element == NULL) {
        return fail(edits, container->start, "the element to be removed is not in there", err);
    }
    if (is_removed(edits, index_of(edits, container), ordinal)) {
        return 0;
    }
    struct laz_json_edit *edit = add(edits, REMOVE, err);
    if (edit == NULL) {
        return -1;
    }
    const struct laz_json_node *next = laz_json_next(edits->doc, container, node);
    edit->container = index_of(edits, container);
    edit->start = element->start;
    edit->end = node->end;
    edit->before = before;
    edit->after = next == NULL ? 0 : next->start;
    edit->ordinal = ordinal;
    return 0;
}

/* Where a container's first element begins and its last one ends, and how many there are. */
static void measure(const struct laz_json_edits *edits, const struct laz_json_node *container,
        struct laz_json_edit *ret)
{
    uint32_t first = container->start + 1;
    uint32_t last = first;
    const struct laz_json_node *element = laz_json_next(edits->doc, container, NULL);
    ret->container = index_of(edits, container);
    if (element != NULL) {
        first = element->start;
    }
    for (; element != NULL; ret->ordinal++) {
        const struct laz_json_node *value = value_of(container, element);
        last = value->end;
        element = laz_json_next(edits->doc, container, value);
    }
    ret->start = ret->kind == FRONT ? first : last;
    ret->end = ret->start;
}

/* At one end of a place, with this key where it is an object's. */
static struct laz_json_edit *insert(struct laz_json_edits *edits, enum kind kind,
        const struct laz_json_place *place, const char *key, struct laz_err *err)
{
    struct laz_json_edit *edit = add(edits, kind, err);
    if (edit == NULL) {
        return NULL;
    }
    if (place->node != NULL) {
        measure(edits, place->node, edit);
    } else {
        edit->parent = place->edit;
    }
    return give_text(edits, edit, key, "", 0, err) < 0 ? NULL : edit;
}

static int insert_value(struct laz_json_edits *edits, struct laz_json_edit *edit, const char *json,
        size_t length, struct laz_err *err)
{
    if (edit == NULL) {
        return -1;
    }
    laz_buf_put(&edits->texts, json, length); /* behind its key, if it has one */
    edit->length = (uint32_t)(edits->texts.len - edit->text);
    return edits->texts.overflow
            ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu bytes of JSON", length)
            : 0;
}

static int check_place(const struct laz_json_edits *edits, const struct laz_json_place *place,
        enum laz_json_type type, struct laz_err *err)
{
    const char *why = type == LAZ_JSON_OBJECT ? "no object" : "no array";
    if (place->node != NULL) {
        return place->node->type == type ? 0 : fail(edits, place->node->start, why, err);
    }
    return edits->list[place->edit].made == type
            ? 0
            : fail(edits, edits->list[place->edit].start, why, err);
}

int laz_json_append(struct laz_json_edits *edits, struct laz_json_place array, const char *json,
        size_t length, struct laz_err *err)
{
    if (check_place(edits, &array, LAZ_JSON_ARRAY, err) < 0) {
        return -1;
    }
    return insert_value(edits, insert(edits, BACK, &array, NULL, err), json, length, err);
}

int laz_json_prepend(struct laz_json_edits *edits, struct laz_json_place array, const char *json,
        size_t length, struct laz_err *err)
{
    if (check_place(edits, &array, LAZ_JSON_ARRAY, err) < 0) {
        return -1;
    }
    return insert_value(edits, insert(edits, FRONT, &array, NULL, err), json, length, err);
}

/* ---- members ---- */

/* The edit that adds this member to this object, or NULL. */
static struct laz_json_edit *find_added(
        struct laz_json_edits *edits, const struct laz_json_place *object, const char *key)
{
    size_t before = edits->texts.len;
    uint32_t length = put_key(edits, key); /* as it would be written */
    struct laz_json_edit *found = NULL;
    for (uint32_t i = 0; i < edits->n && found == NULL && !edits->texts.overflow; i++) {
        struct laz_json_edit *edit = &edits->list[i];
        bool is_there = edit->kind == BACK &&
                (object->node == NULL ? edit->parent == object->edit
                                      : edit->container == index_of(edits, object->node));
        if (is_there && edit->key == length &&
                memcmp(edits->texts.data + edit->text, edits->texts.data + before, length) == 0) {
            found = edit;
        }
    }
    edits->texts.len = before;
    return found;
}

int laz_json_set(struct laz_json_edits *edits, struct laz_json_place object, const char *key,
        const char *json, size_t length, struct laz_err *err)
{
    if (check_place(edits, &object, LAZ_JSON_OBJECT, err) < 0) {
        return -1;
    }
    const struct laz_json_node *member = laz_json_member(edits->doc, object.node, key);
    if (member != NULL) {
        return laz_json_replace(edits, member, json, length, err);
    }
    if (find_added(edits, &object, key) != NULL) {
        return laz_err_set(err, edits->kind, 0, "cannot be changed: \"%.64s\" is set twice", key);
    }
    return insert_value(edits, insert(edits, BACK, &object, key, err), json, length, err);
}

/* The edit that has put a new container in the place of a null. */
static struct laz_json_edit *find_made(
        struct laz_json_edits *edits, const struct laz_json_node *node)
{
    for (uint32_t i = 0; i < edits->n; i++) {
        if (edits->list[i].kind == REPLACE && edits->list[i].start == node->start) {
            return &edits->list[i];
        }
    }
    return NULL;
}

int laz_json_enter(struct laz_json_edits *edits, struct laz_json_place object, const char *key,
        enum laz_json_type type, struct laz_json_place *ret, struct laz_err *err)
{
    if (check_place(edits, &object, LAZ_JSON_OBJECT, err) < 0) {
        return -1;
    }
    const struct laz_json_node *member = laz_json_member(edits->doc, object.node, key);
    if (member != NULL && member->type != LAZ_JSON_NULL) {
        *ret = laz_json_at(member);
        return check_place(edits, ret, type, err) < 0 ? laz_err_context(err, "%.64s", key) : 0;
    }
    struct laz_json_edit *edit =
            member != NULL ? find_made(edits, member) : find_added(edits, &object, key);
    if (edit == NULL) {
        edit = member != NULL ? replace(edits, member, "", 0, err)
                              : insert(edits, BACK, &object, key, err);
        if (edit == NULL) {
            return -1;
        }
        edit->made = type;
    }
    *ret = (struct laz_json_place){.edit = (uint32_t)(edit - edits->list)};
    return check_place(edits, ret, type, err);
}

/* ---- the new text ---- */

/* Of a container, the edits of a kind: those before edit number `until`. */
static uint32_t count(
        const struct laz_json_edits *edits, enum kind kind, uint32_t container, uint32_t until)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < until; i++) {
        n += edits->list[i].kind == kind && edits->list[i].container == container;
    }
    return n;
}

static uint32_t count_removed_before(
        const struct laz_json_edits *edits, const struct laz_json_edit *edit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < edits->n; i++) {
        const struct laz_json_edit *other = &edits->list[i];
        n += other->kind == REMOVE && other->container == edit->container &&
                other->ordinal < edit->ordinal;
    }
    return n;
}

/* What goes with an element: the comma before it, or, where nothing before it stays, the one behind
 * it. */
static void widen(const struct laz_json_edits *edits, struct laz_json_edit *edit)
{
    if (count_removed_before(edits, edit) < edit->ordinal) {
        edit->start = edit->before;
    } else if (edit->after != 0) {
        edit->end = edit->after;
    }
}

static bool is_before(const struct laz_json_edit *a, const struct laz_json_edit *b)
{
    if (a->start != b->start) {
        return a->start < b->start;
    }
    return a->end != b->end ? a->end < b->end : a->kind == FRONT && b->kind == BACK;
}

/* The edits of the old text in its order: list[i].order is the i-th. They mostly come sorted. */
static uint32_t sort(struct laz_json_edits *edits)
{
    struct laz_json_edit *list = edits->list;
    uint32_t n = 0;
    for (uint32_t i = 0; i < edits->n; i++) {
        if (list[i].parent != NONE) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && is_before(&list[i], &list[list[at - 1].order]); at--) {
            list[at].order = list[at - 1].order;
        }
        list[at].order = i;
    }
    return n;
}

/* The edit behind `last` among those that fill what `parent` makes; NONE: the first, or the end. */
static uint32_t next_child(const struct laz_json_edits *edits, uint32_t parent, uint32_t last)
{
    bool is_back = last != NONE && edits->list[last].kind == BACK;
    for (uint32_t i = last == NONE ? 0 : last + 1; i < edits->n; i++) {
        if (edits->list[i].parent == parent && (edits->list[i].kind == BACK) == is_back) {
            return i;
        }
    }
    for (uint32_t i = 0; i < edits->n && !is_back; i++) {
        if (edits->list[i].parent == parent && edits->list[i].kind == BACK) {
            return i;
        }
    }
    return NONE;
}

static void put_text(
        const struct laz_json_edits *edits, const struct laz_json_edit *edit, struct laz_buf *ret)
{
    if (edit->length > 0) {
        laz_buf_put(ret, edits->texts.data + edit->text, edit->length);
    }
    if (edit->made != 0) {
        laz_buf_str(ret, marks[edit->made == LAZ_JSON_OBJECT][0]);
    }
}

/* A value, with all that fills it if it is a container of ours. */
static void put_value(const struct laz_json_edits *edits, uint32_t top, struct laz_buf *ret)
{
    uint32_t current = top;
    uint32_t last = NONE;
    put_text(edits, &edits->list[top], ret);
    while (edits->list[current].made != 0) {
        uint32_t child = next_child(edits, current, last);
        if (child == NONE) {
            laz_buf_str(ret, marks[edits->list[current].made == LAZ_JSON_OBJECT][1]);
            if (current == top) {
                return;
            }
            last = current;
            current = edits->list[current].parent;
            continue;
        }
        laz_buf_str(ret, last == NONE ? "" : ",");
        put_text(edits, &edits->list[child], ret);
        last = child;
        if (edits->list[child].made != 0) {
            current = child;
            last = NONE;
        }
    }
}

static void put_edit(const struct laz_json_edits *edits, uint32_t index, struct laz_buf *ret)
{
    const struct laz_json_edit *edit = &edits->list[index];
    uint32_t container = edit->container;
    if (edit->kind == REMOVE) {
        return;
    }
    if (edit->kind == REPLACE) {
        put_value(edits, index, ret);
        return;
    }
    bool is_kept = count(edits, REMOVE, container, edits->n) < edit->ordinal;
    if (edit->kind == FRONT) {
        put_value(edits, index, ret);
        bool is_last = count(edits, FRONT, container, index + 1) ==
                count(edits, FRONT, container, edits->n);
        laz_buf_str(ret, is_kept || !is_last ? "," : "");
        return;
    }
    bool is_first = !is_kept && count(edits, FRONT, container, edits->n) == 0 &&
            count(edits, BACK, container, index) == 0;
    laz_buf_str(ret, is_first ? "" : ",");
    put_value(edits, index, ret);
}

int laz_json_apply(struct laz_json_edits *edits, struct laz_buf *ret, struct laz_err *err)
{
    const char *text = edits->doc->text;
    uint32_t at = 0;
    for (uint32_t i = 0; i < edits->n; i++) {
        if (edits->list[i].kind == REMOVE) {
            widen(edits, &edits->list[i]);
        }
    }
    uint32_t n = sort(edits);
    for (uint32_t i = 0; i < n; i++) {
        const struct laz_json_edit *edit = &edits->list[edits->list[i].order];
        if (edit->start < at) {
            return fail(edits, edit->start, "two edits of one place", err);
        }
        laz_buf_put(ret, text + at, edit->start - at);
        put_edit(edits, edits->list[i].order, ret);
        at = edit->end;
    }
    laz_buf_put(ret, text + at, edits->doc->length - at);
    return ret->overflow
            ? laz_err_set(err, edits->kind, 0, "cannot be changed: the new text would be too large")
            : 0;
}
