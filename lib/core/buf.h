/* SPDX-License-Identifier: Apache-2.0
 *
 * A byte buffer that is either over memory of the caller's (PID 1: no heap) or grows on the heap up
 * to a ceiling. Writing past the end sets `overflow` and drops the bytes; the caller checks once,
 * at the end.
 */
#ifndef LAZ_CORE_BUF_H
#define LAZ_CORE_BUF_H

#include <stddef.h>
#include <string.h>

#include "core/err.h"

/* Invariant: len <= cap; data is NUL-terminated at data[len] whenever cap > 0 and the last writer
 * was one of ours (one byte of the capacity is kept for it). */
struct laz_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max; /* heap buffers: the ceiling; 0 for fixed ones */
    bool (*grow)(struct laz_buf *buf, size_t needed); /* NULL for fixed ones */
    bool overflow;                                    /* something did not fit, or memory ran out */
};

/* Over `memory`, borrowed until the buffer is no longer used. */
void laz_buf_init_fixed(struct laz_buf *buf, char *memory, size_t size);

/* On the heap, at most max bytes. Free with laz_buf_done. Both in buf_heap.c: PID 1 links no
 * allocator. */
void laz_buf_init_heap(struct laz_buf *buf, size_t max);
void laz_buf_done(struct laz_buf *buf);
/* Room for so many bytes more, and a NUL, at data + len: who fills it adds to len. NULL: overflow.
 */
char *laz_buf_room(struct laz_buf *buf, size_t length);
/* The same for what nobody else may see: what it grows out of is wiped, and what it was. */
void laz_buf_init_wiped(struct laz_buf *buf, size_t max);

void laz_buf_put(struct laz_buf *buf, const void *bytes, size_t length);
void laz_buf_str(struct laz_buf *buf, const char *text);
void laz_buf_char(struct laz_buf *buf, char c);
void laz_buf_printf(struct laz_buf *buf, const char *format, ...) LAZ_PRINTF(2, 3);

/* laz_buf_put, expanded where it stands: for what is put together from a dozen pieces for each line
 * of the workload. Not for PID 1, which would need a page more. */
static inline void laz_buf_add(struct laz_buf *buf, const void *bytes, size_t length)
{
    if (length == 0 || buf->overflow || length >= buf->cap - buf->len) {
        laz_buf_put(buf, bytes, length);
        return;
    }
    (void)memcpy(buf->data + buf->len, bytes, length);
    buf->len += length;
    buf->data[buf->len] = '\0';
}

#define laz_cleanup_buf __attribute__((cleanup(laz_buf_done)))

#endif
