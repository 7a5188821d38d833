/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions of a secret of Vault.
 */
#include "secret/kv.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "core/num.h"

#define NODES_MAX   131072 /* a node of the longest value has two bytes */
#define VERSION_MAX 999999999

_Static_assert(NODES_MAX == 2 * LAZ_FETCH_VALUE_MAX, "a node for every two bytes");

void laz_secret_ask_kv(const struct laz_fetch_item *item, struct laz_buf *ret)
{
    laz_buf_printf(ret, "/v1/%s", item->from);
    if (item->version[0] != '\0') {
        laz_buf_printf(ret, "?version=%s", item->version);
    }
}

static int fault(struct laz_secret_reading *ret, enum laz_secret_fault which, const char *what,
        struct laz_err *err)
{
    ret->fault = which;
    return laz_err_set(err, LAZ_E_SECRET, 0, "%s", what);
}

static bool is_of(const struct laz_json_node *node, enum laz_json_type type)
{
    return node != NULL && node->type == type;
}

/* The version that was asked for, and one that is there. */
static int check_version(const struct laz_fetch_item *item, const struct laz_json_doc *doc,
        const struct laz_json_node *metadata, struct laz_secret_reading *ret, struct laz_err *err)
{
    uint64_t version = 0;
    uint64_t wanted = 0;
    const struct laz_json_node *number = laz_json_member(doc, metadata, "version");
    const struct laz_json_node *destroyed = laz_json_member(doc, metadata, "destroyed");
    if (!laz_json_number(doc, number, VERSION_MAX, &version) || version == 0) {
        return fault(ret, LAZ_SECRET_FAULT_MALFORMED,
                "the answer has no metadata with a version: is it a KV of version 2?", err);
    }
    if (destroyed != NULL && destroyed->type != LAZ_JSON_FALSE) {
        return fault(
                ret, LAZ_SECRET_FAULT_MALFORMED, "the answer is a version that is destroyed", err);
    }
    if (item->version[0] != '\0' &&
            (!laz_parse_u64(item->version, strlen(item->version), VERSION_MAX, &wanted) ||
                    wanted != version)) {
        return fault(ret, LAZ_SECRET_FAULT_MALFORMED, "the answer is another version", err);
    }
    (void)snprintf(ret->version, sizeof(ret->version), "%u", (unsigned)version);
    return 0;
}

static int take(const struct laz_fetch_item *item, const struct laz_json_doc *doc,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const struct laz_json_node *data = laz_json_member(doc, laz_json_root(doc), "data");
    const struct laz_json_node *held = laz_json_member(doc, data, "data");
    if (!is_of(data, LAZ_JSON_OBJECT) || !is_of(held, LAZ_JSON_OBJECT)) {
        return fault(ret, LAZ_SECRET_FAULT_MALFORMED,
                "the answer has no object data.data: is it a KV of version 2?", err);
    }
    if (check_version(item, doc, laz_json_member(doc, data, "metadata"), ret, err) != 0) {
        return -1;
    }
    laz_buf_put(ret->value, doc->text + held->start, held->end - held->start);
    return ret->value->overflow ? fault(ret, LAZ_SECRET_FAULT_LENGTH, "the secret is too long", err)
                                : 0;
}

/* Nodes hold places in the text, and nothing of it. */
int laz_secret_read_kv(const struct laz_fetch_item *item, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    struct laz_json_doc doc;
    struct laz_json_node *nodes = calloc(NODES_MAX, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = NODES_MAX, .kind = LAZ_E_SECRET};
    if (nodes == NULL) {
        return fault(ret, LAZ_SECRET_FAULT_SYSTEM, "no memory to read JSON", err);
    }
    int result = laz_json_read(text, length, &room, &doc, err);
    ret->fault = LAZ_SECRET_FAULT_MALFORMED;
    if (result == 0) {
        result = take(item, &doc, ret, err);
    }
    free(nodes);
    return result;
}
