/* SPDX-License-Identifier: Apache-2.0
 *
 * What is different between two texts, for a person: all between the first and the last line that
 * differ.
 */
#include "cli/install.h"

#define CONTEXT 3

struct text {
    const char *bytes;
    size_t length;
    size_t at;
    size_t n_lines;
};

static size_t line_at(const struct text *text, size_t at)
{
    const char *end = memchr(text->bytes + at, '\n', text->length - at);
    return end == NULL ? text->length - at : (size_t)(end + 1 - (text->bytes + at));
}

static struct text text_of(const struct laz_buf *buf)
{
    struct text text = {.bytes = buf->len == 0 ? "" : buf->data, .length = buf->len};
    for (size_t at = 0; at < text.length; at += line_at(&text, at)) {
        text.n_lines++;
    }
    return text;
}

/* The n-th line; its length. */
static size_t line(const struct text *text, size_t n, const char **ret)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at += line_at(text, at);
    }
    *ret = text->bytes + at;
    return line_at(text, at);
}

static bool is_same(const struct text *a, size_t a_n, const struct text *b, size_t b_n)
{
    const char *one = NULL;
    const char *other = NULL;
    size_t length = line(a, a_n, &one);
    return length == line(b, b_n, &other) && memcmp(one, other, length) == 0;
}

static void put(struct laz_buf *ret, char sign, const struct text *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const char *at = NULL;
        size_t length = line(text, i, &at);
        bool ends = length > 0 && at[length - 1] == '\n';
        laz_buf_char(ret, sign);
        laz_buf_put(ret, at, length);
        laz_buf_str(ret, ends ? "" : "\n\\ No newline at end of file\n");
    }
}

void laz_text_diff(const char *path, const struct laz_buf *before, const struct laz_buf *after,
        struct laz_buf *ret)
{
    struct text old = text_of(before);
    struct text new = text_of(after);
    size_t least = old.n_lines < new.n_lines ? old.n_lines : new.n_lines;
    size_t head = 0;
    size_t tail = 0;
    if (old.length == new.length && memcmp(old.bytes, new.bytes, old.length) == 0) {
        return;
    }
    while (head < least && is_same(&old, head, &new, head)) {
        head++;
    }
    while (tail < least - head &&
            is_same(&old, old.n_lines - 1 - tail, &new, new.n_lines - 1 - tail)) {
        tail++;
    }
    size_t from = head < CONTEXT ? 0 : head - CONTEXT;
    size_t behind = tail < CONTEXT ? tail : CONTEXT;
    size_t n_old = old.n_lines - tail + behind - from;
    size_t n_new = new.n_lines - tail + behind - from;
    laz_buf_printf(ret, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n",
            old.length == 0 ? "/dev/null" : path, path, n_old == 0 ? 0 : from + 1, n_old, from + 1,
            n_new);
    put(ret, ' ', &old, from, head);
    put(ret, '-', &old, head, old.n_lines - tail);
    put(ret, '+', &new, head, new.n_lines - tail);
    put(ret, ' ', &old, old.n_lines - tail, old.n_lines - tail + behind);
}
