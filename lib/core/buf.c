/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte buffers. libc only: linked into PID 1.
 */
#include "core/buf.h"

#include <stdarg.h>
#include <string.h>

#include "core/format.h"
#include "core/num.h"

void laz_buf_init_fixed(struct laz_buf *buf, char *memory, size_t size)
{
    *buf = (struct laz_buf){.data = memory, .cap = size};
    if (size > 0) {
        memory[0] = '\0';
    }
}

/* Make room for `extra` bytes and a NUL. */
static bool reserve(struct laz_buf *buf, size_t extra)
{
    size_t needed = 0;
    if (!buf->overflow && extra < buf->cap - buf->len) {
        return true; /* nearly always */
    }
    if (buf->overflow || !laz_add_size(buf->len, extra, &needed) ||
            !laz_add_size(needed, 1, &needed)) {
        buf->overflow = true;
        return false;
    }
    if (needed <= buf->cap) {
        return true;
    }
    if (buf->grow == NULL || !buf->grow(buf, needed)) {
        buf->overflow = true;
        return false;
    }
    return true;
}

void laz_buf_put(struct laz_buf *buf, const void *bytes, size_t length)
{
    if (length == 0 || !reserve(buf, length)) {
        return;
    }
    (void)memcpy(buf->data + buf->len, bytes, length);
    buf->len += length;
    buf->data[buf->len] = '\0';
}

void laz_buf_str(struct laz_buf *buf, const char *text)
{
    laz_buf_put(buf, text, strlen(text));
}

void laz_buf_char(struct laz_buf *buf, char c)
{
    laz_buf_put(buf, &c, 1);
}

void laz_buf_printf(struct laz_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = laz_format_v(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        buf->overflow = true;
    } else if (reserve(buf, (size_t)length)) {
        (void)laz_format_v(buf->data + buf->len, (size_t)length + 1, format, again);
        buf->len += (size_t)length;
    }
    va_end(again);
}
