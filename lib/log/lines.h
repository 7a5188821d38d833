/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of bytes, taken apart into what becomes one record each: a line, a part of a line that
 * is too long, or several lines that belong together. Works on the caller's memory, copies nothing
 * that it need not, and never looks at a byte twice without cause.
 */
#ifndef LAZ_LOG_LINES_H
#define LAZ_LOG_LINES_H

#include "log/redact.h"

/* max_line is between these. */
#define LAZ_LINES_LEAST 64
#define LAZ_LINES_MOST  (128U << 10)
/* How many bytes must be there before a line that is too long is cut, beyond max_line: so far a cut
 * looks ahead. An offer never needs to be larger than both. */
#define LAZ_LINES_AHEAD (LAZ_REDACT_MATCH_MAX + 16)
/* What laz_line_members appends is never more; a record that would need more becomes parts. */
#define LAZ_LINE_MEMBERS_MAX ((1U << 20) - (32U << 10))

struct laz_lines_options {
    size_t max_line;                     /* bytes; longer ones become parts */
    const char *multiline_start;         /* NULL or "": each line is a record */
    const struct laz_redactor *redactor; /* NULL: nothing is redacted; borrowed */
};

/* One record's words. */
struct laz_line {
    const char *text; /* without the line feed that ended it; until the next call, and as long as
                         the bytes that were offered */
    size_t length;
    bool eol;      /* a line feed followed: false for a part that goes on, and at the end of file */
    uint32_t part; /* 0: whole; 1, 2, ... of a line that was too long */
    bool more;     /* another part follows */
    uint32_t redacted[LAZ_REDACT_COUNT]; /* how often what was taken out */
};

enum laz_lines_until {
    LAZ_LINES_OPEN,   /* more may come: what is not whole waits */
    LAZ_LINES_WAITED, /* multi-line: nothing came for the time that it waits; a whole line is a
                         record now */
    LAZ_LINES_END,    /* nothing will come: what is there is a record */
};

struct laz_lines; /* one for each stream */

LAZ_MUST_CHECK int laz_lines_new(
        const struct laz_lines_options *options, struct laz_lines **ret, struct laz_err *err);
void laz_lines_free(struct laz_lines *lines);

/* `bytes` begins where the last record ended. Returns how many of them the next record takes, line
 * feed included, and sets *ret; 0 if there is none yet. */
size_t laz_lines_next(struct laz_lines *lines, const char *bytes, size_t length,
        enum laz_lines_until until, struct laz_line *ret);

/* What the next record depends on beside its bytes: all that a successor has to know who begins
 * with those that no record has taken. Zeros: a line begins there. */
struct laz_lines_place {
    uint32_t part;
    char before[2];
};

void laz_lines_place(const struct laz_lines *lines, struct laz_lines_place *ret);
void laz_lines_go_on(struct laz_lines *lines, const struct laz_lines_place *place);

/* The redactor has learned what it did not know: what was found clean may not be. */
void laz_lines_look_again(struct laz_lines *lines);

/* Bytes looked at so far, each as often as it was: what its tests hold against the bytes that came.
 */
uint64_t laz_lines_work(const struct laz_lines *lines);

/* The members of d for this record, as JSON without the braces. */
void laz_line_members(const struct laz_line *line, struct laz_buf *ret);

#endif
