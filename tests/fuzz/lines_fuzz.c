/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream that comes whole and the same one that comes in pieces give the same records; without
 * redaction nothing of it is lost; no byte is looked at more than a few times. The first four bytes
 * choose how it is read and where the pieces end.
 */
#include "log/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define STREAM_MAX 40000 /* longer than what is looked at ahead */
#define PIECES_MAX 24

struct reading {
    struct laz_buf records;
    struct laz_buf text;
    uint64_t work;
};

static size_t take(struct reading *reading, struct laz_lines *lines, const struct laz_buf *offer,
        enum laz_lines_until until)
{
    struct laz_line line;
    size_t done = 0;
    /* memory of its own, so that a sanitizer sees a byte too far */
    char *bytes = malloc(offer->len);
    require(bytes != NULL || offer->len == 0);
    if (offer->len > 0) {
        (void)memcpy(bytes, offer->data, offer->len);
    }
    for (size_t n = 1; n > 0; done += n) {
        n = laz_lines_next(lines, bytes + done, offer->len - done, until, &line);
        require(n <= offer->len - done);
        if (n > 0) {
            size_t before = reading->records.len;
            laz_line_members(&line, &reading->records);
            require(reading->records.len - before <= LAZ_LINE_MEMBERS_MAX);
            laz_buf_char(&reading->records, '\n');
            laz_buf_put(&reading->text, line.text, line.length);
            laz_buf_put(&reading->text, "\n", line.eol ? 1 : 0);
            require((line.part > 0) || !line.more);
        }
    }
    free(bytes);
    return done;
}

/* The stream in pieces that end where `random` says. */
static void read_stream(struct reading *reading, const struct laz_lines_options *options,
        const struct laz_buf *stream, uint64_t random, unsigned pieces)
{
    struct laz_lines *lines = NULL;
    struct laz_err err = {0};
    *reading = (struct reading){0};
    laz_buf_init_heap(&reading->records, 1U << 26);
    laz_buf_init_heap(&reading->text, 1U << 26);
    require(laz_lines_new(options, &lines, &err) == 0);
    size_t done = 0;
    size_t have = 0;
    for (unsigned i = 0; i < pieces && have < stream->len; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        have += (size_t)(random >> 40) % (stream->len - have + 1);
        struct laz_buf offer = {.data = stream->data + done, .len = have - done};
        done += take(reading, lines, &offer, LAZ_LINES_OPEN);
    }
    struct laz_buf rest = {.data = stream->data + done, .len = stream->len - done};
    done += take(reading, lines, &rest, LAZ_LINES_END);
    require(done == stream->len);
    require(!reading->records.overflow && !reading->text.overflow);
    reading->work = laz_lines_work(lines);
    laz_lines_free(lines);
}

static void reading_done(struct reading *reading)
{
    laz_buf_done(&reading->records);
    laz_buf_done(&reading->text);
}

static void check(
        const struct laz_lines_options *options, const struct laz_buf *stream, uint64_t random)
{
    struct reading whole;
    struct reading pieces;
    read_stream(&whole, options, stream, 0, 0);
    read_stream(&pieces, options, stream, random, PIECES_MAX);
    require(whole.records.len == pieces.records.len);
    require(whole.records.len == 0 ||
            memcmp(whole.records.data, pieces.records.data, whole.records.len) == 0);
    require(pieces.work <= 64 * (uint64_t)stream->len + PIECES_MAX * 64);
    if (options->redactor == NULL) {
        require(whole.text.len == stream->len &&
                (stream->len == 0 || memcmp(whole.text.data, stream->data, stream->len) == 0));
    }
    reading_done(&whole);
    reading_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const starts[] = {NULL, "^\\S", "x|^$", "\\d\\d$"};
    static const char *const literals[] = {"abcd", "hunter22", "\xC3\xA9\xC3\xA9"};
    const struct laz_redactor_options how = {
            .patterns = 0x1F, .mrn = "MRN-[0-9]{4,8}", .n_literals = 3, .literals = literals};
    if (size < 5) {
        return 0;
    }
    struct laz_redactor *redactor = NULL;
    struct laz_err err = {0};
    static const struct laz_bytes secrets[] = {
            {"hunter2222", 10}, {"line one\nline two", 17}, {"ab\xFF\x01zz", 6}};
    require(laz_redactor_new(&how, &redactor, &err) == 0);
    require((data[1] & 16) == 0 || laz_redactor_hide(redactor, secrets, 3, &err) == 0);
    const struct laz_lines_options options = {.max_line = LAZ_LINES_LEAST + (size_t)data[0],
            .multiline_start = starts[data[1] % 4],
            .redactor = (data[1] & 4) != 0 ? redactor : NULL};
    struct laz_buf stream;
    laz_buf_init_heap(&stream, STREAM_MAX + 1);
    unsigned repeats = (data[1] & 8) != 0 ? 1 + data[2] * 8U : 1;
    for (unsigned i = 0; i < repeats && stream.len + size <= STREAM_MAX; i++) {
        laz_buf_put(&stream, data + 4, size - 4);
    }
    check(&options, &stream, (uint64_t)data[3] << 8 | data[2]);
    laz_buf_done(&stream);
    laz_redactor_free(redactor);
    return 0;
}
