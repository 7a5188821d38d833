/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages, names and their order.
 */
#include "secret/by_path.h"

#include <string.h>

#include "core/json.h"
#include "core/json_read.h"
#include "secret/memory.h"
#include "secret/value.h"

#define NODES        512  /* ten parameters of some twenty, and what AWS may add to them */
#define NAME_MAX     2048 /* bytes */
#define AT_A_TIME    10
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/"

int laz_by_path_init(
        struct laz_by_path *ret, const struct laz_fetch_item *item, struct laz_err *err)
{
    ret->item = item;
    laz_buf_init_wiped(&ret->token, LAZ_BY_PATH_TOKEN_MAX + 1);
    return laz_secret_buf_init(&ret->held, LAZ_SECRET_SOURCE_MAX + 2, err);
}

void laz_by_path_done(struct laz_by_path *by_path)
{
    laz_secret_buf_done(&by_path->held);
    laz_buf_done(&by_path->token);
}

void laz_by_path_ask(const struct laz_by_path *by_path, struct laz_buf *ret)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "Path", by_path->item->from);
    laz_json_bool(&json, "Recursive", by_path->item->source == LAZ_SECRET_PARAMETER_TREE);
    laz_json_bool(&json, "WithDecryption", true);
    laz_json_u64(&json, "MaxResults", AT_A_TIME);
    if (by_path->token.len > 0) {
        laz_json_bytes(&json, "NextToken", by_path->token.data, by_path->token.len);
    }
    laz_json_object_end(&json);
}

static int fault(struct laz_secret_reading *ret, enum laz_secret_fault which, const char *what,
        struct laz_err *err)
{
    ret->fault = which;
    return laz_err_set(err, LAZ_E_SECRET, 0, "%s", what);
}

static int malformed(struct laz_secret_reading *ret, const char *what, struct laz_err *err)
{
    return fault(ret, LAZ_SECRET_FAULT_MALFORMED, what, err);
}

/* The part of the name that is below the path; NULL: it is not there, or further down. */
static const char *below(const struct laz_fetch_item *item, const char *name)
{
    size_t length = strlen(item->from);
    bool is_root = strcmp(item->from, "/") == 0;
    if (strncmp(name, item->from, length) != 0 || (!is_root && name[length] != '/')) {
        return NULL;
    }
    const char *rest = name + length + (is_root ? 0 : 1);
    bool is_good = rest[0] != '\0' && strspn(rest, NAME_LETTERS) == strlen(rest) &&
            (item->source == LAZ_SECRET_PARAMETER_TREE || strchr(rest, '/') == NULL);
    return is_good ? rest : NULL;
}

/* -1, 0 or 1, of "name": in held and this one. Names need no escapes. */
static int compare(const struct laz_by_path *by_path, uint32_t entry, const char *name)
{
    const char *held = by_path->held.data + by_path->entries[entry].start + 1;
    size_t length = strcspn(held, "\"");
    size_t other = strlen(name);
    int order = memcmp(held, name, length < other ? length : other);
    return order != 0 ? order : length < other ? -1 : length > other ? 1 : 0;
}

static int insert(struct laz_by_path *by_path, const char *name, uint32_t start,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    uint32_t at = by_path->n;
    while (at > 0 && compare(by_path, at - 1, name) > 0) {
        at--;
    }
    if (at > 0 && compare(by_path, at - 1, name) == 0) {
        return malformed(ret, "the answer has a parameter twice", err);
    }
    (void)memmove(&by_path->entries[at + 1], &by_path->entries[at],
            (by_path->n - at) * sizeof(by_path->entries[0]));
    by_path->entries[at] = (struct laz_by_path_entry){
            .start = start, .length = (uint32_t)by_path->held.len - start};
    by_path->n++;
    return 0;
}

static int take_parameter(struct laz_by_path *by_path, const struct laz_json_doc *doc,
        const struct laz_json_node *parameter, struct laz_secret_reading *ret, struct laz_err *err)
{
    char name[NAME_MAX + 1];
    struct laz_json json;
    struct laz_buf *held = &by_path->held;
    const struct laz_json_node *value = laz_json_member(doc, parameter, "Value");
    if (!laz_json_copy(doc, laz_json_member(doc, parameter, "Name"), name, sizeof(name)) ||
            value == NULL || value->type != LAZ_JSON_STRING) {
        return malformed(ret, "the answer has a parameter without name or value", err);
    }
    const char *rest = below(by_path->item, name);
    if (rest == NULL) {
        return malformed(ret, "the answer has a parameter that is not below the path", err);
    }
    if (by_path->n == LAZ_BY_PATH_MAX) {
        return fault(ret, LAZ_SECRET_FAULT_LENGTH, "more than 512 parameters", err);
    }
    uint32_t start = (uint32_t)held->len;
    laz_json_init(&json, held);
    laz_json_string(&json, NULL, rest);
    laz_buf_char(held, ':');
    laz_buf_put(held, doc->text + value->start, value->end - value->start);
    return held->overflow
            ? fault(ret, LAZ_SECRET_FAULT_LENGTH, "the parameters are too long together", err)
            : insert(by_path, rest, start, ret, err);
}

static int take_token(struct laz_by_path *by_path, const struct laz_json_doc *doc,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const struct laz_json_node *token = laz_json_member(doc, laz_json_root(doc), "NextToken");
    by_path->token.len = 0;
    if (token == NULL || token->type == LAZ_JSON_NULL) {
        return 0;
    }
    if (!laz_json_text(doc, token, &by_path->token) || by_path->token.len == 0) {
        return malformed(ret, "the answer's NextToken is none", err);
    }
    return ++by_path->pages < LAZ_BY_PATH_PAGES_MAX
            ? 0
            : malformed(ret, "the answer has no end: 256 pages, and a token for more", err);
}

static void put_object(const struct laz_by_path *by_path, struct laz_buf *ret)
{
    for (uint32_t i = 0; i < by_path->n; i++) {
        const struct laz_by_path_entry *entry = &by_path->entries[i];
        laz_buf_char(ret, i == 0 ? '{' : ',');
        laz_buf_put(ret, by_path->held.data + entry->start, entry->length);
    }
    laz_buf_char(ret, '}');
}

static int take_page(struct laz_by_path *by_path, const struct laz_json_doc *doc,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const struct laz_json_node *list = laz_json_member(doc, laz_json_root(doc), "Parameters");
    if (list == NULL || list->type != LAZ_JSON_ARRAY) {
        return malformed(ret, "the answer has no Parameters", err);
    }
    for (const struct laz_json_node *node = laz_json_next(doc, list, NULL); node != NULL;
            node = laz_json_next(doc, list, node)) {
        if (take_parameter(by_path, doc, node, ret, err) != 0) {
            return -1;
        }
    }
    if (take_token(by_path, doc, ret, err) != 0) {
        return -1;
    }
    if (by_path->token.len > 0) {
        return 0;
    }
    if (by_path->n == 0) {
        return fault(ret, LAZ_SECRET_FAULT_ABSENT, "there is no parameter below the path", err);
    }
    put_object(by_path, ret->value);
    return ret->value->overflow
            ? fault(ret, LAZ_SECRET_FAULT_LENGTH, "the parameters are too long together", err)
            : 0;
}

int laz_by_path_take(struct laz_by_path *by_path, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    ret->fault = LAZ_SECRET_FAULT_MALFORMED;
    return laz_json_read(text, length, &room, &doc, err) == 0 ? take_page(by_path, &doc, ret, err)
                                                              : -1;
}
