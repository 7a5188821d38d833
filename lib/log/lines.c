/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytes to records. Remembers how far it has looked, because the same beginning is offered
 * again with more behind it; every other byte is the caller's.
 */
#include "log/lines.h"

#include <stdlib.h>

#include "core/json.h"
#include "core/pattern.h"
#include "log/members.h"

#define LIGHT (64U << 10) /* bytes of a text whose members fit whatever it says */
/* Each byte of a text of LAZ_LINES_MOST can cost 7/3 of a byte in the members (itself, and a third
 * more in base64), and is redacted to no more than that allows. */
#define REDACTED_MAX (LAZ_LINE_MEMBERS_MAX)

struct laz_lines {
    size_t max_line;
    const struct laz_redactor *redactor; /* NULL: none */
    struct laz_pattern *start;           /* NULL: each line is a record */
    struct laz_buf redacted;             /* text of the record that was returned last */
    char before[2];                      /* the last bytes that were taken */
    uint32_t part; /* of the line or record whose next part begins the bytes */
    /* Of the bytes that will be offered next, from their beginning: */
    size_t scanned; /* no line feed here, but for those that are joined */
    size_t joined;  /* whole lines of one record that waits for what follows */
    size_t clean;   /* nothing to redact begins here */
    uint64_t work;
};

/* The bytes of one call. */
struct offer {
    const char *bytes;
    size_t length;
};

/* What a record takes of it. */
struct piece {
    size_t length; /* of the text */
    size_t view;   /* so far the text may be looked at: its line goes on, or not */
    bool eol;
    bool more;
};

int laz_lines_new(
        const struct laz_lines_options *options, struct laz_lines **ret, struct laz_err *err)
{
    if (options->max_line < LAZ_LINES_LEAST || options->max_line > LAZ_LINES_MOST) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "lines of %zu bytes", options->max_line);
    }
    struct laz_lines *lines = calloc(1, sizeof(*lines));
    char *memory = options->redactor == NULL ? NULL : malloc(REDACTED_MAX);
    if (lines == NULL || (memory == NULL && options->redactor != NULL)) {
        free(lines);
        free(memory);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for lines");
    }
    lines->max_line = options->max_line;
    lines->redactor = options->redactor;
    (void)memset(lines->before, '\n', sizeof(lines->before));
    laz_buf_init_fixed(&lines->redacted, memory, memory == NULL ? 0 : REDACTED_MAX);
    if (options->multiline_start != NULL && options->multiline_start[0] != '\0' &&
            laz_pattern_new(options->multiline_start, LAZ_PATTERN_LINE, &lines->start, err) < 0) {
        laz_lines_free(lines);
        return -1;
    }
    *ret = lines;
    return 0;
}

void laz_lines_free(struct laz_lines *lines)
{
    if (lines != NULL) {
        laz_pattern_free(lines->start);
        free(lines->redacted.data);
        free(lines);
    }
}

void laz_lines_place(const struct laz_lines *lines, struct laz_lines_place *ret)
{
    ret->part = lines->part;
    (void)memcpy(ret->before, lines->before, sizeof(ret->before));
}

void laz_lines_go_on(struct laz_lines *lines, const struct laz_lines_place *place)
{
    lines->part = place->part;
    (void)memcpy(lines->before, place->before, sizeof(lines->before));
}

void laz_lines_look_again(struct laz_lines *lines)
{
    lines->clean = 0;
}

uint64_t laz_lines_work(const struct laz_lines *lines)
{
    return lines->work;
}

/* ---- Redaction ---- */

/* The next match of the text that begins in [from, until). */
static bool find(struct laz_lines *lines, const char *text, size_t view, size_t from, size_t until,
        struct laz_redact_match *ret)
{
    if (lines->redactor == NULL) {
        return false;
    }
    struct laz_redact_text all = {.text = text, .length = view};
    (void)memcpy(all.before, lines->before, sizeof(all.before));
    from = from < lines->clean ? lines->clean : from;
    bool found = from < until && laz_redactor_find(lines->redactor, &all, from, until, ret);
    lines->work += all.work + (until > from ? until - from : 0);
    return found;
}

/* Is there anything that could be a match in the text? Looks at the whole offer at once. */
static bool is_clean(struct laz_lines *lines, const struct offer *offer, size_t length)
{
    if (lines->redactor == NULL || lines->clean >= length) {
        return true;
    }
    size_t from = lines->clean;
    lines->clean = laz_redactor_skip(lines->redactor, offer->bytes, offer->length, from);
    lines->work += lines->clean - from;
    return lines->clean >= length;
}

static void redact(
        struct laz_lines *lines, const char *text, const struct piece *piece, struct laz_line *ret)
{
    struct laz_redact_match match;
    size_t done = 0;
    lines->redacted.len = 0;
    while (find(lines, text, piece->view, done, piece->length, &match)) {
        laz_buf_put(&lines->redacted, text + done, match.at + match.kept - done);
        laz_redact_put_mark(&lines->redacted, match.kind);
        ret->redacted[match.kind]++;
        done = match.at + match.length;
    }
    if (done > 0) {
        laz_buf_put(&lines->redacted, text + done, piece->length - done);
        ret->text = lines->redacted.data;
        ret->length = lines->redacted.len;
    }
}

/* ---- Where to cut ---- */

/* The largest number of bytes, at most `length`, whose members fit. Matches count as what stands
 * for them, and are whole. */
