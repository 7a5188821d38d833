/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of log records, which are many and differ in their number: made once, and then only the
 * digits of `seq` change. For chain.c alone.
 */
#ifndef LAZ_AUDIT_LOG_HEAD_H
#define LAZ_AUDIT_LOG_HEAD_H

#include "core/record.h"

/* Zero is fine to begin with, but for the two buffers. */
struct laz_log_head {
    struct laz_buf text;      /* up to and into "d":{; empty if there is none yet */
    struct laz_buf words;     /* ev, exe, obj and act of it, each with its NUL */
    struct laz_record record; /* whose strings are not looked at */
    size_t digits_at;         /* where `seq` stands */
    size_t n_digits;
};

void laz_log_head_init(struct laz_log_head *head);
void laz_log_head_done(struct laz_log_head *head);

/* Is head->text that of this record now? false: no memory. task, ctr and chain are the same, and
 * borrowed, for all records of one head. */
LAZ_MUST_CHECK bool laz_log_head_make(struct laz_log_head *head, const struct laz_record *record);

#endif
