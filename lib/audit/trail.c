/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking a line of the trail apart. Strict by scanning: the order of the members is frozen, so a
 * general JSON parser would accept more and know less.
 */
#include "audit/trail.h"

#include "core/num.h"

#define START       "{\"lz\":1,"
#define TIME_DIGITS "dddd-dd-ddTdd:dd:dd.ddddddZ"

static const char *const kind_names[LAZ_TRAIL_KIND_COUNT] = {
#define X(id, ev, byte) ev,
        LAZ_TRAIL_KINDS(X)
#undef X
};

/* One more than the value of a lower-case digit; 0 for anything else. */
static const uint8_t digit_values[256] = {['0'] = 1,
        ['1'] = 2,
        ['2'] = 3,
        ['3'] = 4,
        ['4'] = 5,
        ['5'] = 6,
        ['6'] = 7,
        ['7'] = 8,
        ['8'] = 9,
        ['9'] = 10,
        ['a'] = 11,
        ['b'] = 12,
        ['c'] = 13,
        ['d'] = 14,
        ['e'] = 15,
        ['f'] = 16};

struct laz_span laz_trail_find(const char *line, size_t length)
{
    const struct laz_span nothing = {.at = line, .length = 0};
    const char *at = memmem(line, length, START, sizeof(START) - 1);
    if (at == NULL) {
        return nothing;
    }
    return (struct laz_span){.at = at, .length = length - (size_t)(at - line)};
}

bool laz_trail_read_text(struct laz_trail_reader *reader, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

/* "key": with the comma in front unless it is the first member. */
static bool read_key(struct laz_trail_reader *reader, const char *key)
{
    struct laz_trail_reader ahead = *reader;
    if (ahead.at[-1] != '{' && !laz_trail_read_text(&ahead, ",")) {
        return false;
    }
    if (!laz_trail_read_text(&ahead, "\"") || !laz_trail_read_text(&ahead, key) ||
            !laz_trail_read_text(&ahead, "\":")) {
        return false;
    }
    *reader = ahead;
    return true;
}

static size_t digits_at(const struct laz_trail_reader *reader)
{
    size_t n = 0;
    while (reader->at + n < reader->end && reader->at[n] >= '0' && reader->at[n] <= '9') {
        n++;
    }
    return n;
}

bool laz_trail_read_u64(struct laz_trail_reader *reader, const char *key, uint64_t *ret)
{
    struct laz_trail_reader ahead = *reader;
    if (!read_key(&ahead, key)) {
        return false;
    }
    size_t n = digits_at(&ahead);
    if (!laz_parse_u64(ahead.at, n, UINT64_MAX, ret)) {
        return false;
    }
    ahead.at += n;
    *reader = ahead;
    return true;
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

/* How long the escape is that begins here: \", \\ or \u and four digits; 0 if it is none. */
static size_t escape_length(const char *at, const char *end)
{
    if (end - at < 2 || (at[1] != 'u' && at[1] != '"' && at[1] != '\\')) {
        return 0;
    }
    size_t length = at[1] == 'u' ? 6 : 2;
    if ((size_t)(end - at) < length) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (digit_values[(unsigned char)at[i]] == 0) {
            return 0;
        }
    }
    return length;
}

/* Behind the opening quote: to behind the closing one. Escapes are JSON's; control characters and
 * quotes are escaped. */
static bool read_quoted(struct laz_trail_reader *reader, struct laz_span *ret)
{
    const char *at = reader->at;
    while (at < reader->end && *at != '"') {
        size_t step = 1;
        if (!is_plain((unsigned char)*at)) {
            step = *at == '\\' ? escape_length(at, reader->end) : 0;
        }
        if (step == 0) {
            return false;
        }
        at += step;
    }
    if (at == reader->end) {
        return false;
    }
    *ret = (struct laz_span){.at = reader->at, .length = (size_t)(at - reader->at)};
    reader->at = at + 1;
    return true;
}

bool laz_trail_read_string(struct laz_trail_reader *reader, const char *key, struct laz_span *ret)
{
    struct laz_trail_reader ahead = *reader;
    if (!read_key(&ahead, key) || !laz_trail_read_text(&ahead, "\"") || !read_quoted(&ahead, ret)) {
        return false;
    }
    *reader = ahead;
    return true;
}

static bool parse_hex_span(struct laz_span span, uint8_t *ret, size_t size)
{
    if (span.length != 2 * size) {
        return false;
    }
    bool is_hex = true;
    for (size_t i = 0; i < size; i++) {
        unsigned high = digit_values[(unsigned char)span.at[2 * i]];
        unsigned low = digit_values[(unsigned char)span.at[2 * i + 1]];
        is_hex = is_hex && high != 0 && low != 0;
        ret[i] = (uint8_t)((high - 1) << 4 | ((low - 1) & 15));
    }
    return is_hex;
}

bool laz_trail_read_hex(struct laz_trail_reader *reader, const char *key, uint8_t *ret, size_t size)
{
    struct laz_trail_reader ahead = *reader;
    struct laz_span span;
    if (!laz_trail_read_string(&ahead, key, &span) || !parse_hex_span(span, ret, size)) {
        return false;
    }
    *reader = ahead;
    return true;
}

void laz_trail_read_begin(struct laz_trail_reader *reader, struct laz_span members)
{
    *reader = (struct laz_trail_reader){.at = members.at, .end = members.at + members.length};
}

bool laz_trail_read_done(const struct laz_trail_reader *reader)
{
    return reader->at == reader->end;
}

static enum laz_trail_kind kind_of(struct laz_span ev)
{
    for (unsigned i = 0; i < LAZ_TRAIL_KIND_COUNT; i++) {
        if (i != LAZ_TRAIL_EVENT && ev.length == strlen(kind_names[i]) &&
                memcmp(ev.at, kind_names[i], ev.length) == 0) {
            return (enum laz_trail_kind)i;
        }
    }
    return LAZ_TRAIL_EVENT;
}

static bool is_event_name(struct laz_span ev)
{
    for (size_t i = 0; i < ev.length; i++) {
        char c = ev.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-')) {
            return false;
        }
    }
    return ev.length > 0;
}

