/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte buffers that grow. Not for PID 1, which allocates nothing.
 */
#include <stdlib.h>

#include "core/buf.h"
#include "core/num.h"

static size_t next_size(const struct laz_buf *buf, size_t needed)
{
    size_t cap = buf->cap < 128 ? 256 : buf->cap * 2; /* max is far below SIZE_MAX / 2 */
    while (cap < needed) {
        cap *= 2;
    }
    return cap < buf->max ? cap : buf->max;
}

static bool grow(struct laz_buf *buf, size_t needed)
{
    if (needed > buf->max) {
        return false;
    }
    size_t cap = next_size(buf, needed);
    char *data = realloc(buf->data, cap);
    if (data == NULL) {
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

/* realloc leaves a copy behind. */
static bool grow_wiped(struct laz_buf *buf, size_t needed)
{
    if (needed > buf->max) {
        return false;
    }
    size_t cap = next_size(buf, needed);
    char *data = malloc(cap);
    if (data == NULL) {
        return false;
    }
    if (buf->cap > 0) {
        (void)memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->cap);
        free(buf->data);
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void laz_buf_init_heap(struct laz_buf *buf, size_t max)
{
    *buf = (struct laz_buf){.max = max, .grow = grow};
}

void laz_buf_init_wiped(struct laz_buf *buf, size_t max)
{
    *buf = (struct laz_buf){.max = max, .grow = grow_wiped};
}

char *laz_buf_room(struct laz_buf *buf, size_t length)
{
    size_t needed = 0;
    bool fits = !buf->overflow && laz_add_size(buf->len, length, &needed) &&
            laz_add_size(needed, 1, &needed) && (needed <= buf->cap || buf->grow(buf, needed));
    buf->overflow = !fits;
    if (!fits) {
        return NULL;
    }
    buf->data[buf->len] = '\0';
    return buf->data + buf->len;
}

void laz_buf_done(struct laz_buf *buf)
{
    if (buf->grow == grow_wiped && buf->cap > 0) {
        explicit_bzero(buf->data, buf->cap);
    }
    if (buf->max > 0) {
        free(buf->data);
    }
    *buf = (struct laz_buf){.max = buf->max, .grow = buf->grow};
}
