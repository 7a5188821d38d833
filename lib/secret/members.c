/* SPDX-License-Identifier: Apache-2.0
 *
 * Members, one after the other: its name and its value in buffers of their own.
 */
#include "secret/members.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/json_read.h"
#include "secret/memory.h"
#include "secret/value.h"

#define NODES      (LAZ_FETCH_VALUE_MAX + 1) /* more than there can be in a value */
#define FIRST_NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

/* One member at a time. */
struct walk {
    struct laz_json_node *nodes;
    struct laz_json_doc doc;
    struct laz_buf name;
    struct laz_buf value;
    const struct laz_json_node *at; /* the value's */
    size_t number;                  /* from 1 */
};

static void end(struct walk *walk)
{
    laz_secret_buf_done(&walk->name);
    laz_secret_buf_done(&walk->value);
    free(walk->nodes);
}

static int begin(struct walk *walk, const struct laz_buf *object, struct laz_err *err)
{
    walk->nodes = calloc(NODES, sizeof(*walk->nodes));
    const struct laz_json_room room = {.nodes = walk->nodes, .max = NODES, .kind = LAZ_E_SECRET};
    if (walk->nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read JSON");
    }
    if (laz_secret_buf_init(&walk->name, object->len + 2, err) != 0 ||
            laz_secret_buf_init(&walk->value, object->len + 2, err) != 0) {
        return -1;
    }
    if (laz_json_read(object->data, object->len, &room, &walk->doc, err) != 0) {
        return laz_err_context(err, "the value");
    }
    return laz_json_root(&walk->doc)->type == LAZ_JSON_OBJECT
            ? 0
            : laz_err_set(err, LAZ_E_SECRET, 0, "the value is no JSON object");
}

static int read_member(struct walk *walk, const struct laz_json_node *name, struct laz_err *err)
{
    const struct laz_json_node *root = laz_json_root(&walk->doc);
    walk->at = laz_json_next(&walk->doc, root, name);
    walk->number++;
    laz_secret_buf_clear(&walk->name);
    laz_secret_buf_clear(&walk->value);
    switch (walk->at->type) {
    case LAZ_JSON_STRING:
        break;
    case LAZ_JSON_NUMBER:
    case LAZ_JSON_TRUE:
    case LAZ_JSON_FALSE:
        laz_buf_put(
                &walk->value, walk->doc.text + walk->at->start, walk->at->end - walk->at->start);
        break;
    case LAZ_JSON_NULL:
    case LAZ_JSON_ARRAY:
    case LAZ_JSON_OBJECT:
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "member %zu of the value is no text, number, true or false", walk->number);
    }
    bool is_text = walk->at->type == LAZ_JSON_STRING;
    if (!laz_json_text(&walk->doc, name, &walk->name) ||
            (is_text && !laz_json_text(&walk->doc, walk->at, &walk->value))) {
        return laz_err_set(
                err, LAZ_E_SECRET, 0, "member %zu of the value holds a NUL", walk->number);
    }
    return 0;
}

/* What is done with each member. */
typedef int (*writer)(const struct walk *walk, void *context, struct laz_err *err);

static int walk_all(const struct laz_buf *object, writer write, void *context, struct laz_err *err)
{
    struct walk walk = {0};
    int result = begin(&walk, object, err);
    if (result == 0) {
        const struct laz_json_node *root = laz_json_root(&walk.doc);
        const struct laz_json_node *name = laz_json_next(&walk.doc, root, NULL);
        while (result == 0 && name != NULL) {
            result = read_member(&walk, name, err);
            if (result == 0) {
                result = write(&walk, context, err);
            }
            name = laz_json_next(&walk.doc, root, laz_json_next(&walk.doc, root, name));
        }
        if (result == 0 && walk.number == 0) {
            result = laz_err_set(err, LAZ_E_SECRET, 0, "the value is an object without members");
        }
    }
    end(&walk);
    return result;
}

/* ---- JSON ---- */

static int write_json(const struct walk *walk, void *context, struct laz_err *err)
{
    struct laz_buf *ret = context;
    struct laz_json json;
    (void)err;
    laz_buf_char(ret, walk->number == 1 ? '{' : ',');
    laz_json_init(&json, ret);
    laz_json_bytes(&json, NULL, walk->name.data, walk->name.len);
    laz_buf_char(ret, ':');
    if (walk->at->type == LAZ_JSON_STRING) {
        laz_json_init(&json, ret);
        laz_json_bytes(&json, NULL, walk->value.data, walk->value.len);
    } else {
        laz_buf_put(ret, walk->value.data, walk->value.len);
    }
    return 0;
}

int laz_members_json(const struct laz_buf *object, struct laz_buf *ret, struct laz_err *err)
{
    if (walk_all(object, write_json, ret, err) != 0) {
        return -1;
    }
    laz_buf_char(ret, '}');
    return 0;
}

/* ---- dotenv ---- */

static bool is_name(const struct laz_buf *name)
{
    return name->len > 0 && strspn(name->data, FIRST_NAME "0123456789") == name->len &&
            strspn(name->data, FIRST_NAME) > 0;
}

/* Within single quotes a shell takes everything as it is; other readers take a backslash before a
 * backslash or before the quote for an escape, and some expand "${". Within double quotes a shell
 * expands more. '\0': none will do. */
static char find_quote(const struct laz_buf *value)
{
    const char *text = value->data;
    for (size_t i = 0; i < value->len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) {
            return '\0';
        }
    }
    if (value->len == 0) {
        return '\'';
    }
    bool is_literal = strstr(text, "\\\\") == NULL && text[value->len - 1] != '\\';
    if (strchr(text, '\'') == NULL && is_literal && strstr(text, "${") == NULL) {
        return '\'';
    }
    return strpbrk(text, "\"$`\\!") == NULL ? '"' : '\0';
}

static int write_dotenv(const struct walk *walk, void *context, struct laz_err *err)
{
    struct laz_buf *ret = context;
    if (!is_name(&walk->name)) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "the name of member %zu is no variable's: letters, digits and _", walk->number);
    }
    char quote = find_quote(&walk->value);
    if (quote == '\0') {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "member %zu of the value is not the same to a shell and to readers of dotenv "
                "files, however it is quoted: deliver json",
                walk->number);
    }
    laz_buf_put(ret, walk->name.data, walk->name.len);
    laz_buf_char(ret, '=');
    laz_buf_char(ret, quote);
    laz_buf_put(ret, walk->value.data, walk->value.len);
    laz_buf_char(ret, quote);
    laz_buf_char(ret, '\n');
    return 0;
}

int laz_members_dotenv(const struct laz_buf *object, struct laz_buf *ret, struct laz_err *err)
{
    return walk_all(object, write_dotenv, ret, err);
}

/* ---- one by one ---- */

static int visit_member(const struct walk *walk, void *context, struct laz_err *err)
{
    const struct laz_members_visit *visit = context;
    return visit->take(visit->context, walk->value.data, walk->value.len, err);
}

int laz_members_each(
        const struct laz_buf *object, const struct laz_members_visit *visit, struct laz_err *err)
{
    struct laz_members_visit copy = *visit;
    return walk_all(object, visit_member, &copy, err);
}