static size_t affordable(struct laz_lines *lines, const char *text, size_t view, size_t length)
{
    struct laz_buf mark;
    char memory[64];
    size_t budget = LAZ_LINE_MEMBERS_MAX - LAZ_MEMBERS_OTHER;
    for (size_t at = 0; at < length;) {
        struct laz_redact_match match = {.at = length};
        bool found = find(lines, text, view, at, length, &match);
        size_t end = found ? match.at + match.kept : length;
        at += laz_members_fit(text + at, end - at, &budget);
        if (at < end || !found) {
            return at;
        }
        laz_buf_init_fixed(&mark, memory, sizeof(memory));
        laz_redact_put_mark(&mark, match.kind);
        if (laz_members_fit(mark.data, mark.len, &budget) < mark.len) {
            return match.at;
        }
        at = match.at + match.length;
    }
    return length;
}

/* Not inside a character. */
static size_t before_character(const char *text, size_t view, size_t at)
{
    for (size_t back = 1; back < 4 && back < at; back++) {
        size_t length = laz_utf8_length(text + at - back, view - (at - back));
        if (length > 0) {
            return length > back ? at - back : at;
        }
    }
    return at;
}

/* At most `most` bytes of a line that is longer, unless what may not be cut is. */
static size_t place_to_cut(struct laz_lines *lines, const char *text, size_t view, size_t most)
{
    size_t cut = before_character(text, view, most);
    struct laz_redact_match match;
    size_t done = 0;
    while (find(lines, text, view, done, cut, &match)) {
        done = match.at + match.length;
        if (done > cut) {
            return match.at > 0 ? match.at : done;
        }
    }
    return cut;
}

/* ---- Records ---- */

static size_t take(struct laz_lines *lines, const struct offer *offer, struct piece piece,
        struct laz_line *ret)
{
    if (piece.length > LIGHT) {
        size_t fits = affordable(lines, offer->bytes, piece.view, piece.length);
        if (fits < piece.length) {
            piece = (struct piece){.length = fits, .view = piece.view, .more = true};
        }
    }
    *ret = (struct laz_line){
            .text = offer->bytes, .length = piece.length, .eol = piece.eol, .more = piece.more};
    if (piece.more || lines->part > 0) {
        ret->part = ++lines->part;
        lines->part = piece.more ? lines->part : 0;
    }
    if (!is_clean(lines, offer, piece.length)) {
        redact(lines, offer->bytes, &piece, ret);
    }
    size_t taken = piece.length + (piece.eol ? 1 : 0);
    if (taken > 1) {
        (void)memcpy(lines->before, offer->bytes + taken - 2, 2);
    } else {
        lines->before[0] = lines->before[1];
        lines->before[1] = offer->bytes[0];
    }
    lines->scanned -= taken < lines->scanned ? taken : lines->scanned;
    lines->joined -= taken < lines->joined ? taken : lines->joined;
    lines->clean -= taken < lines->clean ? taken : lines->clean;
    return taken;
}

static size_t take_joined(
        struct laz_lines *lines, const struct offer *offer, bool more, struct laz_line *ret)
{
    size_t length = lines->joined - 1;
    return take(lines, offer,
            (struct piece){.length = length, .view = length, .eol = true, .more = more}, ret);
}

/* Does this line belong to the record of the lines in front of it? */
static bool belongs(struct laz_lines *lines, const char *line, size_t length)
{
    length = length < lines->max_line ? length : lines->max_line;
    lines->work += length;
    return !laz_pattern_is_in(lines->start, line, length);
}

/* Offset of the line feed that ends the line at `joined`, or the offer's length. */
static size_t find_feed(struct laz_lines *lines, const struct offer *offer)
{
    size_t from = lines->scanned > lines->joined ? lines->scanned : lines->joined;
    const char *feed = memchr(offer->bytes + from, '\n', offer->length - from);
    size_t at = feed == NULL ? offer->length : (size_t)(feed - offer->bytes);
    lines->scanned = at;
    lines->work += at - from;
    return at;
}

size_t laz_lines_next(struct laz_lines *lines, const char *bytes, size_t length,
        enum laz_lines_until until, struct laz_line *ret)
{
    const struct offer offer = {.bytes = bytes, .length = length};
    for (;;) {
        size_t first = lines->joined;
        size_t feed = find_feed(lines, &offer);
        size_t n = feed - first;
        bool whole = feed < length;
        if (!whole && (until != LAZ_LINES_END || n == 0) && n < lines->max_line + LAZ_LINES_AHEAD) {
            return until != LAZ_LINES_OPEN && first > 0 ? take_joined(lines, &offer, false, ret)
                                                        : 0;
        }
        if (first > 0 && !belongs(lines, bytes + first, n)) {
            return take_joined(lines, &offer, false, ret);
        }
        if (feed > lines->max_line && first > 0) {
            return take_joined(lines, &offer, true, ret);
        }
        if (n > lines->max_line) {
            size_t cut = place_to_cut(lines, bytes, feed, lines->max_line);
            if (cut < n) {
                return take(lines, &offer,
                        (struct piece){.length = cut, .view = feed, .more = true}, ret);
            }
        }
        if (!whole || lines->start == NULL) {
            return take(
                    lines, &offer, (struct piece){.length = feed, .view = feed, .eol = whole}, ret);
        }
        lines->joined = feed + 1;
        lines->scanned = feed + 1;
    }
}