static bool is_time(struct laz_span when)
{
    static const char form[] = TIME_DIGITS;
    if (when.length != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < when.length; i++) {
        bool is_digit = when.at[i] >= '0' && when.at[i] <= '9';
        if (form[i] == 'd' ? !is_digit : when.at[i] != form[i]) {
            return false;
        }
    }
    return true;
}

static bool read_pid(struct laz_trail_reader *reader)
{
    struct laz_trail_reader ahead = *reader;
    uint64_t pid = 0;
    if (!read_key(&ahead, "pid")) {
        return false;
    }
    bool is_negative = laz_trail_read_text(&ahead, "-");
    size_t n = digits_at(&ahead);
    if (!laz_parse_u64(ahead.at, n, INT32_MAX, &pid) || (is_negative && pid == 0)) {
        return false;
    }
    ahead.at += n;
    *reader = ahead;
    return true;
}

/* ,"sig":"…"}} at the very end. */
static bool take_signature(struct laz_trail_line *line, const char *end)
{
    static const char key[] = ",\"sig\":\"";
    const size_t digits = 2 * sizeof(line->signature);
    const size_t whole = sizeof(key) - 1 + digits + 1;
    if (line->members.length < whole) {
        return false;
    }
    const char *at = end - 2 - whole;
    struct laz_span hex = {.at = at + sizeof(key) - 1, .length = digits};
    if (memcmp(at, key, sizeof(key) - 1) != 0 || hex.at[digits] != '"' ||
            !parse_hex_span(hex, line->signature, sizeof(line->signature))) {
        return false;
    }
    line->has_signature = true;
    line->members.length -= whole;
    line->text[1].length = (size_t)(at - line->text[1].at);
    line->text[2] = (struct laz_span){.at = end - 2, .length = 2};
    return true;
}

static bool has_to_be_signed(enum laz_trail_kind kind)
{
    return kind == LAZ_TRAIL_GENESIS || kind == LAZ_TRAIL_CHECKPOINT || kind == LAZ_TRAIL_FINAL;
}

/* What only records have that are chained by themselves. */
static bool read_pid_and_exe(struct laz_trail_reader *reader)
{
    struct laz_span ignored;
    return read_pid(reader) && laz_trail_read_string(reader, "exe", &ignored);
}

