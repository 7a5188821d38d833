/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON that somebody else wrote. What is accepted is a tree over the text: every lexeme read alone
 * gives the same tree, a string is what our writer makes of it and back, and with a byte more or a
 * byte less it is another text.
 */
#include "core/json.h"

#include <stdlib.h>

#include "core/json_read.h"
#include "fuzz.h"

#define NODES 256

static bool read(
        const char *text, size_t length, struct laz_json_node *nodes, struct laz_json_doc *ret)
{
    struct laz_err err = {0};
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    if (laz_json_read(text, length, &room, ret, &err) == 0) {
        require(err.kind == LAZ_E_NONE);
        return true;
    }
    require(err.kind == LAZ_E_SINK && err.message[0] != '\0');
    return false;
}

/* Through our writer, the text is the same. */
static void check_string(const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    struct laz_json_node nodes[NODES];
    struct laz_json_doc again;
    struct laz_buf text;
    struct laz_buf written;
    struct laz_buf other;
    struct laz_json json;
    laz_buf_init_heap(&text, node->end - node->start + 1U);
    laz_buf_init_heap(&written, 6 * (size_t)(node->end - node->start) + 3);
    laz_buf_init_heap(&other, node->end - node->start + 1U);
    if (laz_json_text(doc, node, &text)) {
        laz_json_init(&json, &written);
        laz_json_bytes(&json, NULL, text.data == NULL ? "" : text.data, text.len);
        require(!written.overflow && read(written.data, written.len, nodes, &again));
        require(laz_json_text(&again, laz_json_root(&again), &other));
        require(other.len == text.len);
        require(text.len == 0 || memcmp(other.data, text.data, text.len) == 0);
    }
    laz_buf_done(&text);
    laz_buf_done(&written);
    laz_buf_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_json_node nodes[NODES];
    struct laz_json_node others[NODES];
    struct laz_json_doc doc;
    struct laz_json_doc other;
    const char *text = (const char *)data;
    if (size > 4096 || !read(text, size, nodes, &doc)) {
        return 0;
    }
    require(doc.n > 0 && nodes[0].next == doc.n);
    for (uint32_t i = 0; i < doc.n; i++) {
        const struct laz_json_node *node = &nodes[i];
        size_t length = node->end - node->start;
        require(node->start < node->end && node->end <= size);
        require(node->next > i && node->next <= doc.n);
        require(read(text + node->start, length, others, &other) && other.n == node->next - i);
        require(node->type <= LAZ_JSON_NUMBER ||
                !read(text + node->start, length - 1, others, &other));
        if (node->type == LAZ_JSON_STRING) {
            check_string(&doc, node);
        }
    }
    return 0;
}
