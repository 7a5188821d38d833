/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte buffers that grow. Not for PID 1, which allocates nothing.
 */
#include <stdlib.h>

#include "core/buf.h"

static bool grow(struct laz_buf *buf, size_t needed)
{
    if (needed > buf->max) {
        return false;
    }
    size_t cap = buf->cap < 128 ? 256 : buf->cap * 2; /* max is far below SIZE_MAX / 2 */
    while (cap < needed) {
        cap *= 2;
    }
    cap = cap < buf->max ? cap : buf->max;
    char *data = realloc(buf->data, cap);
    if (data == NULL) {
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void laz_buf_init_heap(struct laz_buf *buf, size_t max)
{
    *buf = (struct laz_buf){.max = max, .grow = grow};
}

void laz_buf_done(struct laz_buf *buf)
{
    if (buf->max > 0) {
        free(buf->data);
    }
    *buf = (struct laz_buf){.max = buf->max, .grow = buf->grow};
}
