/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams read whole or in pieces, and chance that is the same each time.
 */
#ifndef LAZ_LOG_READING_H
#define LAZ_LOG_READING_H

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "log/lines.h"

/* What a stream became. */
struct reading {
    struct laz_buf records; /* members, one record a line */
    struct laz_buf text;    /* all texts with their line feeds, one behind the other */
    size_t n_records;
    size_t longest; /* of the texts */
    uint32_t counts[LAZ_REDACT_COUNT];
    uint64_t work;
};

static inline uint32_t chance(uint64_t *state, uint32_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % n;
}

static inline struct laz_redactor *redactor_of(
        uint8_t patterns, const char *const *literals, size_t n_literals)
{
    const struct laz_redactor_options options = {.patterns = patterns,
            .mrn = "MRN-[0-9]{6,8}",
            .n_literals = n_literals,
            .literals = literals};
    struct laz_redactor *redactor = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_redactor_new(&options, &redactor, &err), 0, "%s", err.message);
    return redactor;
}

#define ALL_PATTERNS 0x1F

/* Take what there is. Returns how many bytes are done. */
static inline size_t take_records(struct reading *reading, struct laz_lines *lines,
        const char *bytes, size_t length, enum laz_lines_until until)
{
    struct laz_line line;
    size_t done = 0;
    for (;;) {
        size_t taken = laz_lines_next(lines, bytes + done, length - done, until, &line);
        if (taken == 0) {
            return done;
        }
        done += taken;
        cr_assert_leq(done, length);
        size_t before = reading->records.len;
        laz_line_members(&line, &reading->records);
        cr_assert_leq(reading->records.len - before, LAZ_LINE_MEMBERS_MAX);
        laz_buf_char(&reading->records, '\n');
        laz_buf_put(&reading->text, line.text, line.length);
        laz_buf_put(&reading->text, "\n", line.eol ? 1 : 0);
        reading->n_records++;
        reading->longest = line.length > reading->longest ? line.length : reading->longest;
        for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
            reading->counts[i] += line.redacted[i];
        }
    }
}

/* A stream that comes in pieces of 1 to `most` bytes; 0: all at once. */
static inline void read_stream(struct reading *reading, const struct laz_lines_options *options,
        const char *bytes, size_t length, uint32_t most)
{
    struct laz_lines *lines = NULL;
    struct laz_err err = {0};
    uint64_t state = most + 1;
    *reading = (struct reading){0};
    laz_buf_init_heap(&reading->records, 1U << 26);
    laz_buf_init_heap(&reading->text, 1U << 26);
    cr_assert_eq(laz_lines_new(options, &lines, &err), 0, "%s", err.message);
    size_t done = 0;
    for (size_t have = 0; have < length && most > 0;) {
        size_t n = 1 + chance(&state, most);
        have += n < length - have ? n : length - have;
        done += take_records(reading, lines, bytes + done, have - done, LAZ_LINES_OPEN);
    }
    done += take_records(reading, lines, bytes + done, length - done, LAZ_LINES_END);
    cr_assert_eq(done, length);
    cr_assert(!reading->records.overflow && !reading->text.overflow);
    reading->work = laz_lines_work(lines);
    laz_lines_free(lines);
}

static inline void reading_done(struct reading *reading)
{
    laz_buf_done(&reading->records);
    laz_buf_done(&reading->text);
}

static inline void expect_records(
        const struct laz_lines_options *options, const char *bytes, const char *records)
{
    struct reading reading;
    read_stream(&reading, options, bytes, strlen(bytes), 0);
    cr_assert_str_eq(reading.records.len == 0 ? "" : reading.records.data, records);
    reading_done(&reading);
}

#endif