static bool read_head(struct laz_trail_reader *reader, struct laz_trail_line *line)
{
    uint64_t severity = 0;
    struct laz_span ignored;
    if (!laz_trail_read_text(reader, "{\"lz\":1") ||
            !laz_trail_read_string(reader, "ev", &line->ev) || !is_event_name(line->ev)) {
        return false;
    }
    line->kind = kind_of(line->ev);
    bool is_log = line->kind == LAZ_TRAIL_LOG;
    if ((!is_log && (!laz_trail_read_u64(reader, "sev", &severity) || severity > 10)) ||
            !laz_trail_read_u64(reader, "seq", &line->seq)) {
        return false;
    }
    line->middle.at = reader->at;
    return laz_trail_read_string(reader, "task", &ignored) &&
            laz_trail_read_string(reader, "ctr", &ignored) &&
            (is_log || read_pid_and_exe(reader)) &&
            laz_trail_read_string(reader, "obj", &ignored) &&
            (is_log || laz_trail_read_string(reader, "act", &ignored)) &&
            laz_trail_read_string(reader, "ts", &line->when) && is_time(line->when);
}

/* ,"d":{…}} to the end. */
static bool read_tail(struct laz_trail_reader *reader, struct laz_span *ret)
{
    if (!laz_trail_read_text(reader, ",\"d\":{") || reader->end - reader->at < 2 ||
            memcmp(reader->end - 2, "}}", 2) != 0) {
        return false;
    }
    *ret = (struct laz_span){.at = reader->at, .length = (size_t)(reader->end - 2 - reader->at)};
    return true;
}

bool laz_trail_is_unchained(struct laz_span record)
{
    struct laz_trail_reader reader = {.at = record.at, .end = record.at + record.length};
    struct laz_trail_line line = {.kind = LAZ_TRAIL_EVENT};
    return read_head(&reader, &line) && line.kind != LAZ_TRAIL_LOG &&
            !has_to_be_signed(line.kind) && read_tail(&reader, &line.members);
}

bool laz_trail_parse_host(
        struct laz_span record, struct laz_trail_line *ret, uint8_t ret_prev[LAZ_SHA256_SIZE])
{
    struct laz_trail_reader reader = {.at = record.at, .end = record.at + record.length};
    struct laz_trail_line line = {.kind = LAZ_TRAIL_EVENT};
    uint8_t prev[LAZ_SHA256_SIZE];
    if (!read_head(&reader, &line) || line.kind != LAZ_TRAIL_EVENT ||
            !laz_trail_read_hex(&reader, "prev", prev, sizeof(prev)) ||
            !read_tail(&reader, &line.members)) {
        return false;
    }
    *ret = line;
    (void)memcpy(ret_prev, prev, sizeof(prev));
    return true;
}

bool laz_trail_parse(struct laz_span record, struct laz_trail_line *ret)
{
    struct laz_trail_reader reader = {.at = record.at, .end = record.at + record.length};
    struct laz_trail_line line = {.kind = LAZ_TRAIL_EVENT};
    if (record.length >= LAZ_TRAIL_LINE_MAX || !read_head(&reader, &line) ||
            !laz_trail_read_hex(&reader, "chain", line.chain, sizeof(line.chain))) {
        return false;
    }
    if (line.kind != LAZ_TRAIL_LOG &&
            !laz_trail_read_hex(&reader, "prev", line.prev, sizeof(line.prev))) {
        return false;
    }
    line.middle.length = (size_t)(reader.at - line.middle.at);
    line.text[0] = (struct laz_span){.at = record.at, .length = (size_t)(reader.at - record.at)};
    if (line.kind != LAZ_TRAIL_LOG && !laz_trail_read_hex(&reader, "h", line.h, sizeof(line.h))) {
        return false;
    }
    line.text[1].at = reader.at;
    line.text[1].length = (size_t)(reader.end - line.text[1].at);
    if (!read_tail(&reader, &line.members)) {
        return false;
    }
    if (has_to_be_signed(line.kind) && !take_signature(&line, reader.end)) {
        return false;
    }
    *ret = line;
    return true;
}
