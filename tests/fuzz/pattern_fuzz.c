/* SPDX-License-Identifier: Apache-2.0
 *
 * Two targets in one, by the first byte. Bytes as a pattern and a text: nothing breaks. Bytes as
 * the choices that make a pattern: what it matches is what its parts match, looked up one by one in
 * all ways, which short texts allow.
 */
#include "core/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "fuzz.h"

#define NODES_MAX 40
#define TEXT_MAX  24 /* bytes: places are bits of a number */

enum kind {
    KIND_BYTE,
    KIND_ANY,
    KIND_RANGE,
    KIND_NOT_RANGE,
    KIND_BEGIN,
    KIND_END,
    KIND_CAT,
    KIND_ALT,
    KIND_REPEAT,
    KIND_COUNT,
};

struct node {
    enum kind kind;
    char low;
    char high;
    unsigned least;
    unsigned most; /* 255: no end */
    const struct node *a;
    const struct node *b;
};

struct maker {
    const uint8_t *data;
    size_t size;
    struct node nodes[NODES_MAX];
    size_t n_nodes;
    struct laz_buf text;
};

static unsigned choose(struct maker *maker, unsigned n)
{
    if (maker->size == 0) {
        return 0;
    }
    maker->size--;
    return *maker->data++ % n;
}

/* ---- Making one ---- */

static const struct node *make(struct maker *maker, unsigned depth)
{
    struct node *node = &maker->nodes[maker->n_nodes++];
    bool is_leaf = depth == 0 || maker->n_nodes + 8 > NODES_MAX;
    node->kind = (enum kind)choose(maker, is_leaf ? KIND_CAT : KIND_COUNT);
    node->low = (char)('a' + choose(maker, 3));
    node->high = (char)(node->low + (char)choose(maker, 3));
    static const unsigned char counts[][2] = {
            {0, 255}, {1, 255}, {0, 1}, {2, 2}, {1, 3}, {0, 2}, {2, 255}};
    if (node->kind == KIND_REPEAT) {
        unsigned i = choose(maker, sizeof(counts) / sizeof(counts[0]));
        node->least = counts[i][0];
        node->most = counts[i][1];
    }
    if (node->kind >= KIND_CAT) {
        node->a = make(maker, depth - 1);
    }
    if (node->kind == KIND_CAT || node->kind == KIND_ALT) {
        node->b = make(maker, depth - 1);
    }
    return node;
}

static void write_repeat(struct laz_buf *buf, const struct node *node)
{
    if (node->most == 255 && node->least < 2) {
        laz_buf_char(buf, node->least == 0 ? '*' : '+');
    } else if (node->least == 0 && node->most == 1) {
        laz_buf_char(buf, '?');
    } else if (node->most == 255) {
        laz_buf_printf(buf, "{%u,}", node->least);
    } else if (node->most == node->least) {
        laz_buf_printf(buf, "{%u}", node->least);
    } else {
        laz_buf_printf(buf, "{%u,%u}", node->least, node->most);
    }
}

static void write_pattern(struct laz_buf *buf, const struct node *node)
{
    switch (node->kind) {
    case KIND_BYTE:
        laz_buf_char(buf, node->low);
        break;
    case KIND_ANY:
        laz_buf_char(buf, '.');
        break;
    case KIND_RANGE:
    case KIND_NOT_RANGE:
        laz_buf_printf(
                buf, node->kind == KIND_RANGE ? "[%c-%c]" : "[^%c-%c]", node->low, node->high);
        break;
    case KIND_BEGIN:
        laz_buf_char(buf, '^');
        break;
    case KIND_END:
        laz_buf_char(buf, '$');
        break;
    case KIND_CAT:
        write_pattern(buf, node->a);
        write_pattern(buf, node->b);
        break;
    case KIND_ALT:
        laz_buf_char(buf, '(');
        write_pattern(buf, node->a);
        laz_buf_char(buf, '|');
        write_pattern(buf, node->b);
        laz_buf_char(buf, ')');
        break;
    case KIND_REPEAT:
        laz_buf_str(buf, "(?:");
        write_pattern(buf, node->a);
        laz_buf_char(buf, ')');
        write_repeat(buf, node);
        break;
    case KIND_COUNT:
        break;
    }
}

/* ---- What it matches ---- */

/* What was looked up stays, so that each is looked up once. */
struct looked {
    const struct node *nodes;
    const char *text;
    size_t length;
    bool known[NODES_MAX][TEXT_MAX + 1];
    uint32_t ends[NODES_MAX][TEXT_MAX + 1];
};

static uint32_t ends(struct looked *looked, const struct node *node, size_t at);

static uint32_t ends_of_all(struct looked *looked, const struct node *node, uint32_t begins)
{
    uint32_t result = 0;
    for (size_t at = 0; at <= looked->length; at++) {
        result |= (begins >> at & 1) != 0 ? ends(looked, node, at) : 0;
    }
    return result;
}

static uint32_t ends_of_repeat(struct looked *looked, const struct node *node, size_t at)
{
    uint32_t now = UINT32_C(1) << at;
    uint32_t result = node->least == 0 ? now : 0;
    unsigned rounds = node->most == 255 ? node->least + TEXT_MAX + 1 : node->most;
    for (unsigned i = 1; i <= rounds; i++) {
        now = ends_of_all(looked, node->a, now);
        result |= i >= node->least ? now : 0;
    }
    return result;
}

/* Bit n: a match that begins at `at` can end at n. */
static uint32_t find_ends(struct looked *looked, const struct node *node, size_t at)
{
    char c = at < looked->length ? looked->text[at] : '\n';
    bool in_range = c >= node->low && c <= node->high;
    uint32_t next = at < looked->length ? UINT32_C(2) << at : 0;
    switch (node->kind) {
    case KIND_BYTE:
        return c == node->low ? next : 0;
    case KIND_ANY:
        return c != '\n' ? next : 0;
    case KIND_RANGE:
        return in_range ? next : 0;
    case KIND_NOT_RANGE:
        return in_range ? 0 : next;
    case KIND_BEGIN:
        return at == 0 ? 1 : 0;
    case KIND_END:
        return at == looked->length ? UINT32_C(1) << at : 0;
    case KIND_CAT:
        return ends_of_all(looked, node->b, ends(looked, node->a, at));
    case KIND_ALT:
        return ends(looked, node->a, at) | ends(looked, node->b, at);
    case KIND_REPEAT:
        return ends_of_repeat(looked, node, at);
    case KIND_COUNT:
        break;
    }
    return 0;
}

static uint32_t ends(struct looked *looked, const struct node *node, size_t at)
{
    size_t i = (size_t)(node - looked->nodes);
    if (!looked->known[i][at]) {
        looked->ends[i][at] = find_ends(looked, node, at);
        looked->known[i][at] = true;
    }
    return looked->ends[i][at];
}

static size_t longest_word(uint32_t all, const char *text, size_t length)
{
    for (size_t at = length; at > 0; at--) {
        bool in_word = at < length && laz_is_word(text[at - 1]) && laz_is_word(text[at]);
        if ((all >> at & 1) != 0 && !in_word) {
            return at;
        }
    }
    return 0;
}

static void check_made(const uint8_t *data, size_t size)
{
    struct maker maker = {.data = data, .size = size};
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    laz_buf_init_heap(&maker.text, 1U << 16);
    const struct node *root = make(&maker, 6);
    write_pattern(&maker.text, root);
    char text[TEXT_MAX + 1] = {0};
    size_t length = 0;
    while (length < TEXT_MAX && maker.size > 0) {
        text[length++] = "abcd-"[choose(&maker, 5)];
    }
    struct looked looked = {.nodes = maker.nodes, .text = text, .length = length};
    uint32_t anywhere = ends_of_all(&looked, root, (UINT32_C(2) << length) - 1);
    if (laz_pattern_new(maker.text.data, LAZ_PATTERN_LINE, &pattern, &err) == 0) {
        require(laz_pattern_is_in(pattern, text, length) == (anywhere != 0));
        laz_pattern_free(pattern);
    } else {
        require(err.kind == LAZ_E_POLICY_TOO_LARGE);
    }
    err = (struct laz_err){0};
    if (laz_pattern_new(maker.text.data, LAZ_PATTERN_NUMBER, &pattern, &err) == 0) {
        size_t reach = laz_pattern_reach(pattern, text, length);
        require(reach == longest_word(ends(&looked, root, 0), text, length));
        require(reach == 0 || reach >= laz_pattern_shortest(pattern));
        for (size_t at = 0; reach > 0 && at < laz_pattern_shortest(pattern); at++) {
            unsigned char low = 0;
            unsigned char high = 0;
            laz_pattern_range(pattern, at, &low, &high);
            require((unsigned char)text[at] >= low && (unsigned char)text[at] <= high);
        }
        laz_pattern_free(pattern);
    }
    laz_buf_done(&maker.text);
}

/* ---- Bytes as a pattern, a NUL, and a text ---- */

static void check_raw(const uint8_t *data, size_t size)
{
    struct laz_buf text;
    laz_buf_init_heap(&text, size + 1);
    laz_buf_put(&text, data, size);
    if (size > 0) {
        size_t first = strnlen(text.data, size);
        size_t rest = first < size ? first + 1 : size;
        for (int use = LAZ_PATTERN_LINE; use <= LAZ_PATTERN_NUMBER; use++) {
            struct laz_pattern *pattern = NULL;
            struct laz_err err = {0};
            if (laz_pattern_new(text.data, (enum laz_pattern_use)use, &pattern, &err) < 0) {
                require(err.kind == LAZ_E_POLICY_INVALID || err.kind == LAZ_E_POLICY_TOO_LARGE);
                require(err.message[0] != '\0');
            } else if (use == LAZ_PATTERN_LINE) {
                (void)laz_pattern_is_in(pattern, text.data + rest, size - rest);
            } else {
                require(laz_pattern_reach(pattern, text.data + rest, size - rest) <= size - rest);
            }
            laz_pattern_free(pattern);
        }
    }
    laz_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'm') {
        check_made(data + 1, size - 1);
    } else if (size > 0) {
        check_raw(data + 1, size - 1);
    }
    return 0;
}
